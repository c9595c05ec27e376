// Writing and closing; see link.hpp.
#include <sys/socket.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>
#include <utility>

#include "http/server/link.hpp"

namespace dure::http {

namespace asio = boost::asio;
using boost::system::error_code;

void Pieces::add(std::string_view bytes)
{
    if (!bytes.empty())
        pieces_.at(count_++) = asio::buffer(bytes.data(), bytes.size());
}

void Pieces::consume(std::size_t bytes)
{
    while (first_ < count_ && bytes >= pieces_[first_].size())
        bytes -= pieces_[first_++].size();
    if (first_ < count_)
        pieces_[first_] += bytes;
}

bool Link::write_now(Pieces& pieces)
{
    if (tls_)
        return !closed();
    error_code error;
    const auto buffers = pieces.buffers();
    pieces.consume(buffers.size() == 1 ? socket_.write_some(buffers.front(), error) : socket_.write_some(buffers, error));
    return !error || error == asio::error::would_block;
}

void Link::bound_output(std::size_t bytes)
{
    if (std::exchange(output_bound_, bytes) == bytes)
        return;
    error_code ignored;   // the system's own bound stays
    socket_.set_option(asio::socket_base::send_buffer_size(static_cast<int>(bytes / 2)), ignored);   // Linux doubles it
}

Task<bool> Link::write(Pieces pieces)
{
    if (!write_now(pieces))
        co_return false;
    while (!pieces.empty()) {
        write_until_ = Steady::now() + write_stall_;
        arm(write_until_);
        error_code error;
        std::size_t sent = 0;
        if (tls_)
            std::tie(error, sent) = co_await tls_->async_write_some(pieces.buffers(), asio::as_tuple(asio::use_awaitable));
        else
            std::tie(error, sent) = co_await socket_.async_write_some(pieces.buffers(), asio::as_tuple(asio::use_awaitable));
        write_until_ = Steady::time_point::max();
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none)
            throw boost::system::system_error(asio::error::operation_aborted);
        if (error)
            co_return false;
        pieces.consume(sent);
    }
    co_return true;
}

Task<void> Link::linger(std::chrono::milliseconds limit)
{
    if (closed())
        co_return;
    const auto until = Steady::now() + limit;
    pinned_ = false;
    if (tls_) {
        write_until_ = until;
        arm(until);
        co_await tls_->async_shutdown(asio::as_tuple(asio::use_awaitable));
        write_until_ = Steady::time_point::max();
    }
    error_code ignored;   // a socket that cannot be shut down any more is gone already
    socket_.shutdown(Socket::shutdown_send, ignored);
    auto event = Event::data;
    while (event == Event::data) {
        consume(input().size());
        event = co_await wait_input(until);
    }
}

void Link::close()
{
    if (closed())
        return;
    const auto self = shared_from_this();   // who is woken may let go of this link
    timer_.cancel();
    error_code ignored;   // the descriptor is given back in any case
    socket_.close(ignored);
    wake(Event::ended);
    if (reader_)
        asio::post(socket_.get_executor(), [self] { self->feed_reader(); });
}

void Link::abort()
{
    error_code ignored;
    socket_.set_option(asio::socket_base::linger(true, 0), ignored);
    close();
}

}  // namespace dure::http
