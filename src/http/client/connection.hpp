// One socket to an upstream, plain or TLS, with one timer and one read buffer. Every wait has a deadline; a wait that is
// cancelled throws operation_aborted, and the owner drops the connection then (dropping it closes the socket at once).
#pragma once

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <memory>
#include <utility>

#include "dure/base/clock.hpp"
#include "dure/base/task.hpp"
#include "http/client/tls.hpp"
#include "http/client/watch.hpp"

namespace dure::http::outgoing {

constexpr auto as_result = boost::asio::as_tuple(boost::asio::deferred);   // awaited directly: no frame for the operation

using RequestBytes = std::array<boost::asio::const_buffer, 3>;   // a form's lines, the end of the head, body

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
    // fill() of a plain socket in steps, for those who read once a token: no frame for it, and no buffer while it waits.
    //   if (has_had_its_turn()) co_await boost::asio::post(boost::asio::deferred);
    //   while (!receive_now(got)) {
    //       co_await readable(until);
    //       if (!may_receive(co_await boost::asio::this_coro::cancellation_state, got)) break;
    //   }
    bool plain() const { return !tls_; }
    // False when nothing is there.
    bool receive_now(IoResult& got);
    // Time to let others of the core go on: a peer that always has something to read must not keep it.
    bool has_had_its_turn();
    auto readable(Deadline until)
    {
        begin_wait(until);
        return boost::asio::async_initiate<const boost::asio::deferred_t, void()>(
            [](Watch::Waiter&& waiter, Watch* watch) { watch->resume_when_readable(std::move(waiter)); },
            boost::asio::deferred, watch_.get());
    }
    bool may_receive(const boost::asio::cancellation_state& state, IoResult& got);
    // Of a body that comes in pieces. Else the system answers nearly every piece with a packet of its own, a tenth of what a
    // relayed token costs; it returns to that by itself when pieces come more than 40 ms apart. (A peer that sends nothing while it
    // waits for one is held up by that once.)
    void delay_acknowledgements();

    // Unread bytes, at the front of the free room; consume() gives them up.
    std::size_t unread() const { return end_ - begin_; }
    char* unread_begin() { return buffer_.get() + begin_; }
    void consume(std::size_t bytes) { begin_ += bytes; }

    // The peer has neither closed nor said anything while nobody asked.
    bool quiet();
    // Idle connections hold no buffer.
    void rest(Steady::time_point now);
    // How TLS refused the peer, for the log.
    std::string verify_problem() const;

    // Unspecified when there is none any more.
    boost::asio::ip::address peer() const;

    Steady::time_point born() const { return born_; }
    Steady::time_point idle_since() const { return idle_since_; }
    bool reused() const { return reused_; }

private:
    IoResult end_fill(const boost::asio::cancellation_state& state, boost::system::error_code error, std::size_t bytes);
    IoResult finished(const boost::asio::cancellation_state& state, boost::system::error_code error, std::size_t bytes);
    void begin_fill(Deadline until);
    void begin_wait(Deadline until);
    void make_room();
    void drop_buffer();
    boost::asio::mutable_buffer room() { return boost::asio::buffer(buffer_.get() + end_, capacity_ - end_); }

    Socket socket_;
    // What a relayed token needs stands together.
    std::shared_ptr<Watch> watch_;
    std::unique_ptr<boost::asio::ssl::stream<Socket&>> tls_;
    std::unique_ptr<char[]> buffer_;
    std::size_t capacity_ = 0;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    int received_in_turn_ = 0;
    bool drained_ = true;          // plain: what comes next will be told by the system
    bool reused_ = false;
    bool slow_peer_ = false;       // TLS: the last fill had to wait
    std::shared_ptr<boost::asio::ssl::context> context_;
    std::shared_ptr<TlsSession> session_;
    Steady::time_point born_ = Steady::now();
    Steady::time_point idle_since_ = born_;
    Steady::time_point last_fill_ = born_;
    std::size_t last_bytes_ = 0;   // of the last fill
};

}  // namespace dure::http::outgoing
