// A scripted SMTP server for tests: one thread, one connection at a time, canned answers by the first word of a command;
// remembers what it was told. With an identity it offers STARTTLS and speaks it.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "dure/base/text.hpp"

namespace dure::mail {

class ScriptedSmtp {
public:
    // `tls` null: plain only. Answers are set before the first connection.
    explicit ScriptedSmtp(SSL_CTX* tls = nullptr) : tls_(tls)
    {
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
            ::listen(listener_, 16) != 0 || ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
            throw std::runtime_error("cannot listen");
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this] { serve(); });
    }
    ~ScriptedSmtp()
    {
        stopping_ = true;
        thread_.join();
        ::close(listener_);
    }
    ScriptedSmtp(const ScriptedSmtp&) = delete;
    ScriptedSmtp& operator=(const ScriptedSmtp&) = delete;

    std::uint16_t port() const { return port_; }

    // `answer` with its CRLF. "greeting" and "." (the end of DATA) are words too; an empty answer: silence.
    void answer(const std::string& word, const std::string& answer)
    {
        const std::lock_guard lock(guard_);
        answers_[word] = answer;
    }
    // Commands as they came, without CRLF, of all connections; the mail's lines are in mail().
    std::vector<std::string> commands() const
    {
        const std::lock_guard lock(guard_);
        return commands_;
    }
    std::string mail() const
    {
        const std::lock_guard lock(guard_);
        return mail_;
    }
    int connections() const { return connections_; }

private:
    // One connection's bytes, plain or TLS.
    struct Wire {
        int fd = -1;
        SSL* ssl = nullptr;
        std::string buffer;

        ~Wire()
        {
            SSL_free(ssl);
            ::close(fd);
        }
        bool fill(const std::atomic<bool>& stopping)
        {
            char bytes[4096];
            pollfd wait{fd, POLLIN, 0};
            while ((!ssl || SSL_pending(ssl) == 0) && ::poll(&wait, 1, 20) == 0)
                if (stopping)
                    return false;
            const auto got = ssl ? SSL_read(ssl, bytes, sizeof bytes) : ::recv(fd, bytes, sizeof bytes, 0);
            if (got <= 0)
                return false;
            buffer.append(bytes, static_cast<std::size_t>(got));
            return true;
        }
        void send(const std::string& text) const
        {
            if (ssl)
                SSL_write(ssl, text.data(), static_cast<int>(text.size()));
            else
                (void)!::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
        }
    };

    void serve()
    {
        while (!stopping_) {
            pollfd wait{listener_, POLLIN, 0};
            if (::poll(&wait, 1, 20) != 1)
                continue;
            Wire wire;
            wire.fd = ::accept(listener_, nullptr, nullptr);
            if (wire.fd < 0)
                continue;
            ++connections_;
            wire.send(answer_to("greeting", wire));
            converse(wire);
        }
    }

    void converse(Wire& wire)
    {
        std::string line;
        while (read_line(wire, line)) {
            const auto word = ascii_lower(line.substr(0, line.find(' ')));
            {
                const std::lock_guard lock(guard_);
                commands_.push_back(line);
            }
            wire.send(answer_to(word, wire));
            if (word == "quit")
                return;
            if (word == "starttls" && !start_tls(wire))
                return;
            if (word == "data" && answer_to("data", wire).starts_with("354") && !read_mail(wire))
                return;
        }
    }

    bool start_tls(Wire& wire)
    {
        wire.ssl = SSL_new(tls_);
        SSL_set_fd(wire.ssl, wire.fd);
        return SSL_accept(wire.ssl) == 1;
    }

    bool read_line(Wire& wire, std::string& line)
    {
        while (wire.buffer.find("\r\n") == std::string::npos)
            if (!wire.fill(stopping_))
                return false;
        line = wire.buffer.substr(0, wire.buffer.find("\r\n"));
        wire.buffer.erase(0, line.size() + 2);
        return true;
    }

    bool read_mail(Wire& wire)
    {
        std::string line, text;
        while (read_line(wire, line) && line != ".")
            text += line + "\n";
        {
            const std::lock_guard lock(guard_);
            mail_ = text;
        }
        wire.send(answer_to(".", wire));
        return line == ".";
    }

    std::string answer_to(const std::string& word, const Wire& wire) const
    {
        const std::lock_guard lock(guard_);
        if (const auto found = answers_.find(word); found != answers_.end())
            return found->second;
        if (word == "greeting")
            return "220 mail.example ready\r\n";
        if (word == "ehlo")
            return tls_ && !wire.ssl ? "250-mail.example\r\n250-PIPELINING\r\n250 STARTTLS\r\n"
                                     : "250-mail.example\r\n250 AUTH PLAIN\r\n";
        if (word == "data")
            return "354 go on\r\n";
        if (word == "auth")
            return "235 welcome\r\n";
        return word == "starttls" ? "220 go ahead\r\n" : "250 fine\r\n";
    }

    SSL_CTX* tls_;
    int listener_ = -1;
    std::uint16_t port_ = 0;
    std::atomic<bool> stopping_{false};
    std::atomic<int> connections_{0};
    mutable std::mutex guard_;
    std::map<std::string, std::string> answers_;
    std::vector<std::string> commands_;
    std::string mail_;
    std::thread thread_;
};

}  // namespace dure::mail
