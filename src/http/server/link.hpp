// One client socket, plain or TLS, with its input buffer and its clock. Exactly one read is outstanding while anybody
// cares about the client (so that its leaving is noticed, also while a handler runs); what it brings is the
// next input. One lazily armed timer serves every limit. Used on the core of the connection only.
//
//   wait_input() until input() holds enough -> consume() ... write() ... linger() | close()
#pragma once

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "dure/base/clock.hpp"
#include "dure/base/task.hpp"
#include "http/server/receive.hpp"

namespace dure::http {

// Up to four pieces of memory that are written as one.
class Pieces {
public:
    void add(std::string_view bytes);
    bool empty() const { return first_ == count_; }
    void consume(std::size_t bytes);
    std::span<const boost::asio::const_buffer> buffers() const { return {pieces_.data() + first_, count_ - first_}; }

private:
    std::array<boost::asio::const_buffer, 4> pieces_;
    std::size_t first_ = 0;
    std::size_t count_ = 0;
};

class Link : public std::enable_shared_from_this<Link> {
public:
    using Socket = ClientSocket;
    using TlsStream = boost::asio::ssl::stream<Socket&>;
    enum class Event { data, ended, timeout };

    Link(Socket socket, boost::asio::ssl::context* tls, std::chrono::milliseconds write_stall,
         std::shared_ptr<SecondLooks> looks);

    Task<bool> handshake(std::chrono::milliseconds limit);   // true at once without TLS

    // Input. Views into it die with the next wait, unless it is pinned: then nothing moves and reading stops when full.
    std::string_view input() const { return {buffer_.get() + begin_, end_ - begin_}; }
    char* data() { return buffer_.get() + begin_; }
    void consume(std::size_t bytes);
    // Keeps the first `bytes` of the input; not while a read is outstanding.
    void truncate(std::size_t bytes) { end_ = begin_ + bytes; }
    bool reading() const { return reading_; }
    void pin(bool yes) { pinned_ = yes; }
    // Room for `bytes` more behind the input without moving it later; false while a read is outstanding.
    bool reserve(std::size_t bytes);
    // Gives the buffer away when it is large, else null; what is behind the first `raw` bytes stays as the input. So an idle connection never holds the memory of a large body.
    std::unique_ptr<char[]> detach_large(std::size_t raw);
    // Starts the read that watches the client, unless it is there already or the buffer is full. What came together with the last
    // bytes may be noticed a moment later (receive.hpp).
    void watch();
    void second_look() { receive_.second_look(); }
    // Waits for more input than there is now.
    Task<Event> wait_input(Steady::time_point until);
    bool ended() const { return ended_; }
    // Called on the core when the client's side has ended, once.
    void on_ended(std::function<void()> call) { on_ended_ = std::move(call); }

    // Sends everything; false when the client is gone or took nothing for write_stall. Only one at a time.
    Task<bool> write(Pieces pieces);
    // As much as goes at once, without waiting; false when the connection is broken.
    bool write_now(Pieces& pieces);
    // From here on the system holds at most `bytes` that the peer has not taken: a slow reader is felt early.
    void bound_output(std::size_t bytes);

    // Says that nothing more will come and waits until the client has closed too, so that it can read the answer.
    Task<void> linger(std::chrono::milliseconds limit);
    void close();
    void abort();  // without waiting for unsent bytes
    bool closed() const { return !socket_.is_open(); }
    // Destroys whoever waits, after the loops have ended: waiter and link would keep each other alive.
    void abandon();

    // For the WebSocket: a read by callback, from the same input.
    void read_into(boost::asio::mutable_buffer target,
                   std::function<void(boost::system::error_code, std::size_t)> done);
    void cancel_read_into();
    Socket& socket() { return socket_; }
    TlsStream* tls() { return tls_.get(); }

private:
    friend class Receive;  // room() and on_read()
    using Waiter = boost::asio::async_result<boost::asio::use_awaitable_t<>, void()>::handler_type;

    void start_read();
    boost::asio::mutable_buffer room() const { return {buffer_.get() + end_, capacity_ - end_}; }
    void on_read(boost::system::error_code error, std::size_t bytes);
    bool make_room(std::size_t least);
    void relocate(std::size_t capacity);
    void wake(Event event);
    void feed_reader();
    void arm(Steady::time_point at);
    void on_timer();

    Socket socket_;
    std::unique_ptr<TlsStream> tls_;
    Receive receive_;  // without TLS
    boost::asio::steady_timer timer_;
    std::chrono::milliseconds write_stall_;
    std::size_t output_bound_ = 0;  // 0: the system's own

    std::unique_ptr<char[]> buffer_;
    std::size_t capacity_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    bool pinned_ = false;
    bool reading_ = false;
    bool ended_ = false;

    std::optional<Waiter> waiter_;
    Event event_ = Event::data;
    std::function<void()> on_ended_;
    boost::asio::mutable_buffer reader_target_;
    std::function<void(boost::system::error_code, std::size_t)> reader_;

    Steady::time_point timer_at_ = Steady::time_point::max();  // max: not armed
    Steady::time_point wait_until_ = Steady::time_point::max();
    Steady::time_point write_until_ = Steady::time_point::max();
};

}  // namespace dure::http
