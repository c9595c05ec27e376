// Readiness; see readiness.hpp.
#include "app/readiness.hpp"

#include <sys/statvfs.h>

namespace dure::app {

namespace {

constexpr std::uint64_t least_room = 256 * 1024;   // below this the next commits fail
constexpr std::chrono::seconds trial_lasts{1};

bool has_room(const std::string& folder)
{
    struct statvfs space{};
    if (folder.empty() || ::statvfs(folder.c_str(), &space) != 0)
        return true;   // what cannot be asked is left to the trial write
    return static_cast<std::uint64_t>(space.f_bavail) * space.f_frsize >= least_room;
}

// Changes nothing and is still a commit of its own.
Result<void> try_write(sql::Connection& connection)
{
    const auto done = connection.execute("UPDATE schema_migrations SET version = version WHERE version = 1");
    return done ? Result<void>() : done.error();
}

}  // namespace

Task<Result<void>> Readiness::check()
{
    auto answer = co_await database_.read([&](sql::Connection& connection) -> Result<bool> {
        if (auto one = connection.query("SELECT 1"); !one)
            return one.error();
        return has_room(folder_);
    });
    if (!answer)
        co_return answer.error();
    if (!*answer)
        co_return Error(Errc::storage_full, "The storage is full.").detail("no room in " + folder_);
    const auto now = Steady::now().time_since_epoch().count();
    const auto recent = Steady::duration(now - written_.load()) < trial_lasts;
    if (recent)
        co_return Result<void>();
    auto written = co_await database_.write(try_write);
    if (written)
        written_ = now;
    co_return written;
}

}  // namespace dure::app
