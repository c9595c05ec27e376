// ScriptedUpstream: a fake HTTP/1.1 server on 127.0.0.1 over real sockets, for tests of everything that calls upstreams.
// Each request is recorded and answered by a script, a list of steps: the next one of the queue (enqueue), else what
// the handler says (handle), else 500. A script that ends without close keeps the connection alive.
//
//   ScriptedUpstream upstream;
//   upstream.enqueue({send(http_answer(200, "application/json", R"({"ok":true})"))});
//   upstream.enqueue({send(sse_head()), send(sse_data("{}")), pause(50ms), reset()});
//   ... let the code under test call upstream.base() + "/v1/chat/completions" ...
//   EXPECT_EQ(upstream.requests().at(0).header("authorization"), "Bearer k");
//
// Answers in OpenAI's forms: support/openai_script.hpp. TLS: support/tls_upstream.hpp. Thread-safe; one thread per
// connection; the destructor ends every script, wherever it waits.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "support/script.hpp"

namespace dure::test {

struct RecordedRequest {
    std::string method;
    std::string target;
    Fields headers;
    std::string body;
    int connection = 0;   // 1, 2, … in order of acceptance
    int number = 0;       // 1, 2, … over all connections
    std::chrono::steady_clock::time_point at;

    // First of that name, any case; empty when absent.
    std::string header(std::string_view name) const
    {
        for (const auto& [key, value] : headers)
            if (key.size() == name.size() && strncasecmp(key.data(), name.data(), name.size()) == 0)
                return value;
        return {};
    }
};

struct PeerClose {
    int connection = 0;
    bool in_script = false;   // the answer was not finished yet
    std::chrono::steady_clock::time_point at;
};

// What bytes travel over; TLS puts its own in.
class Wire {
public:
    explicit Wire(int fd) : fd_(fd) {}
    virtual ~Wire() = default;
    virtual bool start() { return true; }
    virtual ssize_t read(char* into, std::size_t size) { return ::recv(fd_, into, size, 0); }
    virtual ssize_t write(const char* from, std::size_t size) { return ::send(fd_, from, size, MSG_NOSIGNAL); }
    virtual bool holds_bytes() { return false; }

protected:
    int fd_;
};

class ScriptedUpstream {
public:
    using Handler = std::function<Script(const RecordedRequest&)>;
    using MakeWire = std::function<std::unique_ptr<Wire>(int fd)>;
    using milliseconds = std::chrono::milliseconds;

    explicit ScriptedUpstream(MakeWire make_wire = [](int fd) { return std::make_unique<Wire>(fd); })
        : make_wire_(std::move(make_wire))
    {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (listener_ < 0 || ::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
            ::listen(listener_, 1024) != 0 || ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0 ||
            ::pipe2(stop_, O_CLOEXEC) != 0)
            throw std::runtime_error("scripted upstream cannot listen");
        port_ = ntohs(address.sin_port);
        accepter_ = std::thread([this] { accept_all(); });
    }

    ~ScriptedUpstream()
    {
        ::close(stop_[1]);   // every poll() below wakes up by the hang-up of the other end
        accepter_.join();
        note([&] {
            for (const int fd : sockets_)
                ::shutdown(fd, SHUT_RDWR);   // for those that wait in read() or write()
        });
        for (auto& thread : threads_)
            thread.join();
        ::close(stop_[0]);
        ::close(listener_);
    }
    ScriptedUpstream(const ScriptedUpstream&) = delete;
    ScriptedUpstream& operator=(const ScriptedUpstream&) = delete;

    std::uint16_t port() const { return port_; }
    std::string base() const { return "http://127.0.0.1:" + std::to_string(port_); }

    void enqueue(Script script)
    {
        const std::lock_guard lock(guard_);
        queue_.push_back(std::move(script));
    }
    void handle(Handler handler)
    {
        const std::lock_guard lock(guard_);
        handler_ = std::move(handler);
    }

    // For scripts that await_word(), from now on.
    void go_on()
    {
        note([&] { told_to_go_on_ = 1; });
    }

    std::vector<RecordedRequest> requests() const
    {
        const std::lock_guard lock(guard_);
        return requests_;
    }
    std::vector<PeerClose> peer_closes() const
    {
        const std::lock_guard lock(guard_);
        return closes_;
    }
    int request_count() const { return read_locked(number_); }
    int accepted() const { return read_locked(accepted_); }
    int open() const { return read_locked(open_); }

    // True as soon as it holds; woken by every request, connection, and close. `holds` may call the functions above.
    bool wait_until(const std::function<bool()>& holds, milliseconds longest = milliseconds(5000)) const
    {
        const auto end = std::chrono::steady_clock::now() + longest;
        for (;;) {
            const int seen = read_locked(changes_);
            if (holds())
                return true;
            std::unique_lock lock(guard_);
            if (!changed_.wait_until(lock, end, [&] { return changes_ != seen; }))
                return false;
        }
    }

private:
    enum class Wake { readable, time_over, stopping };

    int read_locked(const int& value) const
    {
        const std::lock_guard lock(guard_);
        return value;
    }

    void note(const std::function<void()>& change)
    {
        const std::lock_guard lock(guard_);
        change();
        ++changes_;
        changed_.notify_all();
    }

    Wake wait(int fd, milliseconds longest) const
    {
        pollfd fds[2] = {{fd, POLLIN | POLLRDHUP, 0}, {stop_[0], POLLIN, 0}};
        const int count = ::poll(fds, 2, static_cast<int>(longest.count()));
        if (fds[1].revents != 0)
            return Wake::stopping;
        return count > 0 ? Wake::readable : Wake::time_over;
    }

    void accept_all()
    {
        while (wait(listener_, milliseconds(-1)) == Wake::readable) {
            const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
            if (fd < 0)
                continue;
            const int on = 1;
            ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            int connection = 0;
            note([&] {
                connection = ++accepted_;
                ++open_;
                sockets_.push_back(fd);
            });
            threads_.emplace_back([this, fd, connection] { serve(fd, connection); });
        }
    }

    void serve(int fd, int connection)
    {
        const auto wire = make_wire_(fd);
        std::string buffer;
        if (wire->start()) {
            RecordedRequest request;
            request.connection = connection;
            while (read_request(*wire, fd, buffer, request) && play(*wire, fd, script_for(request), connection)) {
            }
        }
        note([&] {
            sockets_.remove(fd);
            ::close(fd);
            --open_;
        });
    }

    // False: no further request comes.
    bool read_request(Wire& wire, int fd, std::string& buffer, RecordedRequest& request)
    {
        std::size_t end = 0;
        while ((end = buffer.find("\r\n\r\n")) == std::string::npos)
            if (!fill(wire, fd, buffer, request.connection))
                return false;
        parse_head(std::string_view(buffer).substr(0, end), request);
        const auto length = std::strtoul(request.header("content-length").c_str(), nullptr, 10);
        while (buffer.size() < end + 4 + length)
            if (!fill(wire, fd, buffer, request.connection))
                return false;
        request.body = buffer.substr(end + 4, length);
        buffer.erase(0, end + 4 + length);
        return true;
    }

    bool fill(Wire& wire, int fd, std::string& buffer, int connection)
    {
        if (!wire.holds_bytes() && wait(fd, milliseconds(-1)) != Wake::readable)
            return false;
        char bytes[65536];
        const ssize_t got = wire.read(bytes, sizeof bytes);
        if (got <= 0) {
            note([&] { closes_.push_back({connection, false, std::chrono::steady_clock::now()}); });
            return false;
        }
        buffer.append(bytes, static_cast<std::size_t>(got));
        return true;
    }

    static void parse_head(std::string_view head, RecordedRequest& request)
    {
        const auto line_end = std::min(head.find("\r\n"), head.size());
        const std::string_view line = head.substr(0, line_end);
        const auto first = line.find(' ');
        const auto second = line.rfind(' ');
        request.method = line.substr(0, first);
        request.target = first < second ? line.substr(first + 1, second - first - 1) : std::string_view();
        request.headers.clear();
        for (auto at = line_end; at < head.size();) {
            at += 2;
            const auto end = std::min(head.find("\r\n", at), head.size());
            const std::string_view field = head.substr(at, end - at);
            const auto colon = std::min(field.find(':'), field.size());
            const auto value = field.substr(std::min(colon + 1, field.size()));
            const auto start = std::min(value.find_first_not_of(' '), value.size());
            request.headers.emplace_back(field.substr(0, colon), value.substr(start));
            at = end;
        }
    }

    Script script_for(RecordedRequest& request)
    {
        Handler handler;
        Script script;
        note([&] {
            request.number = ++number_;
            request.at = std::chrono::steady_clock::now();
            requests_.push_back(request);
            if (!queue_.empty()) {
                script = std::move(queue_.front());
                queue_.pop_front();
            } else {
                handler = handler_;
            }
        });
        if (handler)
            return handler(request);
        return script.empty() ? Script{send(http_answer(500, "text/plain", "no script"))} : script;
    }

    // False: the connection is over.
    bool play(Wire& wire, int fd, const Script& script, int connection)
    {
        for (const Step& step : script)
            if (!play(wire, fd, step, connection))
                return false;
        return true;
    }

    bool play(Wire& wire, int fd, const Step& step, int connection)
    {
        switch (step.kind) {
        case Step::Kind::send:
            return send_bytes(wire, step.bytes, step.bytes.size(), connection);
        case Step::Kind::send_split:
            return send_bytes(wire, step.bytes, 1, connection);
        case Step::Kind::pause:
            return !peer_closes_within(fd, step.time, connection);
        case Step::Kind::await_word:
            while (!read_locked(told_to_go_on_))
                if (peer_closes_within(fd, milliseconds(2), connection))
                    return false;
            return true;
        case Step::Kind::await_peer_close:
            peer_closes_within(fd, step.time, connection);
            return false;
        case Step::Kind::hang: {
            pollfd stop{stop_[0], POLLIN, 0};
            ::poll(&stop, 1, -1);
            return false;
        }
        case Step::Kind::reset: {
            const linger at_once{1, 0};
            ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
            return false;
        }
        case Step::Kind::close:
            break;
        }
        return false;
    }

    bool send_bytes(Wire& wire, std::string_view bytes, std::size_t piece, int connection)
    {
        while (!bytes.empty()) {
            const ssize_t sent = wire.write(bytes.data(), std::min(piece, bytes.size()));
            if (sent <= 0) {
                note([&] { closes_.push_back({connection, true, std::chrono::steady_clock::now()}); });
                return false;
            }
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }

    // True also when the upstream stops.
    bool peer_closes_within(int fd, milliseconds longest, int connection)
    {
        pollfd fds[2] = {{fd, POLLRDHUP, 0}, {stop_[0], POLLIN, 0}};
        if (::poll(fds, 2, static_cast<int>(longest.count())) == 0)
            return false;
        if (fds[0].revents != 0)
            note([&] { closes_.push_back({connection, true, std::chrono::steady_clock::now()}); });
        return true;
    }

    MakeWire make_wire_;
    int listener_ = -1;
    int stop_[2] = {-1, -1};
    std::uint16_t port_ = 0;

    mutable std::mutex guard_;
    mutable std::condition_variable changed_;
    int changes_ = 0;
    std::deque<Script> queue_;
    Handler handler_;
    std::vector<RecordedRequest> requests_;
    std::vector<PeerClose> closes_;
    int number_ = 0;
    int told_to_go_on_ = 0;
    int accepted_ = 0;
    int open_ = 0;
    std::list<int> sockets_;

    std::list<std::thread> threads_;   // touched by the accepter, then by the destructor
    std::thread accepter_;
};

}  // namespace dure::test
