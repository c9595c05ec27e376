// What the runs of a thread make of its status (X5); see runs.hpp.
#include "dure/runs/runs.hpp"
#include "runs/run_rows.hpp"

namespace dure::runs {

Task<Result<ThreadStatus>> Runs::thread_status(std::string thread, std::string owner)
{
    const auto last =
        co_await database_.read([&](sql::Connection& c) { return RunRows(c).deciding_run(thread, owner); });
    if (!last)
        co_return last.error();
    switch (last->status) {
    case Status::pending:
    case Status::running: co_return ThreadStatus::busy;
    case Status::interrupted: co_return ThreadStatus::interrupted;
    case Status::error:
    case Status::timeout: co_return ThreadStatus::error;
    case Status::success:
    case Status::cancelled: break;
    }
    co_return ThreadStatus::idle;
}

}  // namespace dure::runs
