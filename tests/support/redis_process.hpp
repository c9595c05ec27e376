// A real redis-server of the test's own on a free port: started, killed, frozen, asked by plain sockets. It keeps nothing on
// disk and dies with the test program. With TLS it has a second port for that.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "support/free_port.hpp"
#include "support/tls_identity.hpp"

namespace dure::test {

class RedisProcess {
public:
    explicit RedisProcess(std::string password = {}, const TlsFiles* tls = nullptr)
        : password_(std::move(password)), tls_(tls)
    {
        for (int attempt = 0; attempt < 5 && pid_ == 0; ++attempt) {  // a free port may be taken meanwhile
            port_ = free_port();
            tls_port_ = tls_ == nullptr ? 0 : free_port();
            start();
        }
        if (pid_ == 0)
            throw std::runtime_error("redis-server did not start");
    }
    ~RedisProcess()
    {
        if (pid_ != 0)
            kill();
    }
    RedisProcess(const RedisProcess&) = delete;
    RedisProcess& operator=(const RedisProcess&) = delete;

    std::uint16_t port() const { return port_; }
    std::string url() const { return "redis://" + place("127.0.0.1", port_); }
    std::string tls_url(const std::string& host = "127.0.0.1") const { return "rediss://" + place(host, tls_port_); }

    // On the same port, empty.
    void start()
    {
        const auto port = std::to_string(port_);
        std::vector<const char*> arguments{
            "redis-server", "--port", port.c_str(), "--bind", "127.0.0.1",   "--save", "",
            "--appendonly", "no",     "--dir",      "/tmp",   "--databases", "4"};
        if (!password_.empty())
            arguments.insert(arguments.end(), {"--requirepass", password_.c_str()});
        std::vector<std::string> tls;
        if (tls_ != nullptr)
            tls = {"--tls-port",         std::to_string(tls_port_),
                   "--tls-cert-file",    tls_->certificate(),
                   "--tls-key-file",     tls_->private_key(),
                   "--tls-ca-cert-file", tls_->authority(),
                   "--tls-auth-clients", "no"};
        for (const auto& argument : tls)
            arguments.push_back(argument.c_str());
        arguments.push_back(nullptr);
        const pid_t pid = ::fork();
        if (pid == 0) {  // only async-signal-safe calls from here on
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            const int nothing = ::open("/dev/null", O_RDWR);
            ::dup2(nothing, 0);
            ::dup2(nothing, 1);
            ::dup2(nothing, 2);
            ::execvp(arguments[0], const_cast<char* const*>(arguments.data()));
            ::_exit(127);
        }
        pid_ = pid;
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        while (ask("PING") != "+PONG" && std::chrono::steady_clock::now() < end && !ended())
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        if (ask("PING") != "+PONG")
            kill();
    }
    void kill()
    {
        ::kill(pid_, SIGKILL);
        ::waitpid(std::exchange(pid_, 0), nullptr, 0);
    }
    void freeze() const { ::kill(pid_, SIGSTOP); }
    void thaw() const { ::kill(pid_, SIGCONT); }

    // One inline command on a connection of its own: the first line of the answer, or of the text it announces.
    std::string ask(std::string_view command) const
    {
        const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        std::string answer;
        auto address = loopback(port_);
        if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
            std::size_t lines = 1;
            if (!password_.empty()) {
                send_line(fd, "AUTH " + password_);
                read_lines(fd, answer, lines);
                answer.clear();
            }
            send_line(fd, command);
            read_lines(fd, answer, lines);
            if (answer.starts_with('$') && !answer.starts_with("$-")) {
                lines = 2;
                read_lines(fd, answer, lines);
                answer.erase(0, answer.find("\r\n") + 2);
            }
        }
        ::close(fd);
        return answer.substr(0, answer.find("\r\n"));
    }

private:
    std::string place(const std::string& host, std::uint16_t port) const
    {
        return (password_.empty() ? "" : ":" + password_ + "@") + host + ":" + std::to_string(port);
    }

    static sockaddr_in loopback(std::uint16_t port)
    {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return address;
    }

    static void send_line(int fd, std::string_view line)
    {
        const auto text = std::string(line) + "\r\n";
        if (::send(fd, text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size()))
            throw std::runtime_error("redis does not take a line");
    }

    // Until `lines` lines are there, the server closes, or two seconds pass.
    static void read_lines(int fd, std::string& text, std::size_t lines)
    {
        const auto complete = [&] {
            std::size_t found = 0;
            for (auto at = text.find("\r\n"); at != std::string::npos; at = text.find("\r\n", at + 2))
                ++found;
            return found >= lines;
        };
        char bytes[4096];
        while (!complete()) {
            pollfd ready{fd, POLLIN, 0};
            if (::poll(&ready, 1, 2000) <= 0)
                return;
            const auto size = ::recv(fd, bytes, sizeof bytes, 0);
            if (size <= 0)
                return;
            text.append(bytes, static_cast<std::size_t>(size));
        }
    }

    bool ended() const
    {
        siginfo_t info{};
        return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid_;
    }

    std::string password_;
    const TlsFiles* tls_;
    std::uint16_t port_ = 0;
    std::uint16_t tls_port_ = 0;
    pid_t pid_ = 0;
};

}  // namespace dure::test
