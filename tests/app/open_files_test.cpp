// The limit of open files: raised for the connections the server may take, never lowered, told when the system allows too few.
#include "app/open_files.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <fstream>

#include "support/temporary_folder.hpp"

namespace dure::app {
namespace {

// The process's own limit, as it was at the end.
class SoftLimit {
public:
    SoftLimit() { ::getrlimit(RLIMIT_NOFILE, &before_); }
    ~SoftLimit() { ::setrlimit(RLIMIT_NOFILE, &before_); }
    SoftLimit(const SoftLimit&) = delete;
    SoftLimit& operator=(const SoftLimit&) = delete;

    static rlim_t now()
    {
        rlimit limit{};
        ::getrlimit(RLIMIT_NOFILE, &limit);
        return limit.rlim_cur;
    }
    rlim_t most() const { return before_.rlim_max; }
    void set(rlim_t value) const
    {
        const rlimit limit{value, before_.rlim_max};
        ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
    }

private:
    rlimit before_{};
};

std::string log_of(std::size_t connections)
{
    const test::TemporaryFolder folder;
    {
        Logger logger({.file = folder.file("log")});
        raise_open_files(connections, logger);
    }
    std::ifstream file(folder.file("log"));
    return {std::istreambuf_iterator<char>(file), {}};
}

TEST(OpenFiles, AShellsLimitIsRaisedForTheConnectionsOfBothSides)
{
    const SoftLimit limit;
    if (limit.most() < 9000)
        GTEST_SKIP() << "this machine allows no more than " << limit.most() << " open files";
    limit.set(256);
    EXPECT_EQ(log_of(4000), "");
    EXPECT_GE(SoftLimit::now(), 8000u);
}

TEST(OpenFiles, AHigherLimitStays)
{
    const SoftLimit limit;
    limit.set(limit.most());
    log_of(1);
    EXPECT_EQ(SoftLimit::now(), limit.most());
}

TEST(OpenFiles, ALimitThatLeavesNoRoomForTheConnectionsIsTold)
{
    const SoftLimit limit;
    const auto log = log_of(static_cast<std::size_t>(limit.most()));
    EXPECT_NE(log.find("\"open_files\":" + std::to_string(limit.most())), std::string::npos) << log;
    EXPECT_NE(log.find("server.limits.connections"), std::string::npos) << log;
}

}  // namespace
}  // namespace dure::app
