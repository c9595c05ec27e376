// Serialises the writes of an answer with its still-alive ticks; see reply.hpp.
#include "llm/reply.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace dure::llm {

namespace {

constexpr std::chrono::seconds silence_before_first_tick{10};

}  // namespace

Reply::Reply(boost::asio::any_io_executor executor, model::Completion& into, model::AnswerSink* sink,
             Steady::duration heartbeat, RelayRecord* record)
    : completion(into), sink_(sink), heartbeat_(heartbeat), record_(record), timer_(executor), tick_done_(executor),
      next_tick_(Steady::now() + silence_before_first_tick)
{
}

template <class Write>
Task<Result<void>> Reply::write(Write operation)
{
    if (sink_ == nullptr)
        co_return Result<void>();
    writing_ = true;
    if (ticking_)
        co_await quiet();
    if (sink_ == nullptr) {   // its reader left during the tick
        writing_ = false;
        co_return Result<void>();
    }
    if (!first_output_at_)
        first_output_at_ = Steady::now();
    if (record_ != nullptr)
        record_->output_started = true;
    ++writes_;
    auto result = co_await operation();
    writing_ = false;
    next_tick_ = Steady::now() + heartbeat_;
    if (!result && gone_ != nullptr) {
        reader_leaves();
        gone_->notify();
        co_return Result<void>();
    }
    co_return result;
}

Task<Result<void>> Reply::piece(const model::Piece& piece)
{
    const auto operation = [this, &piece] { return sink_->piece(piece); };
    return write(operation);
}

Task<Result<void>> Reply::rendered(std::string_view events)
{
    const auto operation = [this, events] { return sink_->rendered(events); };
    return write(operation);
}

void Reply::dropped(std::vector<std::string> params)
{
    if (record_ != nullptr)
        record_->dropped_params = std::move(params);
}

void Reply::from_mock_fallback(bool yes)
{
    if (record_ != nullptr)
        record_->from_mock_fallback = yes;
}

void Reply::cache_hit(bool yes)
{
    if (record_ != nullptr)
        record_->cache_hit = yes;
}

void Reply::reader_leaves()
{
    reader_gone_ = true;
    sink_ = nullptr;
}

Task<void> Reply::keep_alive()
{
    for (;;) {
        timer_.expires_at(next_tick_);
        const auto [stopped] = co_await timer_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
        if (stopped || sink_ == nullptr)
            co_return;
        if (writing_)
            next_tick_ = Steady::now() + heartbeat_;
        if (Steady::now() < next_tick_)
            continue;
        const auto result = co_await tick();
        next_tick_ = Steady::now() + heartbeat_;
        if (!result) {
            reader_gone_ = true;
            co_return;
        }
    }
}

Task<Result<void>> Reply::tick()
{
    struct Ticking {
        Reply& reply;
        explicit Ticking(Reply& of) : reply(of) { reply.ticking_ = true; }
        ~Ticking()
        {
            reply.ticking_ = false;
            reply.tick_done_.notify();
        }
    };
    const Ticking ticking(*this);   // over when it is cancelled too
    co_return co_await sink_->still_alive();
}

Task<void> Reply::quiet()
{
    while (ticking_)
        co_await tick_done_.wait();
}

}  // namespace dure::llm
