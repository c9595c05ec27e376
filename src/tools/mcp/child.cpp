// Child; see child.hpp.
#include "tools/mcp/child.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "dure/base/timeout.hpp"

namespace dure::tools::mcp {
namespace child_parts {

constexpr auto poll_pause = std::chrono::milliseconds(10);
constexpr auto stop_patience = std::chrono::seconds(2);   // before each stronger word

Error cannot_start(const std::string& program, const char* step, int error)
{
    return Error(Errc::upstream_failed, "The tool server's program cannot be started.")
        .reason("start")
        .detail(program + ": " + step + ": " + std::strerror(error));
}

struct Pipe {
    int read = -1;
    int write = -1;

    ~Pipe()
    {
        for (const int fd : {read, write})
            if (fd >= 0)
                ::close(fd);
    }
    bool open()
    {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0)
            return false;
        read = ends[0];
        write = ends[1];
        return true;
    }
};

// What posix_spawn is told; freed at the end.
struct SpawnPlan {
    SpawnPlan() { ::posix_spawn_file_actions_init(&actions), ::posix_spawnattr_init(&attributes); }
    ~SpawnPlan() { ::posix_spawn_file_actions_destroy(&actions), ::posix_spawnattr_destroy(&attributes); }
    SpawnPlan(const SpawnPlan&) = delete;
    SpawnPlan& operator=(const SpawnPlan&) = delete;

    // 0, or the first error.
    int describe(const Pipe& in, const Pipe& out, const Pipe& err)
    {
        sigset_t none;
        sigset_t usual;
        ::sigemptyset(&none);
        ::sigfillset(&usual);
        for (const int step :
             {::posix_spawn_file_actions_adddup2(&actions, in.read, 0),
              ::posix_spawn_file_actions_adddup2(&actions, out.write, 1),
              ::posix_spawn_file_actions_adddup2(&actions, err.write, 2),
              ::posix_spawn_file_actions_addclosefrom_np(&actions, 3), ::posix_spawnattr_setsigmask(&attributes, &none),
              ::posix_spawnattr_setsigdefault(&attributes, &usual), ::posix_spawnattr_setpgroup(&attributes, 0),
              ::posix_spawnattr_setflags(&attributes,
                                         POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP)})
            if (step != 0)
                return step;
        return 0;
    }

    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
};

int take(int& fd)
{
    return std::exchange(fd, -1);
}

}  // namespace child_parts

using namespace child_parts;

Child::~Child()
{
    if (pid_ < 0)
        return;
    ::kill(-pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
}

Result<void> Child::start(const std::vector<std::string>& command,
                          const std::map<std::string, std::string>& environment)
{
    Pipe in, out, err;
    if (!in.open() || !out.open() || !err.open())
        return cannot_start(command[0], "pipe", errno);
    SpawnPlan plan;
    if (const int error = plan.describe(in, out, err); error != 0)
        return cannot_start(command[0], "set-up", error);
    auto words = command;
    std::vector<std::string> variables;
    for (const auto& [name, value] : environment)
        variables.push_back(name + "=" + value);
    std::vector<char*> argv;
    std::vector<char*> envp;
    for (auto& word : words)
        argv.push_back(word.data());
    for (auto& variable : variables)
        envp.push_back(variable.data());
    argv.push_back(nullptr);
    envp.push_back(nullptr);
    if (const int error = ::posix_spawnp(&pid_, argv[0], &plan.actions, &plan.attributes, argv.data(), envp.data());
        error != 0) {
        pid_ = -1;
        return cannot_start(command[0], "spawn", error);
    }
    input.assign(take(in.write));
    output.assign(take(out.read));
    errors.assign(take(err.read));
    return boost::system::in_place_value;
}

bool Child::gone()
{
    if (pid_ >= 0 && ::waitpid(pid_, nullptr, WNOHANG) == pid_) {
        ::kill(-pid_, SIGKILL);   // what it has started goes with it
        pid_ = -1;
    }
    return pid_ < 0;
}

Task<bool> Child::gone_within(Steady::duration time)
{
    const auto until = Deadline::after(time);
    while (!gone()) {
        if (until.passed())
            co_return false;
        co_await sleep_for(poll_pause);
    }
    co_return true;
}

Task<void> Child::stop(Deadline deadline)
{
    boost::system::error_code ignored;   // closing a pipe that is closed is fine
    input.close(ignored);
    if (!co_await gone_within(std::min<Steady::duration>(stop_patience, deadline.left()))) {
        ::kill(-pid_, SIGTERM);
        if (!co_await gone_within(std::min<Steady::duration>(stop_patience, deadline.left()))) {
            ::kill(-pid_, SIGKILL);
            co_await gone_within(stop_patience);
        }
    }
    output.close(ignored);
    errors.close(ignored);
}

}  // namespace dure::tools::mcp
