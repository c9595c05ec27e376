// See connection.hpp.
#include "http/client/connection.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/write.hpp>
#include <boost/system/system_error.hpp>
#include <cstring>
#include <netinet/tcp.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <utility>

#include "http/client/response_head.hpp"

namespace dure::http::outgoing {
namespace connection_parts {

// A plain socket reads into a buffer of its core's and holds none while it waits. TLS needs one then: whoever fills it whole gets
// the next size, and a stream of tokens that comes slowly goes back to the smallest.
constexpr std::chrono::milliseconds slow{5};
constexpr std::size_t resting_capacity = 512;
constexpr std::size_t first_capacity = 2 * 1024;
constexpr std::size_t middle_capacity = 4 * 1024;
constexpr std::size_t ample_capacity = 32 * 1024;   // an answer of some hundred tokens that comes at once
constexpr int most_in_a_turn = 16;   // receives without a wait, before others of the core have theirs
constexpr std::size_t largest_capacity = longest_response_head + 1024;   // a head at its bound, and the byte too many

thread_local std::unique_ptr<char[]> spare_buffer;   // of ample_capacity, for the next who reads on this core

}  // namespace connection_parts

using namespace connection_parts;

Connection::Connection(CoreExecutor executor) : socket_(executor), watch_(std::make_shared<Watch>(socket_)) {}

Connection::~Connection()
{
    watch_->forget_socket();
    if (tls_)
        abandon_tls(tls_->native_handle());
}

boost::asio::ip::address Connection::peer() const
{
    boost::system::error_code error;
    const auto endpoint = socket_.remote_endpoint(error);
    return error ? boost::asio::ip::address() : endpoint.address();
}

// Ends every operation: a cancelled coroutine leaves by an exception, so the owner cannot go on by mistake.
IoResult Connection::finished(const boost::asio::cancellation_state& state, boost::system::error_code error,
                              std::size_t bytes)
{
    const bool timed_out = watch_->disarm() && error == boost::asio::error::operation_aborted;
    if (state.cancelled() != boost::asio::cancellation_type::none)
        throw boost::system::system_error(boost::asio::error::operation_aborted);
    IoResult result;
    result.error = error;
    result.bytes = bytes;
    result.timed_out = timed_out;
    return result;
}

Task<IoResult> Connection::connect(boost::asio::ip::tcp::endpoint to, Deadline until)
{
    watch_->arm(until.at());
    auto [error] = co_await socket_.async_connect(to, as_result);
    if (!error)
        socket_.set_option(boost::asio::ip::tcp::no_delay(true), error);
    if (!error)
        socket_.non_blocking(true, error);   // for write_at_once() and receive_now()
    co_return finished(co_await boost::asio::this_coro::cancellation_state, error, 0);
}

Task<IoResult> Connection::start_tls(std::shared_ptr<boost::asio::ssl::context> context, std::string host,
                                     std::shared_ptr<TlsSession> session, Deadline until)
{
    context_ = std::move(context);
    session_ = std::move(session);
    tls_ = std::make_unique<boost::asio::ssl::stream<Socket&>>(socket_, *context_);
    if (!prepare_tls(tls_->native_handle(), host, *session_)) {
        IoResult refused;
        refused.error = boost::asio::error::invalid_argument;
        co_return refused;
    }
    watch_->arm(until.at());
    const auto [error] = co_await tls_->async_handshake(boost::asio::ssl::stream_base::client, as_result);
    co_return finished(co_await boost::asio::this_coro::cancellation_state, error, 0);
}

IoResult Connection::write_at_once(const RequestBytes& bytes)
{
    IoResult result;
    if (tls_)
        return result;
    result.bytes = socket_.write_some(bytes, result.error);
    if (result.error == boost::asio::error::would_block)
        result.error = {};
    return result;
}

Task<IoResult> Connection::write(RequestBytes bytes, Deadline until)
{
    watch_->arm(until.at());
    if (tls_) {
        const auto [error, sent] = co_await boost::asio::async_write(*tls_, bytes, as_result);
        co_return finished(co_await boost::asio::this_coro::cancellation_state, error, sent);
    }
    const auto [error, sent] = co_await boost::asio::async_write(socket_, bytes, as_result);
    co_return finished(co_await boost::asio::this_coro::cancellation_state, error, sent);
}

void Connection::delay_acknowledgements()
{
    const int no = 0;   // a hint: where it is not taken, all works the same
    ::setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_QUICKACK, &no, sizeof no);
}

Task<IoResult> Connection::fill(Deadline until)
{
    if (tls_) {
        begin_fill(until);
        const auto [error, bytes] = co_await tls_->async_read_some(room(), as_result);
        co_return end_fill(co_await boost::asio::this_coro::cancellation_state, error, bytes);
    }
    IoResult got;
    if (has_had_its_turn())
        co_await boost::asio::post(boost::asio::deferred);
    while (!receive_now(got)) {
        co_await readable(until);
        if (!may_receive(co_await boost::asio::this_coro::cancellation_state, got))
            break;
    }
    co_return got;
}

bool Connection::receive_now(IoResult& got)
{
    if (drained_)
        return false;
    make_room();
    boost::system::error_code error;
    const auto bytes = socket_.read_some(room(), error);
    // Only this says that the next arrival will be told: behind a short read an end or a failure may stand already.
    drained_ = error == boost::asio::error::would_block;
    if (drained_)
        return false;
    got = IoResult();
    got.error = error;
    got.bytes = bytes;
    end_ += bytes;
    ++received_in_turn_;
    return true;
}

bool Connection::has_had_its_turn()
{
    if (received_in_turn_ < most_in_a_turn)
        return false;
    received_in_turn_ = 0;
    return true;
}

void Connection::begin_wait(Deadline until)
{
    received_in_turn_ = 0;
    watch_->arm(until.at());
    if (unread() == 0)
        drop_buffer();
}

bool Connection::may_receive(const boost::asio::cancellation_state& state, IoResult& got)
{
    got = finished(state, watch_->wait_error(), 0);
    drained_ = false;
    return got.ok();
}

void Connection::begin_fill(Deadline until)
{
    watch_->arm(until.at());
    if (slow_peer_ && capacity_ > resting_capacity && last_bytes_ <= resting_capacity && unread() == 0) {
        buffer_ = std::make_unique_for_overwrite<char[]>(resting_capacity);
        capacity_ = resting_capacity;
        begin_ = end_ = 0;
    }
    make_room();
}

IoResult Connection::end_fill(const boost::asio::cancellation_state& state, boost::system::error_code error,
                              std::size_t bytes)
{
    const auto now = Steady::now();
    slow_peer_ = now - std::exchange(last_fill_, now) >= slow;
    last_bytes_ = bytes;
    end_ += bytes;
    return finished(state, error, bytes);
}

// The buffer starts small, since most of many waiting streams get little at once, and grows when it was filled.
void Connection::make_room()
{
    const bool was_full = capacity_ > 0 && end_ == capacity_;
    if (begin_ > 0 && begin_ == end_)
        begin_ = end_ = 0;
    if (capacity_ == 0 && !tls_ && spare_buffer) {
        buffer_ = std::move(spare_buffer);
        capacity_ = ample_capacity;
        return;
    }
    if (capacity_ != 0 && (!was_full || capacity_ == largest_capacity)) {
        if (begin_ > 0 && end_ == capacity_) {
            std::memmove(buffer_.get(), buffer_.get() + begin_, unread());
            end_ = unread();
            begin_ = 0;
        }
        return;
    }
    const std::size_t capacity = capacity_ == 0                  ? (tls_ ? first_capacity : ample_capacity)
                                 : capacity_ == resting_capacity ? middle_capacity
                                 : capacity_ < ample_capacity    ? ample_capacity
                                                                 : largest_capacity;
    auto larger = std::make_unique_for_overwrite<char[]>(capacity);
    const std::size_t kept = unread();
    if (kept > 0)
        std::memcpy(larger.get(), buffer_.get() + begin_, kept);
    buffer_ = std::move(larger);
    capacity_ = capacity;
    begin_ = 0;
    end_ = kept;
}

void Connection::drop_buffer()
{
    if (capacity_ == ample_capacity && !spare_buffer)
        spare_buffer = std::move(buffer_);
    buffer_.reset();
    capacity_ = begin_ = end_ = 0;
}

bool Connection::quiet()
{
    char byte = 0;
    const auto got = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    drained_ = got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    return drained_;
}

void Connection::rest(Steady::time_point now)
{
    drop_buffer();
    idle_since_ = now;
    reused_ = true;
}

std::string Connection::verify_problem() const
{
    const long problem = tls_ ? SSL_get_verify_result(tls_->native_handle()) : X509_V_OK;
    return problem == X509_V_OK ? std::string() : X509_verify_cert_error_string(problem);
}

}  // namespace dure::http::outgoing
