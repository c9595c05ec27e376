// A TCP port of the loopback nobody listens on, below the range clients get theirs from: while a server of a test is down,
// no connection of anybody may be given its port (a client that asks for it on the loopback would even connect to itself).
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <random>
#include <stdexcept>

namespace dure::test {

inline std::uint16_t free_port()
{
    constexpr int first = 10'000, last = 31'999;   // Linux gives clients 32768 and above
    std::random_device random;
    for (int attempt = 0; attempt < 200; ++attempt) {
        const auto port = static_cast<std::uint16_t>(std::uniform_int_distribution<int>(first, last)(random));
        const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const bool bound = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
        ::close(fd);
        if (bound)
            return port;
    }
    throw std::runtime_error("no free port");
}

}  // namespace dure::test
