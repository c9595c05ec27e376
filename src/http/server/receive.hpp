// The reads of a plain client socket: an operation of Asio's reactor that lives in its link and is queued again for each read.
//
// Asio's own read tries before it waits. Of a client that waits for its answer this finds nothing, at the price of a system call for each
// request. A read that did not fill its room is told to the reactor as exhausting instead: it queues the next one without a try, unless epoll
// has told of an edge in between. What no further edge would tell is an end or a reset that stood behind those bytes already; so links
// whose last read came short are looked at once more, a moment later and many at a time. Quick answers are out by then.
// (Reactor and operation are Asio's inner parts: a newer Boost has to be looked at here.)
#pragma once

#include <boost/asio/detail/reactor.hpp>
#include <boost/asio/detail/reactor_op.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <vector>

namespace dure::http {

class Link;

class ClientSocket : public boost::asio::ip::tcp::socket {
public:
    using Base = boost::asio::ip::tcp::socket;
    ClientSocket(Base&& accepted) : Base(std::move(accepted)) {}

    // Queues the operation with those that wait for input, under its address as the key.
    void start(boost::asio::detail::reactor& reactor, boost::asio::detail::reactor_op& operation);
    void cancel(boost::asio::detail::reactor& reactor, boost::asio::detail::reactor_op& operation);
    using Base::cancel;
};

// The links of one core that are to be looked at once more. Used on that core only.
class SecondLooks : public std::enable_shared_from_this<SecondLooks> {
public:
    // A client that has left is noticed within 100 ms.
    static constexpr std::chrono::milliseconds pause{40};

    explicit SecondLooks(boost::asio::io_context& core) : timer_(core) {}
    void add(std::weak_ptr<Link> link);

private:
    void look();

    boost::asio::steady_timer timer_;  // runs while links are listed
    std::vector<std::weak_ptr<Link>> listed_;
};

// Part of one link, which is kept alive while the reactor has the operation.
class Receive : private boost::asio::detail::reactor_op {
public:
    Receive(Link& link, ClientSocket& socket, std::shared_ptr<SecondLooks> looks);

    // Reads into the link's room, which stays as it is meanwhile; ends with the link's on_read(). One at a time.
    void start();
    // Tries at once, unless it is known that nothing stands there.
    void look_again();
    void second_look();  // the same, from the list

private:
    static status perform(reactor_op* base);
    static void complete(void* scheduler, boost::asio::detail::operation* base, const boost::system::error_code&,
                         std::size_t);
    bool try_now();  // false: there is nothing now
    void list();

    Link& link_;
    ClientSocket& socket_;
    boost::asio::detail::reactor& reactor_;
    std::shared_ptr<SecondLooks> looks_;
    std::shared_ptr<Link> self_;  // while the reactor has it
    bool came_short_ = false;  // the last read; an end may stand behind it
    bool listed_ = false;
    bool taken_back_ = false;  // from the reactor, to be tried
};

}  // namespace dure::http
