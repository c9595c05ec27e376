// One connection to Redis, TCP or TLS: connected and logged in, then bytes out and replies in. A link that closed stays closed;
// whoever owns it makes a new one. Used on one core.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dure/base/clock.hpp"
#include "dure/base/error.hpp"
#include "dure/base/task.hpp"
#include "dure/redis/address.hpp"
#include "redis/protocol.hpp"

namespace dure::redis {

// Where to connect to; `tls` is there when the address asks for it.
struct Target {
    Address address;
    std::shared_ptr<boost::asio::ssl::context> tls;
};

class Link : public std::enable_shared_from_this<Link> {
public:
    Link(boost::asio::io_context& core, const Target& target);  // the target outlives it

    // TCP, TLS, AUTH, SELECT and a PING: a frozen server accepts connections but answers nothing.
    Task<Result<void>> open(Deadline until);

    // Queues bytes; they leave at once unless earlier ones are still leaving.
    void write(std::string_view bytes);
    std::size_t unsent() const { return waiting_.size() + leaving_.size(); }

    // A reply that is here already.
    std::optional<Reply> take() { return replies_.next(); }
    // Waits for more bytes; false when the link is closed, by whomever.
    Task<bool> fill();

    void close();
    bool closed() const { return closed_; }

private:
    Task<Result<void>> connect_and_greet();
    Task<Result<void>> secure();
    Task<Result<void>> greet();
    void send_waiting();

    const Target& target_;
    boost::asio::ip::tcp::socket socket_;
    std::optional<boost::asio::ssl::stream<boost::asio::ip::tcp::socket&>> tls_;  // over socket_, if at all
    ReplyReader replies_;
    std::vector<char> input_;
    std::string waiting_;
    std::string leaving_;
    bool closed_ = false;
};

}  // namespace dure::redis
