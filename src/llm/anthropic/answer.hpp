// Answers of the Messages API in the OpenAI form (llm-upstreams §5): events of a stream one by one, and whole messages. No
// sockets.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "llm/openai/foreign_events.hpp"

namespace dure::llm::anthropic {

// usage of the OpenAI form; fields of a later event replace those of an earlier one.
class UsageCounter {
public:
    void take(const OrderedJson& usage);
    bool any() const { return any_; }
    OrderedJson as_openai() const;

private:
    std::map<std::string, std::int64_t, std::less<>> counts_;
    bool any_ = false;
};

std::string finish_of(std::string_view stop_reason);

class EventTranslator final : public openai::ForeignEvents {
public:
    // `answer_tool`: input of this tool is the content.
    explicit EventTranslator(std::string answer_tool = {}) : answer_tool_(std::move(answer_tool)) {}

    Meaning read(std::string_view name, std::string_view data, std::vector<OrderedJson>& chunks) override;
    void body_ended(std::vector<OrderedJson>& chunks) override;
    bool halves_seen() const override { return halves_seen_; }
    bool end_seen() const override { return !stop_reason_.empty(); }

private:
    enum class Kind { other, text, tool, answer, thinking, redacted };
    struct Block {
        Kind kind = Kind::other;
        int tool = 0;  // 0, 1, 2 … over the tool blocks
        bool any_arguments = false;
        std::string thinking, signature, data;
    };
    void start_block(const OrderedJson& event, std::vector<OrderedJson>& chunks);
    void delta(const OrderedJson& event, std::vector<OrderedJson>& chunks);
    void stop_block(const OrderedJson& event, std::vector<OrderedJson>& chunks);
    void message_delta(const OrderedJson& event);
    void finish(std::vector<OrderedJson>& chunks);
    void add_usage(std::vector<OrderedJson>& chunks) const;
    OrderedJson chunk(OrderedJson delta) const;
    OrderedJson arguments_chunk(int tool, const std::string& text) const;

    std::string answer_tool_;
    std::string id_;
    std::map<std::int64_t, Block> blocks_;  // by the provider's index
    int tools_ = 0;
    UsageCounter usage_;
    std::string stop_reason_;
    std::string explanation_;  // of a refusal
    bool finished_ = false;
    bool halves_seen_ = false;
};

// A whole message as a chat.completion; documents that are none (errors too) come back unchanged.
OrderedJson completion_of(OrderedJson message, const std::string& answer_tool);

}  // namespace dure::llm::anthropic
