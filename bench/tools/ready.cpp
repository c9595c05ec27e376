// ready: how long a server takes from exec to its first 200 on /healthz, and what it weighs a second later.
//   ready PORT COMMAND [ARGUMENT ...]      prints "ready_ms rss_mb"; the server is ended with SIGTERM
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>

using Clock = std::chrono::steady_clock;

static bool answers(int port) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bool ok = false;
    if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
        constexpr std::string_view request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        char head[16];
        ok = send(fd, request.data(), request.size(), MSG_NOSIGNAL) == ssize_t(request.size()) &&
             recv(fd, head, 12, MSG_WAITALL) == 12 && std::string_view(head, 12) == "HTTP/1.1 200";
    }
    close(fd);
    return ok;
}

static double rss_mb(pid_t pid) {
    std::ifstream status("/proc/" + std::to_string(pid) + "/status");
    for (std::string line; std::getline(status, line);)
        if (line.rfind("VmRSS:", 0) == 0) return atol(line.c_str() + 6) / 1024.0;
    return 0;
}

int main(int argc, char** argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: ready PORT COMMAND [ARGUMENT ...]\n");
        return 2;
    }
    const int port = atoi(argv[1]);
    const auto begin = Clock::now();
    const pid_t pid = fork();
    if (pid == 0) {
        execv(argv[2], argv + 2);
        perror("exec");
        _exit(127);
    }
    bool ready = false;
    while (!ready && Clock::now() - begin < std::chrono::seconds(20) && waitpid(pid, nullptr, WNOHANG) == 0) {
        ready = answers(port);
        if (!ready) std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    const std::chrono::duration<double, std::milli> took = Clock::now() - begin;
    if (ready) {
        std::this_thread::sleep_for(std::chrono::seconds(1));
        printf("%.1f %.1f\n", took.count(), rss_mb(pid));
    }
    kill(pid, SIGTERM);
    int status = 0;
    waitpid(pid, &status, 0);
    return ready && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : 1;
}
