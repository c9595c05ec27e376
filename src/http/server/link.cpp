// Reads, the buffer and the timer; writing and closing are in link_output.cpp.
#include "http/server/link.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>
#include <cstring>

namespace dure::http {
namespace link_parts {

constexpr std::size_t small_buffer = 2 * 1024;      // half of it would split every second small request
constexpr std::size_t watched_buffer = 64 * 1024;   // what a client may send ahead of its turn
constexpr std::size_t kept_buffer = 16 * 1024;      // larger ones go back after a large body

}  // namespace link_parts

using namespace link_parts;
using boost::system::error_code;
namespace asio = boost::asio;

Link::Link(Socket socket, asio::ssl::context* tls, std::chrono::milliseconds write_stall,
           std::shared_ptr<SecondLooks> looks)
    : socket_(std::move(socket)), receive_(*this, socket_, std::move(looks)), timer_(socket_.get_executor()),
      write_stall_(write_stall), buffer_(std::make_unique_for_overwrite<char[]>(small_buffer)), capacity_(small_buffer)
{
    if (tls)
        tls_ = std::make_unique<TlsStream>(socket_, *tls);
}

Task<bool> Link::handshake(std::chrono::milliseconds limit)
{
    if (!tls_)
        co_return true;
    write_until_ = Steady::now() + limit;   // as with a stalled write: the socket is closed
    arm(write_until_);
    const auto [error] = co_await tls_->async_handshake(TlsStream::server, asio::as_tuple(asio::use_awaitable));
    write_until_ = Steady::time_point::max();
    co_return !error;
}

void Link::consume(std::size_t bytes)
{
    begin_ += bytes;
    if (begin_ < end_ || reading_)
        return;
    begin_ = end_ = 0;
    if (capacity_ > kept_buffer)
        relocate(small_buffer);
}

std::unique_ptr<char[]> Link::detach_large(std::size_t raw)
{
    if (reading_ || capacity_ <= kept_buffer)
        return nullptr;
    const auto left = input().substr(raw);
    const auto capacity = std::max(left.size(), small_buffer);
    auto fresh = std::make_unique_for_overwrite<char[]>(capacity);
    std::memcpy(fresh.get(), left.data(), left.size());
    std::swap(buffer_, fresh);
    capacity_ = capacity;
    begin_ = 0;
    end_ = left.size();
    return fresh;
}

bool Link::reserve(std::size_t bytes)
{
    if (reading_)
        return false;
    if (capacity_ - end_ < bytes)
        relocate(std::max(capacity_, end_ - begin_ + bytes));
    return true;
}

// Moves the input to the front of a buffer of that capacity.
void Link::relocate(std::size_t capacity)
{
    const auto size = end_ - begin_;
    if (capacity == capacity_) {
        std::memmove(buffer_.get(), buffer_.get() + begin_, size);
    } else {
        auto larger = std::make_unique_for_overwrite<char[]>(capacity);
        std::memcpy(larger.get(), buffer_.get() + begin_, size);
        buffer_ = std::move(larger);
        capacity_ = capacity;
    }
    begin_ = 0;
    end_ = size;
}

// Room to read into; called only when nothing is being read.
bool Link::make_room(std::size_t least)
{
    if (capacity_ - end_ >= least)
        return true;
    if (pinned_)
        return end_ < capacity_;
    const auto size = end_ - begin_;
    if (begin_ > 0 && capacity_ - size >= least)
        relocate(capacity_);
    else if (capacity_ < watched_buffer)
        relocate(std::min(capacity_ * 4, watched_buffer));
    return end_ < capacity_;
}

void Link::watch()
{
    if (reading_ || ended_ || closed() || !make_room(capacity_ / 4))
        return;
    start_read();
}

void Link::start_read()
{
    reading_ = true;
    if (tls_)
        tls_->async_read_some(
            room(), [self = shared_from_this()](error_code error, std::size_t bytes) { self->on_read(error, bytes); });
    else
        receive_.start();
}

void Link::on_read(error_code error, std::size_t bytes)
{
    reading_ = false;
    end_ += bytes;
    if (error) {
        ended_ = true;
        if (on_ended_)
            std::exchange(on_ended_, nullptr)();
    }
    if (reader_)
        feed_reader();
    else if (waiter_)
        wake(error ? Event::ended : Event::data);
    else
        watch();
}

Task<Link::Event> Link::wait_input(Steady::time_point until)
{
    if (ended_ || closed())
        co_return Event::ended;
    watch();
    if (!reading_)
        co_return Event::ended;   // full and pinned: the caller asks for more than it has made room for
    wait_until_ = until;
    arm(until);
    co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(
        [this](auto handler) {
            auto slot = asio::get_associated_cancellation_slot(handler);
            if (slot.is_connected())
                slot.assign([this](asio::cancellation_type) {
                    // Not from inside the signal: the coroutine goes on in its own turn.
                    asio::post(socket_.get_executor(), [self = shared_from_this()] { self->wake(Event::ended); });
                });
            waiter_.emplace(std::move(handler));
        },
        asio::use_awaitable);
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none)
        throw boost::system::system_error(asio::error::operation_aborted);
    co_return event_;
}

void Link::wake(Event event)
{
    wait_until_ = Steady::time_point::max();
    if (!waiter_)
        return;
    event_ = event;
    auto waiter = std::move(*waiter_);
    waiter_.reset();
    asio::get_associated_cancellation_slot(waiter).clear();
    waiter();
}

void Link::abandon()
{
    waiter_.reset();
    reader_ = nullptr;
}

void Link::read_into(asio::mutable_buffer target, std::function<void(error_code, std::size_t)> done)
{
    reader_target_ = target;
    reader_ = std::move(done);
    if (begin_ == end_ && !ended_ && !closed()) {
        watch();
        receive_.look_again();   // a peer that has said its last word closes with it
        return;
    }
    asio::post(socket_.get_executor(), [self = shared_from_this()] { self->feed_reader(); });
}

void Link::feed_reader()
{
    if (!reader_)
        return;
    const auto bytes = std::min(reader_target_.size(), end_ - begin_);
    std::memcpy(reader_target_.data(), buffer_.get() + begin_, bytes);
    consume(bytes);
    const auto error = bytes > 0 ? error_code() : error_code(asio::error::eof);
    std::exchange(reader_, nullptr)(error, bytes);
}

void Link::cancel_read_into()
{
    asio::post(socket_.get_executor(), [self = shared_from_this()] {
        if (self->reader_)
            std::exchange(self->reader_, nullptr)(asio::error::operation_aborted, 0);
    });
}

// Deadlines mostly move later with every request, so the timer is left as it is and looks again when it fires.
void Link::arm(Steady::time_point at)
{
    if (timer_at_ <= at)
        return;
    timer_at_ = at;
    timer_.expires_at(at);
    timer_.async_wait([self = shared_from_this()](error_code error) {
        if (!error)
            self->on_timer();
    });
}

void Link::on_timer()
{
    timer_at_ = Steady::time_point::max();
    const auto now = Steady::now();
    if (write_until_ <= now)
        abort();
    const auto next = std::min(wait_until_, write_until_);
    if (wait_until_ <= now)
        wake(Event::timeout);
    else if (!closed())
        arm(next);
}

}  // namespace dure::http
