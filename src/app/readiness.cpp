// Readiness; see readiness.hpp.
#include "app/readiness.hpp"

#include <sys/statvfs.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>

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

struct Readiness::State {
    sql::Database& database;
    const std::string folder;
    std::atomic<Steady::rep> written{0};  // when the last trial write went through: anybody may ask, a sync is not free
    std::atomic<int> overdue{0};  // questions that nobody waits for any more
};

// Lives on the core of whoever asks.
struct Readiness::Question {
    explicit Question(const boost::asio::any_io_executor& executor) : patience(executor, limit) {}

    boost::asio::steady_timer patience;  // ended early by the answer
    std::optional<Result<void>> outcome;
    bool given_up = false;
};

Readiness::Readiness(sql::Database& database, std::string folder)
    : state_(std::make_shared<State>(database, std::move(folder)))
{}

Task<Result<void>> Readiness::check()
{
    const Error silent = Error(Errc::unavailable, "The storage does not answer.").reason("not_ready");
    if (state_->overdue > 0)
        co_return silent;  // one more question would wait behind the others
    const auto executor = co_await boost::asio::this_coro::executor;
    const auto question = std::make_shared<Question>(executor);
    boost::asio::co_spawn(executor, answer(state_, question), boost::asio::detached);
    co_await question->patience.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    if (question->outcome)
        co_return *question->outcome;
    if (Steady::now() >= question->patience.expiry()) {  // else whoever asked has left
        question->given_up = true;
        ++state_->overdue;
    }
    co_return silent;
}

Task<void> Readiness::answer(std::shared_ptr<State> state, std::shared_ptr<Question> question)
{
    try {
        question->outcome = co_await ask(*state);
    } catch (const std::exception& fault) {
        question->outcome = Error(Errc::unavailable, "The storage does not answer.").detail(fault.what());
    }
    if (question->given_up)
        --state->overdue;
    question->patience.cancel();
}

Task<Result<void>> Readiness::ask(State& state)
{
    auto answer = co_await state.database.read([&](sql::Connection& connection) -> Result<bool> {
        if (auto one = connection.query("SELECT 1"); !one)
            return one.error();
        return has_room(state.folder);
    });
    if (!answer)
        co_return answer.error();
    if (!*answer)
        co_return Error(Errc::storage_full, "The storage is full.").detail("no room in " + state.folder);
    const auto now = Steady::now().time_since_epoch().count();
    if (Steady::duration(now - state.written.load()) < trial_lasts)
        co_return Result<void>();
    auto written = co_await state.database.write(try_write);
    if (written)
        state.written = now;
    co_return written;
}

}  // namespace dure::app
