// Processes that tests of faults kill and stop: the test program again, in one of its disabled tests, which works on the
// database it is told until it dies.
//   FaultWorker worker("*Works.DISABLED_UntilItIsKilled", {{"FAULT_PLACE", place}, {"FAULT_EFFECTS", file}});
//   worker.send(SIGSTOP); … worker.end();
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "support/databases.hpp"
#include "support/eventually.hpp"

namespace dure::test {

class FaultWorker {
public:
    FaultWorker(const std::string& disabled_test, const std::vector<std::pair<std::string, std::string>>& environment)
    {
        const auto program = std::filesystem::read_symlink("/proc/self/exe").string();
        const auto filter = "--gtest_filter=" + disabled_test;
        pid_ = ::fork();
        if (pid_ != 0)
            return;
        for (const auto& [name, value] : environment)
            ::setenv(name.c_str(), value.c_str(), 1);
        const int nowhere = ::open("/dev/null", O_WRONLY);
        ::dup2(nowhere, 1);
        ::execl(program.c_str(), program.c_str(), "--gtest_also_run_disabled_tests", filter.c_str(), nullptr);
        ::_exit(127);
    }
    ~FaultWorker() { end(); }
    FaultWorker(const FaultWorker&) = delete;
    FaultWorker& operator=(const FaultWorker&) = delete;

    void send(int signal) const { ::kill(pid_, signal); }
    void end()
    {
        if (pid_ <= 0)
            return;
        send(SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = 0;
    }

private:
    pid_t pid_ = 0;
};

inline long number_from_environment(const char* name, long otherwise)
{
    const char* text = std::getenv(name);
    return text ? std::strtol(text, nullptr, 10) : otherwise;
}

// A database that two processes can name: an empty one of the driver, and one by its name.
inline std::string make_place(const Driver& driver, const TemporaryFolder& folder)
{
    return driver.name == "sqlite" ? folder.file("dure.db") : PostgresSchemas::make();
}
inline std::unique_ptr<sql::Database> open_place(const std::string& place)
{
    if (place.starts_with("postgres"))
        return open_or_throw(postgres_options(place));
    return open_or_throw(sqlite_options(place));
}

// What `SELECT COUNT(*) …` says.
inline std::int64_t count_rows(sql::Database& database, const std::string& select)
{
    const auto found = read_now(database, [&](sql::Connection& c) -> Result<std::int64_t> {
        const auto rows = c.query(select);
        if (!rows)
            return rows.error();
        return rows->front().integer(0);
    });
    if (!found)
        throw std::runtime_error(found.error().detail());
    return *found;
}

}  // namespace dure::test
