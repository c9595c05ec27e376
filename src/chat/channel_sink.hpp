// Joins the coroutine that makes an answer with the one that writes it: the producer fills a bounded channel, the consumer
// drains it into the real sink and keeps the client's connection alive while nothing comes (architecture decision 8).
#pragma once

#include <variant>

#include "dure/base/channel.hpp"
#include "dure/model/chat.hpp"

namespace dure::chat {

class ChannelSink final : public model::AnswerSink {
public:
    explicit ChannelSink(boost::asio::any_io_executor executor) : channel_(std::move(executor), capacity) {}

    Task<Result<void>> piece(const model::Piece& piece) override { return push(Item(piece)); }
    Task<Result<void>> rendered(std::string_view events) override { return push(Item(std::string(events))); }
    Task<Result<void>> progress(const model::Progress& progress) override { return push(Item(progress)); }
    Task<Result<void>> still_alive() override { co_return Result<void>(); }   // the consumer keeps its own time

    // The producer has ended.
    void close() { channel_.close(); }
    // Until the producer has closed and everything is handed on, or the reader is gone. A comment line after `heartbeat`
    // of silence.
    Task<Result<void>> drain_into(model::AnswerSink& reader, Steady::duration heartbeat);

private:
    using Item = std::variant<model::Piece, std::string, model::Progress>;
    static constexpr std::size_t capacity = 64;   // pieces; the model is held back beyond

    Task<Result<void>> push(Item item);

    Channel<Item> channel_;
};

}  // namespace dure::chat
