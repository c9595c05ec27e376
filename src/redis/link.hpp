// One TCP connection to Redis: connected and logged in, then bytes out and replies in. A link that closed stays closed;
// whoever owns it makes a new one. Used on one core.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
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

class Link : public std::enable_shared_from_this<Link> {
public:
    explicit Link(boost::asio::io_context& core);

    // TCP, AUTH, SELECT and a PING: a frozen server accepts connections but answers nothing.
    Task<Result<void>> open(const Address& address, Deadline until);

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
    Task<Result<void>> connect_and_greet(const Address& address);
    Task<Result<void>> greet(const Address& address);
    void send_waiting();

    boost::asio::ip::tcp::socket socket_;
    ReplyReader replies_;
    std::vector<char> input_;
    std::string waiting_;
    std::string leaving_;
    bool closed_ = false;
};

}  // namespace dure::redis
