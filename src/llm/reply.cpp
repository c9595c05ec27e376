// Serialises the writes of an answer with its still-alive ticks; see reply.hpp.
#include "llm/reply.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <algorithm>
#include <utility>

#include "llm/health.hpp"

namespace dure::llm {

namespace {

constexpr std::chrono::seconds silence_before_first_tick{10};

}  // namespace

Reply::Reply(boost::asio::any_io_executor executor, model::Completion& into, model::AnswerSink* sink,
             Steady::duration heartbeat, RelayRecord* record)
    : completion(into), sink_(sink), heartbeat_(heartbeat), record_(record),
      next_tick_(began_ + silence_before_first_tick), executor_(executor), tick_done_(executor)
{
}

// A timer and no coroutine: nearly no answer is ever silent for so long. It outlives the reply while its handler is queued.
struct Reply::Ticker {
    Ticker(Reply& owner, const boost::asio::any_io_executor& executor) : timer(executor), reply(&owner) {}
    boost::asio::steady_timer timer;
    boost::asio::cancellation_signal cancel;   // of the tick that is being written
    Reply* reply;                              // null: no longer there
    bool ends = false;                         // no further ticks
};

Reply::~Reply()
{
    if (ticker_)
        ticker_->reply = nullptr;
}

template <class Write>
Task<Result<void>> Reply::write(Write operation)
{
    if (silent_ != nullptr)
        std::exchange(silent_, nullptr)->speaks(silent_since_);
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
        write_failed_ = true;
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

Task<Result<void>> Reply::rendered_last(std::string events)
{
    const auto operation = [this, &events] { return sink_->rendered_last(std::move(events)); };
    co_return co_await write(operation);
}

void Reply::dropped(std::vector<std::string> params)
{
    dropped_params_ = std::move(params);
    if (record_ != nullptr)
        record_->dropped_params = dropped_params_;
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

void Reply::start_ticks()
{
    ticker_ = std::make_shared<Ticker>(*this, executor_);
    arm();
}

bool Reply::stop_ticks()
{
    if (!ticker_)
        return false;
    ticker_->ends = true;
    ticker_->timer.cancel();
    if (ticking_)
        ticker_->cancel.emit(boost::asio::cancellation_type::terminal);
    return ticking_;
}

void Reply::arm()
{
    // A write brings the next tick nearer than the first one may be, and does not touch the timer.
    ticker_->timer.expires_at(std::min(next_tick_, Steady::now() + heartbeat_));
    ticker_->timer.async_wait([ticker = ticker_](boost::system::error_code stopped) {
        if (!stopped && ticker->reply != nullptr)
            ticker->reply->look_at_silence();
    });
}

void Reply::look_at_silence()
{
    if (sink_ == nullptr || ticker_->ends)
        return;
    const auto now = Steady::now();
    if (writing_)
        next_tick_ = now + heartbeat_;
    if (now < next_tick_)
        return arm();
    ticking_ = true;
    boost::asio::co_spawn(executor_, sink_->still_alive(),
                          boost::asio::bind_cancellation_slot(
                              ticker_->cancel.slot(), [ticker = ticker_](const std::exception_ptr& thrown, Result<void> sent) {
                                  if (ticker->reply != nullptr)
                                      ticker->reply->tick_ended(!thrown && sent);
                              }));
}

void Reply::tick_ended(bool written)
{
    ticking_ = false;
    next_tick_ = Steady::now() + heartbeat_;
    if (written && !ticker_->ends) {
        arm();
    } else if (!written && !ticker_->ends) {   // who owns the reader ends the call; the next write of one that goes on finds the same
        reader_gone_ = write_failed_ = true;
        if (gone_ != nullptr) {
            reader_leaves();
            gone_->notify();
        }
    }
    tick_done_.notify();
}

Task<void> Reply::quiet()
{
    while (ticking_)
        co_await tick_done_.wait();
}

}  // namespace dure::llm
