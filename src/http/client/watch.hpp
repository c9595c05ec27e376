// What wakes a coroutine that waits for its upstream: the socket is readable, or a deadline has passed. One for each
// connection, kept alive by what it waits for.
//
// Asio's own reads try before they wait. Of a stream of tokens that finds nothing nearly every time, and needs a buffer of each
// stream for as long as it waits; its async_wait() changes what epoll knows with every call. So the wait is an operation of
// Asio's reactor that reads nothing: it ends with the next edge epoll tells of, and its owner reads until nothing is left
// before it waits again. (Reactor and coroutine handlers are Asio's inner parts: a newer Boost has to be looked at here.)
#pragma once

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/detail/reactor.hpp>
#include <boost/asio/detail/reactor_op.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <optional>

#include "dure/base/clock.hpp"
#include "dure/base/task.hpp"

namespace dure::http::outgoing {

using CoreExecutor = boost::asio::io_context::executor_type;
using Timer = boost::asio::basic_waitable_timer<Steady, boost::asio::wait_traits<Steady>, CoreExecutor>;

class Socket : public boost::asio::basic_stream_socket<boost::asio::ip::tcp, CoreExecutor> {
public:
    using basic_stream_socket::basic_stream_socket;
    // Queues the operation with those that wait for input.
    void start(boost::asio::detail::reactor& reactor, boost::asio::detail::reactor_op& operation);
};

class Watch : public std::enable_shared_from_this<Watch> {
public:
    using Waiter = boost::asio::detail::awaitable_async_op_handler<void(), Task<>::executor_type>;

    explicit Watch(Socket& socket);

    // Interrupts the socket when the deadline passes. The timer is armed once for many short waits: a later deadline only
    // moves a variable, the timer looks at it when it fires.
    void arm(Steady::time_point until);
    // True when it was this watch that interrupted the wait.
    bool disarm();
    void forget_socket();

    // Resumes the waiter, on its core, when there may be something to read; wait_error() when it was interrupted. One at a time.
    void resume_when_readable(Waiter waiter);
    const boost::system::error_code& wait_error() const { return operation_.ec_; }

private:
    struct Operation : boost::asio::detail::reactor_op {
        explicit Operation(Watch& owner) : reactor_op({}, &perform, &complete), watch(owner) {}
        static status perform(reactor_op*) { return done_and_exhausted; }  // until the next edge
        static void complete(void* scheduler, boost::asio::detail::operation* base, const boost::system::error_code&,
                             std::size_t);
        Watch& watch;
    };

    void start(Steady::time_point until);
    void fire();
    void interrupt();

    Socket* socket_;
    boost::asio::detail::reactor& reactor_;
    Steady::time_point deadline_ = Steady::time_point::max();
    bool running_ = false;
    bool fired_ = false;
    std::optional<Waiter> waiter_;
    std::shared_ptr<Watch> self_;  // while the reactor has the operation
    Operation operation_;
    Timer timer_;
};

}  // namespace dure::http::outgoing
