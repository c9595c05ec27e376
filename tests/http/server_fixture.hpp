// A server with a scripted application, and a client that writes and reads raw bytes with a deadline.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <thread>

#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include "dure/base/clock.hpp"
#include "dure/http/server.hpp"
#include "support/eventually.hpp"

namespace dure::http::server_test {

using namespace std::chrono_literals;

using test::eventually;

// Answers with "METHOD target" and the body unless a test gives another handler.
class ScriptedApplication : public Application {
public:
    std::function<Task<void>(Exchange&)> handler;
    std::atomic<int> handled{0}, refused{0}, cancelled{0};
    std::atomic<int> last_status{0};

    Task<void> handle(Exchange& exchange) override
    {
        ++handled;
        if (!handler)
            co_return co_await echo(exchange);
        try {
            co_await handler(exchange);
        } catch (const boost::system::system_error& error) {
            if (error.code() == boost::asio::error::operation_aborted)
                ++cancelled;
            throw;
        }
    }

    Response render_error(const Refused& request, const Error& error) override
    {
        Response response;
        response.status = status_of(error.code());
        response.content_type = "text/plain";
        response.body = "error at [" + std::string(request.path) + "] for [" + std::string(request.origin) +
                        "]: " + error.message();
        return response;
    }

    void finished(const RequestHead* head, int status, std::chrono::nanoseconds) override
    {
        last_status = status;
        if (!head)
            ++refused;
    }

    static Task<void> echo(Exchange& exchange)
    {
        auto body = co_await exchange.read_body(1 << 20);
        Response response;
        response.content_type = "text/plain";
        if (!body) {
            response.status = status_of(body.error().code());
            response.body = body.error().message();
        } else {
            const auto& head = exchange.head();
            response.body = std::string(name_of(head.method)) + " " + std::string(head.target) + "\n" + std::string(*body);
        }
        co_await exchange.respond(std::move(response));
    }

    static int status_of(Errc code)
    {
        switch (code) {
        case Errc::invalid_argument: return 400;
        case Errc::request_timeout: return 408;
        case Errc::payload_too_large: return 413;
        case Errc::target_too_long: return 414;
        case Errc::expectation_failed: return 417;
        case Errc::head_too_large: return 431;
        case Errc::not_implemented: return 501;
        case Errc::unavailable: return 503;
        default: return 500;
        }
    }
};

class RunningServer {
public:
    ScriptedApplication application;

    explicit RunningServer(std::function<void(ServerOptions&)> adjust = {}, std::size_t cores = 1)
        : logger_(Logger::Options{LogLevel::error, true, "/dev/null"}), cores_(cores)
    {
        ServerOptions options;
        options.port = 0;
        if (adjust)
            adjust(options);
        server_ = std::make_unique<Server>(cores_, application, logger_, std::move(options));
        const auto listening = server_->listen();
        if (!listening)
            throw std::runtime_error(listening.error().message());
        cores_.start();
    }

    ~RunningServer()
    {
        server_.reset();
        cores_.stop();
        cores_.join();
    }

    Server& server() { return *server_; }
    std::uint16_t port() const { return server_->port(); }
    Cores& cores() { return cores_; }

private:
    Logger logger_;
    Cores cores_;
    std::unique_ptr<Server> server_;
};

class RawClient {
public:
    explicit RawClient(std::uint16_t port, int receive_buffer = 0)
    {
        socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (receive_buffer > 0)
            ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
        const int yes = 1;
        ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
            throw std::runtime_error("connect failed");
    }
    ~RawClient() { close(); }
    RawClient(const RawClient&) = delete;
    RawClient& operator=(const RawClient&) = delete;

    void send(std::string_view bytes)
    {
        while (!bytes.empty()) {
            const auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0)
                return;
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
    }
    void shutdown_send() { ::shutdown(socket_, SHUT_WR); }
    void close()
    {
        if (socket_ >= 0)
            ::close(socket_);
        socket_ = -1;
    }
    void reset()
    {
        const linger option{1, 0};
        ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &option, sizeof option);
        close();
    }

    // One recv; empty at the end of the stream or when nothing came in time (then timed_out()).
    std::string receive_once(std::chrono::milliseconds limit = 5s)
    {
        pollfd waiting{socket_, POLLIN, 0};
        timed_out_ = ::poll(&waiting, 1, static_cast<int>(limit.count())) == 0;
        if (timed_out_)
            return {};
        std::string bytes(65536, '\0');
        const auto got = ::recv(socket_, bytes.data(), bytes.size(), 0);
        bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
        return bytes;
    }
    bool timed_out() const { return timed_out_; }

    // Everything until the server closes; timed_out() when it does not.
    std::string receive_all(std::chrono::milliseconds limit = 5s)
    {
        std::string all = std::exchange(left_, {});
        const auto until = Steady::now() + limit;
        for (;;) {
            const auto now = Steady::now();
            const auto piece = receive_once(std::chrono::duration_cast<std::chrono::milliseconds>(std::max(until - now, Steady::duration(0))));
            if (piece.empty())
                return all;
            all += piece;
        }
    }

    std::string receive_until(std::string_view mark, std::chrono::milliseconds limit = 5s)
    {
        const auto until = Steady::now() + limit;
        while (left_.find(mark) == left_.npos && Steady::now() < until) {
            const auto piece = receive_once(std::chrono::duration_cast<std::chrono::milliseconds>(until - Steady::now()));
            if (piece.empty())
                break;
            left_ += piece;
        }
        const auto at = left_.find(mark);
        const auto size = at == left_.npos ? left_.size() : at + mark.size();
        auto got = left_.substr(0, size);
        left_.erase(0, size);
        return got;
    }

    // One answer with Content-Length (or without a body).
    std::string receive_answer(bool with_body = true)
    {
        auto head = receive_until("\r\n\r\n");
        const auto at = head.find("Content-Length: ");
        if (at == head.npos || !with_body)
            return head;
        const auto size = static_cast<std::size_t>(std::stoul(head.substr(at + 16)));
        while (left_.size() < size) {
            const auto piece = receive_once();
            if (piece.empty())
                break;
            left_ += piece;
        }
        head += left_.substr(0, size);
        left_.erase(0, size);
        return head;
    }

    // True when the server closes its side.
    bool closed_by_server(std::chrono::milliseconds limit = 5s)
    {
        receive_all(limit);
        return !timed_out_;
    }

private:
    int socket_ = -1;
    bool timed_out_ = false;
    std::string left_;
};

inline int status_in(std::string_view answer)
{
    return answer.size() < 12 || !answer.starts_with("HTTP/1.1 ") ? 0 : std::stoi(std::string(answer.substr(9, 3)));
}

inline std::string body_in(const std::string& answer)
{
    const auto at = answer.find("\r\n\r\n");
    return at == answer.npos ? "" : answer.substr(at + 4);
}

inline bool has(const std::string& text, std::string_view part)
{
    return text.find(part) != text.npos;
}

}  // namespace dure::http::server_test
