// A blocking HTTP/1.1 client over a plain socket for tests: sends the bytes it is given, shows the answer as it stood on the
// wire, chunk by chunk. Every wait ends after a few seconds.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dure/base/json.hpp"

namespace dure::test {

struct RawAnswer {
    int status = 0;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
    std::vector<std::string> chunks;  // of a chunked body, without the last, empty one

    // First of that name, any case; empty when absent.
    std::string header(std::string_view name) const
    {
        for (const auto& [key, value] : headers)
            if (key.size() == name.size() && strncasecmp(key.data(), name.data(), name.size()) == 0)
                return value;
        return {};
    }
    Json json() const { return Json::parse(body); }
};

using RawFields = std::vector<std::pair<std::string, std::string>>;

// One request's bytes. `key` empty: no Authorization.
inline std::string raw_request(std::string_view method, std::string_view target, std::string_view key = {},
                               std::string_view body = {}, const RawFields& fields = {})
{
    std::string text = std::string(method) + " " + std::string(target) + " HTTP/1.1\r\nHost: localhost\r\n";
    if (!key.empty())
        text += "Authorization: Bearer " + std::string(key) + "\r\n";
    bool typed = false;
    for (const auto& [name, value] : fields) {
        text += name + ": " + value + "\r\n";
        typed = typed || strcasecmp(name.c_str(), "content-type") == 0;
    }
    if (!body.empty() && !typed)
        text += "Content-Type: application/json\r\n";
    if (!body.empty() || method == "POST")
        text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    return text + "\r\n" + std::string(body);
}

class RawClient {
public:
    explicit RawClient(std::uint16_t port, std::chrono::milliseconds patience = std::chrono::seconds(20))
        : patience_(patience)
    {
        fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const int on = 1;
        ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
            throw std::runtime_error("cannot connect");
    }
    ~RawClient() { leave(); }
    RawClient(const RawClient&) = delete;
    RawClient& operator=(const RawClient&) = delete;

    void send(std::string_view bytes)
    {
        while (!bytes.empty()) {
            const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0)
                throw std::runtime_error("cannot send");
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
    }

    void end_sending() { ::shutdown(fd_, SHUT_WR); }

    // The next whole answer; 1xx ones are passed over.
    RawAnswer read_answer(bool head_only = false)
    {
        RawAnswer answer;
        do
            answer = read_head();
        while (answer.status / 100 == 1);
        if (head_only || answer.status == 204 || answer.status == 304)
            return answer;
        if (answer.header("transfer-encoding") == "chunked")
            read_chunks(answer);
        else if (const auto length = answer.header("content-length"); !length.empty())
            answer.body = take(std::strtoul(length.c_str(), nullptr, 10));
        else
            while (fill())
                answer.body = buffer_;
        return answer;
    }

    // Reads until `text` has come; what has come so far.
    std::string read_until(std::string_view text)
    {
        while (buffer_.find(text) == std::string::npos)
            if (!fill())
                throw std::runtime_error("closed before \"" + std::string(text) + "\": " + buffer_);
        return buffer_;
    }

    // What comes within `time`, or until the server closes.
    std::string read_for(std::chrono::milliseconds time)
    {
        const auto end = std::chrono::steady_clock::now() + time;
        for (;;) {
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
            pollfd wait{fd_, POLLIN, 0};
            if (left.count() <= 0 || ::poll(&wait, 1, static_cast<int>(left.count())) != 1 || !fill())
                return std::exchange(buffer_, {});
        }
    }

    // True when the server closes and sends nothing more.
    bool closed() { return buffer_.empty() && !fill(); }
    // True when nothing comes within `time` and the connection stays open.
    bool silent(std::chrono::milliseconds time)
    {
        pollfd wait{fd_, POLLIN, 0};
        return buffer_.empty() && ::poll(&wait, 1, static_cast<int>(time.count())) == 0;
    }
    void leave()
    {
        if (fd_ >= 0)
            ::close(std::exchange(fd_, -1));
    }

private:
    bool fill()
    {
        pollfd wait{fd_, POLLIN, 0};
        if (::poll(&wait, 1, static_cast<int>(patience_.count())) != 1)
            throw std::runtime_error("the server is silent; so far: " + buffer_);
        char bytes[65536];
        const auto got = ::recv(fd_, bytes, sizeof bytes, 0);
        if (got <= 0)
            return false;
        buffer_.append(bytes, static_cast<std::size_t>(got));
        return true;
    }

    std::string take(std::size_t size)
    {
        while (buffer_.size() < size)
            if (!fill())
                throw std::runtime_error("the answer was cut: " + buffer_);
        auto taken = buffer_.substr(0, size);
        buffer_.erase(0, size);
        return taken;
    }
    std::string take_line()
    {
        std::size_t end = 0;
        while ((end = buffer_.find("\r\n")) == std::string::npos)
            if (!fill())
                throw std::runtime_error("the answer was cut: " + buffer_);
        auto line = take(end + 2);
        line.resize(end);
        return line;
    }

    RawAnswer read_head()
    {
        RawAnswer answer;
        const auto status = take_line();
        if (!status.starts_with("HTTP/1.1 "))
            throw std::runtime_error("not an HTTP answer: " + status);
        answer.status = std::atoi(status.c_str() + 9);
        for (auto line = take_line(); !line.empty(); line = take_line()) {
            const auto colon = line.find(':');
            const auto value = line.find_first_not_of(' ', colon + 1);
            answer.headers.emplace_back(line.substr(0, colon), value == std::string::npos ? "" : line.substr(value));
        }
        return answer;
    }

    void read_chunks(RawAnswer& answer)
    {
        for (;;) {
            const auto size = std::strtoul(take_line().c_str(), nullptr, 16);
            auto data = take(size);
            if (take_line() != "")
                throw std::runtime_error("a chunk is longer than it says");
            if (size == 0)
                return;
            answer.body += data;
            answer.chunks.push_back(std::move(data));
        }
    }

    std::chrono::milliseconds patience_;
    int fd_ = -1;
    std::string buffer_;
};

// One request on a connection of its own.
inline RawAnswer fetch(std::uint16_t port, std::string_view request)
{
    RawClient client(port);
    client.send(request);
    return client.read_answer(request.starts_with("HEAD "));
}

}  // namespace dure::test
