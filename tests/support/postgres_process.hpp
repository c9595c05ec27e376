// A real PostgreSQL server of the test's own on a free port: started, stopped, killed. It keeps its data in a folder of
// its own and dies with the test program. Needs Debian's postgresql-15; as root it runs under the account "postgres".
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/free_port.hpp"

namespace dure::test {

class PostgresProcess {
public:
    // `prepare` may put files into the data folder (give_away() them) and gives further settings, "name=value".
    using Prepare = std::function<std::vector<std::string>(const std::filesystem::path& data)>;
    explicit PostgresProcess(const Prepare& prepare = {})
    {
        auto pattern = (std::filesystem::temp_directory_path() / "dure-postgres-XXXXXX").string();
        if (!::mkdtemp(pattern.data()))
            throw std::runtime_error("mkdtemp");
        folder_ = pattern;
        std::filesystem::permissions(folder_, std::filesystem::perms(0711));
        const auto data = quoted("data");
        if (!shell("install -d -m 700 " + std::string(as_root() ? "-o postgres -g postgres " : "") + data) ||
            !shell("cd " + quoted("") + " && " + (as_root() ? "setpriv " + account + " " : "") + programs +
                   "initdb -D " + data + " -U app -A trust --no-sync -E UTF8 --locale=C.UTF-8"))
            throw std::runtime_error("initdb failed; is postgresql-15 installed? (scripts/setup test)");
        if (prepare)
            settings_ = prepare(folder_ / "data");
        for (int attempt = 0; attempt < 5 && pid_ == 0; ++attempt) {  // a free port may be taken meanwhile
            port_ = free_port();
            launch();
        }
        if (pid_ == 0)
            throw std::runtime_error("postgres did not start");
    }
    ~PostgresProcess()
    {
        if (pid_ != 0)
            stop(SIGQUIT);
        std::error_code ignored;  // a leftover in the temporary directory fails no test
        std::filesystem::remove_all(folder_, ignored);
    }
    PostgresProcess(const PostgresProcess&) = delete;
    PostgresProcess& operator=(const PostgresProcess&) = delete;

    std::uint16_t port() const { return port_; }
    std::string url() const { return url_at(port_); }
    static std::string url_at(std::uint16_t port)
    {
        return "postgresql://app@127.0.0.1:" + std::to_string(port) + "/postgres?sslmode=disable";
    }

    // On the same port, with the same data.
    void start()
    {
        launch();
        if (pid_ == 0)
            throw std::runtime_error("postgres did not start again");
    }
    // A file only the server's account may read.
    static void give_away(const std::filesystem::path& file)
    {
        std::filesystem::permissions(file, std::filesystem::perms(0600));
        if (as_root() && !shell("chown postgres:postgres '" + file.string() + "'"))
            throw std::runtime_error("chown");
    }
    // The server and its sessions stop where they are, and answer nobody.
    void freeze()
    {
        ::kill(pid_, SIGSTOP);   // first, so that nobody is added to the others
        std::ifstream list("/proc/" + std::to_string(pid_) + "/task/" + std::to_string(pid_) + "/children");
        for (pid_t child = 0; list >> child;)
            frozen_.push_back(child);
        for (const auto child : frozen_)
            ::kill(child, SIGSTOP);
    }
    void thaw()
    {
        for (const auto child : std::exchange(frozen_, {}))
            ::kill(child, SIGCONT);
        ::kill(pid_, SIGCONT);
    }
    // SIGINT ends the sessions and writes a checkpoint, SIGQUIT stops as a crash would.
    void stop(int signal = SIGINT)
    {
        thaw();
        ::kill(pid_, signal);
        ::waitpid(std::exchange(pid_, 0), nullptr, 0);
    }

private:
    inline static const std::string programs = "/usr/lib/postgresql/15/bin/";
    inline static const std::string account = "--reuid=postgres --regid=postgres --clear-groups";

    // Leaves pid_ at 0 when the server does not come up.
    void launch()
    {
        const auto port = std::to_string(port_);
        const auto data = (folder_ / "data").string();
        const auto postgres = programs + "postgres";
        std::vector<const char*> arguments{"setpriv"};
        if (as_root())
            arguments.insert(arguments.end(), {"--reuid=postgres", "--regid=postgres", "--clear-groups"});
        arguments.insert(arguments.end(), {"--pdeathsig", "QUIT", postgres.c_str(), "-D", data.c_str(), "-p",
                                           port.c_str(), "-k", data.c_str(), "-c", "listen_addresses=127.0.0.1", "-c",
                                           "max_connections=200", "-c", "fsync=off"});
        for (const auto& setting : settings_)
            arguments.insert(arguments.end(), {"-c", setting.c_str()});
        arguments.push_back(nullptr);
        const pid_t pid = ::fork();
        if (pid == 0) {  // only async-signal-safe calls from here on
            const int nothing = ::open("/dev/null", O_RDWR);
            ::dup2(nothing, 0);
            ::dup2(nothing, 1);
            ::dup2(nothing, 2);
            if (::chdir(data.c_str()) != 0)
                ::_exit(126);
            ::execvp(arguments[0], const_cast<char* const*>(arguments.data()));
            ::_exit(127);
        }
        pid_ = pid;
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (std::chrono::steady_clock::now() < end) {
            if (shell(programs + "pg_isready -q -h 127.0.0.1 -p " + port))
                return;
            if (::waitpid(pid, nullptr, WNOHANG) == pid)
                break;
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
        ::kill(pid, SIGKILL);
        pid_ = 0;
    }

    static bool as_root() { return ::geteuid() == 0; }
    std::string quoted(const std::string& name) const { return "'" + (folder_ / name).string() + "'"; }
    static bool shell(const std::string& command)
    {
        return std::system(("(" + command + ") </dev/null >/dev/null 2>&1").c_str()) == 0;
    }

    std::filesystem::path folder_;
    std::vector<std::string> settings_;
    std::uint16_t port_ = 0;
    pid_t pid_ = 0;
    std::vector<pid_t> frozen_;
};

// The server the tests of one run share: TEST_POSTGRES_URL (scripts/test starts it), or one of this program's own.
inline const std::string& shared_postgres_url()
{
    static const std::string url = [] {
        if (const char* given = std::getenv("TEST_POSTGRES_URL"))
            return std::string(given);
        static const PostgresProcess own;
        return own.url();
    }();
    return url;
}

}  // namespace dure::test
