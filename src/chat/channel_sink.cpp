// ChannelSink; see channel_sink.hpp.
#include "chat/channel_sink.hpp"

namespace dure::chat {

Task<Result<void>> ChannelSink::push(Item item)
{
    if (!co_await channel_.send(std::move(item)))
        co_return Error(Errc::cancelled, "The reader of the answer is gone.");
    co_return Result<void>();
}

Task<Result<void>> ChannelSink::drain_into(model::AnswerSink& reader, Steady::duration heartbeat)
{
    for (;;) {
        auto item = co_await channel_.receive(Steady::now() + heartbeat);
        if (!item && !channel_.timed_out())
            co_return Result<void>();
        Result<void> handed_on;
        if (!item)
            handed_on = co_await reader.still_alive();
        else if (const auto* piece = std::get_if<model::Piece>(&*item))
            handed_on = co_await reader.piece(*piece);
        else if (const auto* events = std::get_if<std::string>(&*item))
            handed_on = co_await reader.rendered(*events);
        else
            handed_on = co_await reader.progress(std::get<model::Progress>(*item));
        if (!handed_on) {
            channel_.close();   // the producer's next piece tells it
            co_return handed_on;
        }
    }
}

}  // namespace dure::chat
