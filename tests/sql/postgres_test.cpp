// What is special to PostgreSQL: the URL, order of the pool, lost connections, commits whose answer was lost, servers
// that stop, crash or freeze under load.
#include <signal.h>

#include <latch>
#include <set>

#include "dure/sql/migrator.hpp"
#include "sql/postgres/address.hpp"
#include "support/databases.hpp"
#include "support/eventually.hpp"
#include "support/tcp_proxy.hpp"

namespace dure::sql {
namespace postgres_driver {

using namespace std::chrono_literals;

Result<std::int64_t> make_items(Connection& c)
{
    return c.execute("CREATE TABLE item (id TEXT PRIMARY KEY)");
}
Result<std::int64_t> add_item(Connection& c, std::string_view id)
{
    return c.execute("INSERT INTO item (id) VALUES ($1)", id);
}
std::set<std::string> items_of(Database& database)
{
    std::set<std::string> ids;
    const auto rows = test::read_now(database, [](Connection& c) { return c.query("SELECT id FROM item"); });
    for (const auto row : rows.value())
        ids.insert(row.text("id"));
    return ids;
}
Result<std::int64_t> own_process(Connection& c)
{
    const auto rows = c.query("SELECT pg_backend_pid()");
    return rows ? Result<std::int64_t>(rows->front().integer(0)) : rows.error();
}
PostgresOptions with_connections(PostgresOptions options, std::size_t connections)
{
    options.connections = connections;
    return options;
}

TEST(PostgresUrl, IsTakenApart)
{
    const auto whole =
        parse_postgres_url("postgresql://a%40b:p%2Fw%3A%27@db.example:6000/d%20b?sslmode=require&options=-c%20x%3D1");
    ASSERT_TRUE(whole);
    EXPECT_EQ(whole->user, "a@b");
    EXPECT_EQ(whole->password.reveal(), "p/w:'");
    EXPECT_EQ(whole->place(), "db.example:6000/d b");
    const auto text = whole->connection_text("-c y=2");
    for (const auto* part : {"user='a@b'", "password='p/w:\\''", "host='db.example'", "port='6000'", "dbname='d b'",
                             "sslmode='require'", "options='-c x=1 -c y=2'"})
        EXPECT_NE(text.reveal().find(part), std::string_view::npos) << part;
    EXPECT_EQ(postgres_place("postgres://me@host"), "host:5432/me");
    EXPECT_EQ(postgres_place("postgresql://[::1]:5433/x"), "[::1]:5433/x");
    EXPECT_EQ(postgres_place("postgresql://u:p@/x?host=%2Frun%2Fpg"), "/run/pg:5432/x");
    EXPECT_EQ(postgres_place("sqlite:x"), "");
}

TEST(PostgresUrl, AWrongOneIsRefusedWithoutRepeatingIt)
{
    for (const std::string url :
         {"mysql://u:hunter2@h/d", "postgresql://u:hunter2%zz@h/d", "postgresql://u%:hunter2@h/d",
          "postgresql://u:hunter2@h:12x/d", "postgresql://u:hunter2@h:123456/d", "postgresql://u:hunter2@[::1/d",
          "postgresql://u:hunter2@h,i/d", "postgresql://u:hunter2@h/d?passfile=hunter2",
          "postgresql://u:hunter2@h/d%00", "postgresql://u:hunter2@h/d?sslmode"}) {
        const auto refused = open_postgres(test::postgres_options(url));
        ASSERT_FALSE(refused) << url;
        EXPECT_EQ(refused.error().code(), Errc::invalid_argument) << url;
        EXPECT_EQ((refused.error().message() + refused.error().detail()).find("hunter2"), std::string::npos) << url;
    }
}

TEST(Postgres, AServerThatIsNotThereIsToldWithoutThePassword)
{
    auto options = test::postgres_options("postgresql://user:hunter2@127.0.0.1:1/place");
    options.start_wait = 0ms;
    const auto refused = open_postgres(std::move(options));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), Errc::unavailable);
    EXPECT_NE(refused.error().message().find("127.0.0.1:1/place"), std::string::npos);
    EXPECT_EQ((refused.error().message() + refused.error().detail()).find("hunter2"), std::string::npos);
}

TEST(Postgres, GivesWholeNumbersForSumsAndFlags)
{
    const auto database = test::open_or_throw(test::postgres_options(test::shared_postgres_url()));
    const auto rows = test::read_now(*database, [](Connection& c) {
        return c.query("SELECT SUM(x) AS s, AVG(x) AS a, 1 = 1 AS yes, COUNT(*) AS n, CAST(NULL AS TEXT) AS nothing "
                       "FROM (VALUES (CAST(1 AS BIGINT)), (2)) v(x)");
    });
    ASSERT_TRUE(rows) << rows.error().detail();
    EXPECT_EQ(rows->front().integer("s"), 3);
    EXPECT_EQ(rows->front().real("a"), 1.5);
    EXPECT_TRUE(rows->front().flag("yes"));
    EXPECT_EQ(rows->front().integer("n"), 2);
    EXPECT_TRUE(rows->front().is_null("nothing"));
}

TEST(Postgres, RunsMoreStatementsThanItKeepsPrepared)
{
    const auto database = test::open_or_throw(test::postgres_options(test::shared_postgres_url()));
    const auto outcome = database->run_now([](Connection& c) -> Result<int> {
        for (int i = 0; i < 600; ++i) {
            const auto rows = c.query("SELECT CAST($1 AS BIGINT) + " + std::to_string(i) + " AS n", 1);
            if (!rows)
                return rows.error();
            EXPECT_EQ(rows->front().integer("n"), i + 1);
        }
        return 1;
    });
    EXPECT_TRUE(outcome) << outcome.error().detail();
}

TEST(Postgres, UnitsAreServedInTheOrderTheyCame)
{
    const auto database = test::open_or_throw(with_connections(test::postgres_options(test::shared_postgres_url()), 1));
    std::binary_semaphore started(0);
    std::binary_semaphore go(0);
    std::vector<int> order;
    std::vector<std::thread> callers;
    callers.emplace_back([&] {
        const auto held = database->run_now([&](Connection&) -> Result<int> {
            started.release();
            go.acquire();
            return 1;
        });
        EXPECT_TRUE(held);
    });
    started.acquire();
    for (int i = 0; i < 64; ++i) {
        const auto before = database->queued();
        callers.emplace_back([&, i] {
            const auto note = [&order, i](Connection&) -> Result<int> {
                order.push_back(i);  // one connection: one unit at a time
                return 1;
            };
            EXPECT_TRUE(i % 2 ? database->run_now(note) : test::read_now(*database, note));
        });
        while (database->queued() == before)
            std::this_thread::yield();
    }
    go.release();
    for (auto& caller : callers)
        caller.join();
    ASSERT_EQ(order.size(), 64u);
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(Postgres, UnitsInADeadlockAreRunAgain)
{
    auto url = test::PostgresSchemas::make();
    const auto database = test::open_or_throw(test::postgres_options(url + "%20-c%20deadlock_timeout%3D50ms"));
    ASSERT_TRUE(database->run_now(make_items));
    ASSERT_TRUE(database->run_now([](Connection& c) { return c.execute("INSERT INTO item VALUES ('a'), ('b')"); }));
    std::latch both(2);
    std::atomic<int> runs = 0;
    const auto lock_both = [&](const char* first, const char* second) {
        bool fresh = true;
        const auto outcome = database->run_now([&](Connection& c) -> Result<std::int64_t> {
            ++runs;
            const auto one = c.execute("UPDATE item SET id = id WHERE id = $1", first);
            if (!one)
                return one;
            if (std::exchange(fresh, false))
                both.arrive_and_wait();
            return c.execute("UPDATE item SET id = id WHERE id = $1", second);
        });
        EXPECT_TRUE(outcome) << outcome.error().detail();
    };
    std::thread other([&] { lock_both("b", "a"); });
    lock_both("a", "b");
    other.join();
    EXPECT_GE(runs, 3);
}

TEST(Postgres, AUnitWhoseSessionEndsIsRunAgain)
{
    const auto database = test::open_or_throw(test::postgres_options(test::PostgresSchemas::make()));
    ASSERT_TRUE(database->run_now(make_items));
    int runs = 0;
    const auto outcome = database->run_now([&](Connection& c) {
        if (auto added = add_item(c, "a"); !added)
            return added;
        if (++runs == 1)
            return c.execute("SELECT pg_terminate_backend(pg_backend_pid())");
        return add_item(c, "b");
    });
    EXPECT_TRUE(outcome) << outcome.error().detail();
    EXPECT_EQ(runs, 2);
    EXPECT_EQ(items_of(*database), (std::set<std::string>{"a", "b"}));
}

TEST(Postgres, AUnitThatAlwaysEndsItsSessionIsGivenUp)
{
    const auto database = test::open_or_throw(test::postgres_options(test::shared_postgres_url()));
    int runs = 0;
    const auto outcome = database->run_now([&](Connection& c) {
        ++runs;
        return c.execute("SELECT pg_terminate_backend(pg_backend_pid())");
    });
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code(), Errc::unavailable);
    EXPECT_LE(runs, 5);
}

TEST(Postgres, AServerThatStopsAnsweringIsGivenUpAtTheLimit)
{
    test::PostgresProcess server;
    const auto database = test::open_or_throw(test::postgres_options(server.url(), {.statement_timeout = 200ms}));
    pid_t frozen = 0;
    const auto begin = Steady::now();
    const auto outcome = database->run_now([&](Connection& c) {
        const auto process = own_process(c);
        if (process && frozen == 0) {
            frozen = static_cast<pid_t>(*process);
            ::kill(frozen, SIGSTOP);
        }
        return c.execute("SELECT 1");
    });
    EXPECT_TRUE(outcome) << outcome.error().detail();  // on another connection
    EXPECT_NE(frozen, 0);
    EXPECT_LT(Steady::now() - begin, 5s);
    ::kill(frozen, SIGCONT);
}

// A transaction cannot begin, and for that nobody waits as long as for a statement; nor for a read that is one statement.
TEST(Postgres, AFrozenServerIsToldLongBeforeTheLimitOfAStatement)
{
    test::PostgresProcess server;
    const auto database =
        test::open_or_throw(test::postgres_options(server.url(), {.statement_timeout = 60s, .queue_wait = 200ms}));
    ASSERT_TRUE(database->run_now(make_items));
    const auto read = [&] {
        std::optional<Result<Rows>> rows;
        test::run([&]() -> Task<void> {
            rows.emplace(
                co_await database->read_statement([](Connection& c) { return c.query("SELECT id FROM item"); }));
        });
        return std::move(*rows);
    };
    ASSERT_TRUE(read());
    server.freeze();
    const auto begin = Steady::now();
    const auto rows = read();
    EXPECT_LT(Steady::now() - begin, 30s);
    const auto outcome = database->run_now([](Connection& c) { return add_item(c, "lost"); });
    EXPECT_LT(Steady::now() - begin, 30s);
    server.thaw();
    ASSERT_FALSE(rows);
    EXPECT_EQ(rows.error().code(), Errc::unavailable);
    EXPECT_TRUE(rows.error().extra().retry_after.has_value());
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code(), Errc::unavailable);
    EXPECT_TRUE(outcome.error().extra().retry_after.has_value());
    const auto until = Steady::now() + 20s;
    bool back = false;  // a refusal has waited itself
    while (!back && Steady::now() < until)
        back = database->run_now([](Connection& c) { return add_item(c, "after"); }).has_value();
    EXPECT_TRUE(back);
    EXPECT_EQ(items_of(*database), std::set<std::string>{"after"});
}

struct Lost {
    const char* name;
    test::TcpProxy::Loss loss;
    int runs;
};

TEST(PostgresCommit, WithALostAnswerIsLookedUpBeforeAnybodyIsTold)
{
    using Loss = test::TcpProxy::Loss;
    test::PostgresProcess server;
    for (const auto& one : {Lost{"committed", Loss::answer, 1}, Lost{"never arrived", Loss::message, 2},
                            Lost{"the server still holds the transaction", Loss::unnoticed, 2}}) {
        SCOPED_TRACE(one.name);
        test::TcpProxy proxy(server.port());
        const auto database = test::open_or_throw(test::postgres_options(test::PostgresProcess::url_at(proxy.port())));
        ASSERT_TRUE(database->run_now([](Connection& c) { return c.execute("DROP TABLE IF EXISTS item"); }));
        ASSERT_TRUE(database->run_now(make_items));
        proxy.lose(std::string("COMMIT\0", 7), one.loss);
        int runs = 0;
        const auto outcome = database->run_now([&](Connection& c) {
            ++runs;
            return add_item(c, "once");
        });
        EXPECT_TRUE(outcome) << outcome.error().detail();
        EXPECT_TRUE(proxy.lost());
        EXPECT_EQ(runs, one.runs);
        EXPECT_EQ(items_of(*database), std::set<std::string>{"once"});
    }
}

// threat-model §9: a refusal within two seconds, whatever it waited for.
TEST(PostgresCommit, WhoseServerStaysAwayIsToldInTime)
{
    test::PostgresProcess server;
    auto options = test::postgres_options(server.url());
    options.queue_wait = PostgresOptions().queue_wait;
    const auto database = test::open_or_throw(std::move(options));
    ASSERT_TRUE(database->run_now(make_items));
    Steady::time_point gone;
    const auto outcome = database->run_now([&](Connection& c) {
        auto added = add_item(c, "perhaps");
        server.stop(SIGQUIT);
        gone = Steady::now();
        return added;
    });
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().reason(), "outcome_unknown");
    EXPECT_TRUE(outcome.error().extra().retry_after.has_value());
    EXPECT_LT(Steady::now() - gone, 2s);
    server.start();
}

// Writers that store ids one after the other and note what they were told.
class Load {
public:
    Load(Database& database, int writers) : database_(database)
    {
        for (int writer = 0; writer < writers; ++writer)
            threads_.emplace_back([this, writer] { work(writer); });
    }
    ~Load() { stop(); }
    void stop()
    {
        stopping_ = true;
        for (auto& thread : threads_)
            thread.join();
        threads_.clear();
    }
    std::size_t acknowledged() const { return count_; }
    // Waits until so many more are acknowledged.
    bool advances_by(std::size_t more, Steady::duration limit) const
    {
        const auto goal = count_ + more;
        const auto end = Steady::now() + limit;
        while (count_ < goal && Steady::now() < end)
            std::this_thread::sleep_for(1ms);
        return count_ >= goal;
    }

    std::set<std::string> stored, refused, unknown;  // after stop()
    Steady::duration longest_refusal{0};

private:
    void work(int writer)
    {
        for (int i = 0; !stopping_; ++i) {
            const auto id = std::to_string(writer) + "-" + std::to_string(i);
            const auto begin = Steady::now();
            const auto outcome = database_.run_now([&](Connection& c) { return add_item(c, id); });
            const std::lock_guard lock(guard_);
            if (outcome) {
                stored.insert(id);
                ++count_;
                continue;
            }
            EXPECT_EQ(outcome.error().code(), Errc::unavailable) << outcome.error().detail();
            EXPECT_TRUE(outcome.error().extra().retry_after.has_value());
            (outcome.error().reason() == "outcome_unknown" ? unknown : refused).insert(id);
            longest_refusal = std::max(longest_refusal, Steady::now() - begin);
        }
    }

    Database& database_;
    std::mutex guard_;
    std::atomic<std::size_t> count_ = 0;
    std::atomic<bool> stopping_ = false;
    std::vector<std::thread> threads_;
};

void expect_truth(Database& database, const Load& load)
{
    const auto kept = items_of(database);
    for (const auto& id : load.stored)
        EXPECT_TRUE(kept.contains(id)) << "acknowledged and lost: " << id;
    for (const auto& id : load.refused)
        EXPECT_FALSE(kept.contains(id)) << "refused and stored: " << id;
    EXPECT_LE(kept.size(), load.stored.size() + load.unknown.size());
}

PostgresOptions under_load(const std::string& url)
{
    auto options = with_connections(test::postgres_options(url), 8);
    options.queue_wait = PostgresOptions().queue_wait;
    return options;
}

TEST(PostgresOutage, ARestartUnderLoadLosesNothingAndIsOverInTime)
{
    test::PostgresProcess server;
    std::atomic<int> gone = 0;
    std::atomic<int> back = 0;
    auto options = under_load(server.url());
    options.on_reachability = [&](bool reachable, std::string_view) { ++(reachable ? back : gone); };
    const auto database = test::open_or_throw(std::move(options));
    ASSERT_TRUE(database->run_now(make_items));
    Load load(*database, 16);
    ASSERT_TRUE(load.advances_by(200, 20s));
    server.stop(SIGINT);
    const auto down = Steady::now();
    const auto refused = database->run_now([](Connection& c) { return c.execute("SELECT 1"); });
    EXPECT_EQ(refused.error().code(), Errc::unavailable);
    EXPECT_LT(Steady::now() - down, 2s);
    server.start();
    EXPECT_TRUE(load.advances_by(200, 5s));
    load.stop();
    EXPECT_GE(gone, 1);
    EXPECT_GE(back, 1);
    EXPECT_LE(load.longest_refusal, 2s);
    expect_truth(*database, load);
}

TEST(PostgresOutage, IsKnownBeforeAnybodyAsksAndSoIsItsEnd)
{
    test::PostgresProcess server;
    const auto database = test::open_or_throw(with_connections(test::postgres_options(server.url()), 4));
    ASSERT_TRUE(database->run_now(make_items) && !database->is_away());
    server.stop(SIGINT);
    EXPECT_TRUE(test::eventually([&] { return database->is_away(); }));
    server.start();
    EXPECT_TRUE(test::eventually([&] { return !database->is_away(); }));
    EXPECT_TRUE(database->run_now([](Connection& c) { return add_item(c, "a"); }));
}

TEST(PostgresOutage, IsNotWhatEndsOnlyTheConnectionsWhichAreMadeAnewBeforeAnybodyAsks)
{
    std::atomic<int> gone = 0;
    const auto name = "ended_" + std::to_string(::getpid());
    auto options =
        test::postgres_options(test::PostgresSchemas::make() + "&application_name=" + name, {.connections = 3});
    options.on_reachability = [&](bool reachable, std::string_view) { gone += reachable ? 0 : 1; };
    const auto database = test::open_or_throw(std::move(options));
    const auto processes = [&] {
        std::set<std::int64_t> all;
        const auto rows = database->run_now([&](Connection& c) {
            return c.query("SELECT pid FROM pg_stat_activity WHERE application_name = $1 AND pid <> pg_backend_pid()",
                           name);
        });
        for (const auto row : rows.value())
            all.insert(row.integer(0));
        return all;
    };
    ASSERT_TRUE(test::eventually([&] { return processes().size() >= 2; }));
    const auto old = processes();
    for (const auto process : old)
        ASSERT_TRUE(
            database->run_now([&](Connection& c) { return c.query("SELECT pg_terminate_backend($1)", process); }));
    EXPECT_TRUE(test::eventually([&] {
        auto now = processes();
        std::erase_if(now, [&](auto process) { return old.contains(process); });
        return now.size() >= 2;
    }));
    EXPECT_FALSE(database->is_away());
    EXPECT_EQ(gone, 0);
}

TEST(PostgresOutage, AKilledServerProcessLosesNothingAcknowledged)
{
    test::PostgresProcess server;
    const auto database = test::open_or_throw(under_load(server.url()));
    ASSERT_TRUE(database->run_now(make_items));
    Load load(*database, 16);
    for (int round = 0; round < 5; ++round) {
        ASSERT_TRUE(load.advances_by(100, 20s));
        const auto victim = database->run_now(own_process);
        if (victim)
            ::kill(static_cast<pid_t>(*victim), SIGKILL);  // the server starts anew from its log
    }
    EXPECT_TRUE(load.advances_by(100, 20s));
    load.stop();
    expect_truth(*database, load);
}

TEST(PostgresMigration, OfTwoThatStartTogetherHappensOnce)
{
    const auto url = test::PostgresSchemas::make();
    const auto first = test::open_or_throw(test::postgres_options(url));
    const auto second = test::open_or_throw(test::postgres_options(url));
    const std::vector<Migration> slow{{1, "slow", "", "CREATE TABLE once (id TEXT); SELECT pg_sleep(0.2);"}};
    std::size_t applied = 0;
    std::thread other([&] {
        const auto report = migrate(*second, slow, 1);
        ASSERT_TRUE(report) << report.error().message() << report.error().detail();
        applied += report->applied.size();
    });
    const auto report = migrate(*first, slow, 1);
    other.join();
    ASSERT_TRUE(report) << report.error().message() << report.error().detail();
    EXPECT_EQ(applied + report->applied.size(), 1u);
}

}  // namespace postgres_driver
}  // namespace dure::sql
