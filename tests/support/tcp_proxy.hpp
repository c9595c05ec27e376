// A proxy on a free port that hands bytes on between clients and a server, and can lose a message on its way: what
// happens to the first client message that holds a given text is the test's choice.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace dure::test {

class TcpProxy {
public:
    enum class Loss {
        answer,  // the server gets the message and answers; the answer is lost with the connection
        message,  // the connection is lost for both sides before the server got it
        unnoticed,  // the client loses the connection; the server gets nothing and notices nothing
    };

    explicit TcpProxy(std::uint16_t server_port) : server_port_(server_port)
    {
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        auto address = loopback(0);
        socklen_t size = sizeof address;
        if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 16) != 0 ||
            ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
            throw std::runtime_error("cannot listen");
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this] { work(); });
    }
    ~TcpProxy()
    {
        stopping_ = true;
        thread_.join();
        for (auto& pair : pairs_)
            close(pair);
        ::close(listener_);
    }
    TcpProxy(const TcpProxy&) = delete;
    TcpProxy& operator=(const TcpProxy&) = delete;

    std::uint16_t port() const { return port_; }
    // Once, for the next client message that holds `text`.
    void lose(std::string text, Loss loss)
    {
        const std::lock_guard lock(guard_);
        wanted_ = std::move(text);
        loss_ = loss;
    }
    bool lost() const
    {
        const std::lock_guard lock(guard_);
        return wanted_.empty();
    }

private:
    struct Pair {
        int client = -1;
        int server = -1;
        bool swallow_answer = false;
    };

    static sockaddr_in loopback(std::uint16_t port)
    {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return address;
    }

    void work()
    {
        while (!stopping_) {
            std::vector<pollfd> waits{{listener_, POLLIN, 0}};
            for (const auto& pair : pairs_) {
                waits.push_back({pair.client, POLLIN, 0});
                waits.push_back({pair.server, POLLIN, 0});
            }
            ::poll(waits.data(), waits.size(), 20);
            for (std::size_t i = 1; i < waits.size(); i += 2) {
                auto& pair = pairs_[(i - 1) / 2];
                if (waits[i].revents != 0)
                    from_client(pair);
                if (waits[i + 1].revents != 0 && pair.server >= 0)
                    from_server(pair);
            }
            if (waits[0].revents != 0)
                accept_client();
        }
    }

    void accept_client()
    {
        Pair pair;
        pair.client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        pair.server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        auto address = loopback(server_port_);
        if (::connect(pair.server, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
            close(pair);
        pairs_.push_back(pair);
    }

    void from_client(Pair& pair)
    {
        const auto bytes = read_from(pair.client);
        if (bytes.empty())
            return close(pair);
        {
            const std::lock_guard lock(guard_);
            if (!wanted_.empty() && bytes.find(wanted_) != std::string::npos) {
                wanted_.clear();
                if (loss_ == Loss::message)
                    return close(pair);
                if (loss_ == Loss::unnoticed) {
                    ::close(pair.client);
                    pair.client = -1;
                    return;
                }
                pair.swallow_answer = true;
            }
        }
        write_to(pair.server, bytes);
    }

    void from_server(Pair& pair)
    {
        const auto bytes = read_from(pair.server);
        if (bytes.empty() || pair.swallow_answer)
            return close(pair);
        if (pair.client >= 0)
            write_to(pair.client, bytes);
    }

    static std::string read_from(int socket)
    {
        std::array<char, 65536> bytes{};
        const auto size = ::recv(socket, bytes.data(), bytes.size(), 0);
        return size > 0 ? std::string(bytes.data(), static_cast<std::size_t>(size)) : std::string();
    }
    static void write_to(int socket, std::string_view bytes)
    {
        while (!bytes.empty()) {
            const auto size = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (size <= 0)
                return;
            bytes.remove_prefix(static_cast<std::size_t>(size));
        }
    }
    static void close(Pair& pair)
    {
        for (int* socket : {&pair.client, &pair.server})
            if (*socket >= 0)
                ::close(std::exchange(*socket, -1));  // poll ignores -1
    }

    const std::uint16_t server_port_;
    int listener_ = -1;
    std::uint16_t port_ = 0;
    mutable std::mutex guard_;
    std::string wanted_;
    Loss loss_ = Loss::answer;
    std::vector<Pair> pairs_;
    std::atomic<bool> stopping_ = false;
    std::thread thread_;
};

}  // namespace dure::test
