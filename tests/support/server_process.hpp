// Starts the real binary: its own folder, a free port, output in files, the key it prints once. For tests over the wire.
//
//   ServerProcess server({.configuration = "[log]\nlevel = \"warn\"\n"});
//   RawClient client(server.port());                      // support/raw_http.hpp
//   client.send(get("/v1/models", server.key()));
//   EXPECT_EQ(server.terminate(), 0);
//
// The binary is DURE_BINARY of the environment, else the one of this build. The destructor kills what still runs.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "support/eventually.hpp"
#include "support/temporary_folder.hpp"

extern char** environ;

namespace dure::test {

inline std::string binary()
{
    const char* named = std::getenv("DURE_BINARY");
    return std::filesystem::absolute(named != nullptr ? named : DURE_BINARY).string();
}

inline std::string read_file(const std::filesystem::path& path)
{
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

using Environment = std::vector<std::pair<std::string, std::string>>;

// The surroundings of the test without what would configure the server by accident, plus `extra`.
inline std::vector<std::string> child_environment(const Environment& extra)
{
    std::vector<std::string> all;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view text(*entry);
        const auto name = text.substr(0, text.find('='));
        if (name.starts_with("DURE_") || name.ends_with("_API_KEY") || name.starts_with("DB_") ||
            name == "DATABASE_URL" || name == "REDIS_URL" || name == "SECRET_KEY" || name.starts_with("BACKEND_") ||
            name.starts_with("ADMIN_"))
            continue;
        if (std::any_of(extra.begin(), extra.end(), [&](const auto& one) { return one.first == name; }))
            continue;
        all.emplace_back(text);
    }
    for (const auto& [name, value] : extra)
        all.push_back(name + "=" + value);
    return all;
}

// Starts the binary in `folder`; what it prints goes to out.txt and err.txt in `output`. The pid.
inline pid_t spawn(const std::filesystem::path& folder, const std::filesystem::path& output,
                   std::vector<std::string> arguments, const Environment& extra)
{
    arguments.insert(arguments.begin(), binary());
    auto environment = child_environment(extra);
    std::vector<char*> argv;
    std::vector<char*> envp;
    for (auto& argument : arguments)
        argv.push_back(argument.data());
    for (auto& entry : environment)
        envp.push_back(entry.data());
    argv.push_back(nullptr);
    envp.push_back(nullptr);
    const auto out = (output / "out.txt").string();
    const auto err = (output / "err.txt").string();
    const auto where = folder.string();
    std::filesystem::remove(out);   // what an earlier run printed is not this one's
    std::filesystem::remove(err);
    const pid_t pid = ::fork();
    if (pid != 0)
        return pid;
    // Only async-signal-safe calls from here on.
    ::signal(SIGINT, SIG_DFL);  // in the background of a script it would be ignored,
    ::signal(SIGHUP, SIG_DFL);  // and this one under nohup
    const int mode = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC;
    if (::dup2(::open("/dev/null", O_RDONLY | O_CLOEXEC), 0) < 0 || ::dup2(::open(out.c_str(), mode, 0600), 1) < 0 ||
        ::dup2(::open(err.c_str(), mode, 0600), 2) < 0 || ::chdir(where.c_str()) != 0)
        ::_exit(126);
    ::execve(argv[0], argv.data(), envp.data());
    ::_exit(127);
}

// The exit code (128 + signal when killed); -1 when it does not end within `longest`, and is killed.
inline int wait_for_exit(pid_t pid, std::chrono::milliseconds longest = std::chrono::seconds(30))
{
    int status = 0;
    if (!eventually([&] { return ::waitpid(pid, &status, WNOHANG) == pid; }, longest)) {
        ::kill(pid, SIGKILL);
        ::waitpid(pid, &status, 0);
        return -1;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

struct Finished {
    int code = -1;
    std::string out;
    std::string err;
};

// Runs one command to its end.
inline Finished run_command(const std::filesystem::path& folder, std::vector<std::string> arguments,
                            const Environment& extra = {})
{
    const TemporaryFolder output;
    Finished finished;
    finished.code = wait_for_exit(spawn(folder, output.path(), std::move(arguments), extra));
    finished.out = read_file(output.path() / "out.txt");
    finished.err = read_file(output.path() / "err.txt");
    return finished;
}

class ServerProcess {
public:
    struct Options {
        std::string configuration = {};             // of dure.toml
        Environment environment = {};
        std::vector<std::string> arguments = {};    // behind `serve --port 0 --config dure.toml`
    };

    ServerProcess() : ServerProcess(Options()) {}
    explicit ServerProcess(Options options) : options_(std::move(options))
    {
        std::ofstream(folder_.path() / "dure.toml") << options_.configuration;
        start();
        key_ = value_of("API key:");
        if (key_.empty())
            key_ = key_of_administrator();
        if (key_.empty())
            throw std::runtime_error("the first start printed no key: " + out() + err());
    }
    ~ServerProcess()
    {
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
    }
    ServerProcess(const ServerProcess&) = delete;
    ServerProcess& operator=(const ServerProcess&) = delete;

    // Starts it (again) in the same folder and waits for its start-up line.
    void start()
    {
        auto arguments = options_.arguments;
        arguments.insert(arguments.begin(), {"serve", "--port", "0", "--config", "dure.toml"});
        pid_ = spawn(folder_.path(), folder_.path(), std::move(arguments), options_.environment);
        const bool ready =
            eventually([this] { return err().find("listening on http://") != std::string::npos || ended(); });
        const auto line = err();
        const auto at = line.find("listening on http://");
        if (!ready || at == std::string::npos)
            throw std::runtime_error("the server did not start: " + out() + line);
        const auto host = at + std::string_view("listening on http://").size();
        const auto colon = line.find(':', line[host] == '[' ? line.find(']', host) : host);
        port_ = static_cast<std::uint16_t>(std::strtoul(line.c_str() + colon + 1, nullptr, 10));
    }

    void send_signal(int number) const { ::kill(pid_, number); }
    // The exit code after SIGTERM.
    int terminate()
    {
        send_signal(SIGTERM);
        return wait();
    }
    void kill()
    {
        send_signal(SIGKILL);
        wait();
    }
    int wait() { return wait_for_exit(std::exchange(pid_, 0)); }

    Finished run(std::vector<std::string> arguments) const
    {
        return run_command(folder(), std::move(arguments), options_.environment);
    }

    std::uint16_t port() const { return port_; }
    pid_t pid() const { return pid_; }
    const std::string& key() const { return key_; }
    const std::filesystem::path& folder() const { return folder_.path(); }
    std::string out() const { return read_file(folder() / "out.txt"); }
    std::string err() const { return read_file(folder() / "err.txt"); }

    // What stands behind `label` in the first start's output.
    std::string value_of(std::string_view label) const
    {
        const auto text = out();
        const auto at = text.find(label);
        if (at == std::string::npos)
            return {};
        const auto begin = text.find_first_not_of(' ', at + label.size());
        return text.substr(begin, text.find_first_of(" \n", begin) - begin);
    }

private:
    // Ended already: a zombie until it is waited for.
    bool ended()
    {
        siginfo_t info{};
        return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid_;
    }

    // A first start with ADMIN_EMAIL prints no key: the command line makes one.
    std::string key_of_administrator() const
    {
        for (const auto& [name, value] : options_.environment)
            if (name == "ADMIN_EMAIL") {
                const auto made = run({"key", "create", "--config", "dure.toml", "--email", value, "--name", "test"});
                return made.out.substr(0, made.out.find('\n'));
            }
        return {};
    }

    Options options_;
    TemporaryFolder folder_;
    pid_t pid_ = 0;
    std::uint16_t port_ = 0;
    std::string key_;
};

}  // namespace dure::test
