// One socket to an upstream, plain or TLS, with one timer and one read buffer. Every wait has a deadline; a wait that is
// cancelled throws operation_aborted, and the owner drops the connection then (dropping it closes the socket at once).
#pragma once

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <memory>
#include <type_traits>
#include <utility>

#include "dure/base/clock.hpp"
#include "dure/base/task.hpp"
#include "http/client/tls.hpp"

namespace dure::http::outgoing {

using CoreExecutor = boost::asio::io_context::executor_type;
using Socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, CoreExecutor>;
using Timer = boost::asio::basic_waitable_timer<Steady, boost::asio::wait_traits<Steady>, CoreExecutor>;

// Interrupts the socket when a deadline passes. The timer is armed once for many short waits: a later deadline only
// moves a variable, the timer looks at it when it fires.
class Watch : public std::enable_shared_from_this<Watch> {
public:
    explicit Watch(Socket& socket) : socket_(&socket), timer_(socket.get_executor()) {}

    void arm(Steady::time_point until);
    // True when it was this watch that interrupted the wait.
    bool disarm();
    void forget_socket();

private:
    void start(Steady::time_point until);
    void fire();

    Socket* socket_;
    Timer timer_;
    Steady::time_point deadline_ = Steady::time_point::max();
    bool running_ = false;
    bool fired_ = false;
};

constexpr auto as_result = boost::asio::as_tuple(boost::asio::deferred);   // awaited directly: no frame for the operation

// Goes on with the coroutine inside the operation's completion, on whose core both are. Without it every completion takes the way
// through the coroutine's type-erased executor: an allocation and three calls.
template <class Handler>
struct GoOnHere {
    using cancellation_slot_type = boost::asio::associated_cancellation_slot_t<Handler>;
    cancellation_slot_type get_cancellation_slot() const noexcept
    {
        return boost::asio::get_associated_cancellation_slot(handler);
    }
    void operator()(boost::system::error_code error, std::size_t bytes) { std::move(handler)(error, bytes); }
    Handler handler;
};

using RequestBytes = std::array<boost::asio::const_buffer, 2>;   // head and body

struct IoResult {
    boost::system::error_code error;
    std::size_t bytes = 0;
    bool timed_out = false;

    bool ok() const { return !error; }
};

class Connection {
public:
    explicit Connection(CoreExecutor executor);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    Task<IoResult> connect(boost::asio::ip::tcp::endpoint to, Deadline until);
    // Of a connected socket. `host` is what the certificate must be for.
    Task<IoResult> start_tls(std::shared_ptr<boost::asio::ssl::context> context, std::string host,
                             std::shared_ptr<TlsSession> session, Deadline until);
    // As much as goes without waiting, nothing over TLS: a request nearly always goes in one piece.
    IoResult write_at_once(const RequestBytes& bytes);
    Task<IoResult> write(RequestBytes bytes, Deadline until);
    // Appends to the read buffer what has arrived; `bytes` 0 never comes without an error.
    Task<IoResult> fill(Deadline until);
    // fill() of a plain socket in three steps, for those who read once a token: no frame for it.
    //   begin_fill(); const auto [error, bytes] = co_await receive(); end_fill()
    bool plain() const { return !tls_; }
    void begin_fill(Deadline until);
    auto receive()
    {
        return boost::asio::async_initiate<decltype(as_result), void(boost::system::error_code, std::size_t)>(
            [](auto&& handler, Socket* socket, boost::asio::mutable_buffer room) {
                using Handler = std::decay_t<decltype(handler)>;
                socket->async_read_some(room, GoOnHere<Handler>{std::forward<decltype(handler)>(handler)});
            },
            as_result, &socket_, room());
    }
    IoResult end_fill(const boost::asio::cancellation_state& state, boost::system::error_code error, std::size_t bytes);

    // Unread bytes, at the front of the free room; consume() gives them up.
    std::size_t unread() const { return end_ - begin_; }
    char* unread_begin() { return buffer_.get() + begin_; }
    void consume(std::size_t bytes) { begin_ += bytes; }

    // The peer has neither closed nor said anything while nobody asked.
    bool quiet();
    // Idle connections hold no buffer.
    void rest();
    // How TLS refused the peer, for the log.
    std::string verify_problem() const;

    // Unspecified when there is none any more.
    boost::asio::ip::address peer() const;

    Steady::time_point born() const { return born_; }
    Steady::time_point idle_since() const { return idle_since_; }
    bool reused() const { return reused_; }

private:
    IoResult finished(const boost::asio::cancellation_state& state, boost::system::error_code error, std::size_t bytes);
    void make_room();
    boost::asio::mutable_buffer room() { return boost::asio::buffer(buffer_.get() + end_, capacity_ - end_); }

    Socket socket_;
    std::shared_ptr<Watch> watch_;
    std::shared_ptr<boost::asio::ssl::context> context_;
    std::shared_ptr<TlsSession> session_;
    std::unique_ptr<boost::asio::ssl::stream<Socket&>> tls_;
    std::unique_ptr<char[]> buffer_;
    std::size_t capacity_ = 0;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    Steady::time_point born_ = Steady::now();
    Steady::time_point idle_since_ = born_;
    Steady::time_point last_fill_ = born_;
    std::size_t last_bytes_ = 0;   // of the last fill
    bool reused_ = false;
    bool slow_peer_ = false;       // the last fill had to wait
};

}  // namespace dure::http::outgoing
