// What every driver must do: transactions, parameters, errors, limits, many writers at once.
#include <boost/asio/use_future.hpp>
#include <latch>
#include <limits>

#include "dure/base/cores.hpp"
#include "dure/base/timeout.hpp"
#include "support/databases.hpp"

namespace dure::sql {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
                                     "SELECT COUNT(*) FROM n WHERE i < 0";

class DatabaseTest : public testing::TestWithParam<test::Driver> {
protected:
    void open(const test::DriverLimits& limits = {})
    {
        database_ = GetParam().open_empty(limits);
        const auto made = database_->run_now([](Connection& c) {
            return c.run_script(
                "CREATE TABLE item (id TEXT PRIMARY KEY, n BIGINT, r DOUBLE PRECISION);"
                "CREATE TABLE part (item_id TEXT NOT NULL REFERENCES item (id), n BIGINT CHECK (n > 0))");
        });
        ASSERT_TRUE(made) << made.error().detail();
    }
    void SetUp() override { open(); }

    Result<std::int64_t> insert(const std::string& id)
    {
        return database_->run_now([&](Connection& c) { return insert_in(c, id); });
    }
    static Result<std::int64_t> insert_in(Connection& c, std::string_view id)
    {
        return c.execute("INSERT INTO item (id, n) VALUES ($1, 1)", id);
    }
    std::vector<std::string> ids()
    {
        auto rows =
            test::read_now(*database_, [](Connection& c) { return c.query("SELECT id FROM item ORDER BY id"); });
        std::vector<std::string> found;
        for (const auto row : rows.value())
            found.push_back(row.text("id"));
        return found;
    }

    std::unique_ptr<Database> database_;
};

TEST_P(DatabaseTest, KeepsWhatACommittedUnitWrote)
{
    EXPECT_EQ(insert("a").value(), 1);
    EXPECT_EQ(ids(), std::vector<std::string>{"a"});
}

TEST_P(DatabaseTest, AQueryWithABoundOfTextsGivesTheRowsUpToItAndSaysThatThereAreMore)
{
    const auto stored = database_->run_now([](Connection& c) -> Result<std::int64_t> {
        for (const auto* id : {"aaaa", "bbbb", "cccc", "dddd"})
            if (auto added = insert_in(c, id); !added)
                return added;
        return 4;
    });
    ASSERT_TRUE(stored);
    const auto up_to = [&](std::int64_t bytes, std::int64_t limit, bool down = false) {
        const std::string order = down ? "id DESC" : "id";
        const auto sql = "SELECT id, n FROM item WHERE n = $1 ORDER BY " + order + " LIMIT $2";
        return test::read_now(*database_, [&](Connection& c) {
                   const std::array<Param, 2> values{std::int64_t{1}, limit};
                   return c.query_up_to({bytes, "octet_length(id)", order}, sql, values);
               })
            .value();
    };
    struct Case {
        std::int64_t bytes, limit;
        std::size_t rows;
        bool cut;
    };
    for (const auto& [bytes, limit, rows, cut] : {Case{1, 9, 1, true}, {4, 9, 1, true}, {5, 9, 2, true}, {8, 9, 2, true},
                                                  {12, 9, 3, true}, {13, 9, 4, false}, {16, 9, 4, false}, {99, 9, 4, false},
                                                  {5, 2, 2, false}, {5, 3, 2, true}, {5, 0, 0, false}}) {
        const auto found = up_to(bytes, limit);
        EXPECT_EQ(found.size(), rows) << bytes << " bytes, " << limit << " rows";
        EXPECT_EQ(found.cut(), cut) << bytes << " bytes, " << limit << " rows";
        if (rows > 0)
            EXPECT_EQ(found.front().text("id"), "aaaa");
    }
    EXPECT_EQ(up_to(5, 9, true)[1].text("id"), "cccc");
    EXPECT_EQ(ids().size(), 4u);   // the statement that was left is used again
    EXPECT_EQ(up_to(5, 9).size(), 2u);
}

TEST_P(DatabaseTest, RollsBackAUnitThatGivesAnError)
{
    const auto outcome = database_->run_now([](Connection& c) -> Result<int> {
        EXPECT_TRUE(insert_in(c, "a"));
        return Error(Errc::precondition_failed, "no");
    });
    EXPECT_EQ(outcome.error().code(), Errc::precondition_failed);
    EXPECT_TRUE(ids().empty());
}

TEST_P(DatabaseTest, AStatementMayBeATransactionOfItsOwn)
{
    const auto write = [this](std::string id) {
        std::optional<Result<std::int64_t>> outcome;
        test::run([&]() -> Task<void> {
            outcome.emplace(co_await database_->write_statement([&](Connection& c) { return insert_in(c, id); }));
        });
        return *outcome;
    };
    EXPECT_EQ(write("a").value(), 1);
    EXPECT_EQ(write("a").error().code(), Errc::conflict);
    EXPECT_EQ(write("b").value(), 1) << "the failed one left nothing behind";
    EXPECT_EQ(ids(), (std::vector<std::string>{"a", "b"}));
}

TEST_P(DatabaseTest, RollsBackAndRethrowsWhatAUnitThrows)
{
    test::run([&]() -> Task<void> {
        bool thrown = false;
        try {
            co_await database_->write([](Connection& c) -> Result<int> {
                EXPECT_TRUE(insert_in(c, "a"));
                throw std::runtime_error("broken");
            });
        } catch (const std::runtime_error& error) {
            thrown = error.what() == std::string("broken");
        }
        EXPECT_TRUE(thrown);
    });
    EXPECT_TRUE(ids().empty());
}

TEST_P(DatabaseTest, EndsTheTransactionAtTheFirstFailedStatement)
{
    ASSERT_TRUE(insert("a"));
    const auto outcome = database_->run_now([](Connection& c) -> Result<int> {
        EXPECT_TRUE(insert_in(c, "b"));
        EXPECT_EQ(insert_in(c, "a").error().code(), Errc::conflict);
        EXPECT_EQ(insert_in(c, "c").error().code(), Errc::conflict);
        return 1;   // forgets the failure
    });
    EXPECT_EQ(outcome.error().code(), Errc::conflict);
    EXPECT_EQ(ids(), std::vector<std::string>{"a"});
}

TEST_P(DatabaseTest, ReadsCannotChangeAnything)
{
    const auto outcome = test::read_now(*database_, [](Connection& c) { return insert_in(c, "a"); });
    EXPECT_FALSE(outcome);
    EXPECT_TRUE(ids().empty());
}

TEST_P(DatabaseTest, BindsParametersByNumberWhereverTheyStand)
{
    const auto rows = test::read_now(*database_, [](Connection& c) {
        return c.query("SELECT CAST($2 AS TEXT) AS a, CAST($1 AS BIGINT) AS b, CAST($1 AS BIGINT) AS c", 7, "zwei");
    });
    EXPECT_EQ(rows->front().text("a"), "zwei");
    EXPECT_EQ(rows->front().integer("b"), 7);
    EXPECT_EQ(rows->front().integer(2), 7);
}

TEST_P(DatabaseTest, KeepsEveryKindOfValue)
{
    const std::string korean = "한국어 \"따옴표\" 🙂";
    const auto stored = database_->run_now([&](Connection& c) -> Result<int> {
        EXPECT_TRUE(c.execute("INSERT INTO item (id, n, r) VALUES ($1, $2, $3)", korean,
                              std::numeric_limits<std::int64_t>::min(), 0.1));
        EXPECT_TRUE(c.execute("INSERT INTO item (id, n, r) VALUES ($1, $2, $3)", "", nullptr, std::optional<double>()));
        return 1;
    });
    ASSERT_TRUE(stored);
    const auto rows = test::read_now(
        *database_, [](Connection& c) { return c.query("SELECT id, n, r FROM item ORDER BY length(id) DESC"); });
    ASSERT_EQ(rows->size(), 2u);
    EXPECT_EQ((*rows)[0].text("id"), korean);
    EXPECT_EQ((*rows)[0].integer("n"), std::numeric_limits<std::int64_t>::min());
    EXPECT_EQ((*rows)[0].real("r"), 0.1);
    EXPECT_EQ((*rows)[1].text("id"), "");
    EXPECT_EQ((*rows)[1].maybe_integer("n"), std::nullopt);
    EXPECT_TRUE((*rows)[1].is_null("r"));
}

TEST_P(DatabaseTest, RefusesTextsThatNotEveryDialectCanKeep)
{
    for (const std::string& bad : {std::string("a\0b", 3), std::string("\xff"), std::string("\xed\xa0\x80")})
        EXPECT_EQ(insert(bad).error().code(), Errc::invalid_argument);
    EXPECT_TRUE(ids().empty());
}

TEST_P(DatabaseTest, NamesWhatWentWrong)
{
    ASSERT_TRUE(insert("a"));
    struct Case {
        std::string sql;
        Errc code;
    };
    for (const auto& one :
         {Case{"INSERT INTO item (id) VALUES ('a')", Errc::conflict},
          Case{"INSERT INTO part (item_id, n) VALUES ('missing', 1)", Errc::conflict},
          Case{"INSERT INTO part (item_id, n) VALUES ('a', 0)", Errc::internal},
          Case{"INSERT INTO part (item_id, n) VALUES (NULL, 1)", Errc::internal},
          Case{"SELECT missing FROM item", Errc::internal}, Case{"SELECT \"missing\" FROM item", Errc::internal},
          Case{"SELECT 1; SELECT 2", Errc::internal}, Case{"SELECT $1", Errc::internal},
          Case{"no sql", Errc::internal}}) {
        const auto outcome = database_->run_now([&](Connection& c) { return c.execute(one.sql); });
        ASSERT_FALSE(outcome) << one.sql;
        EXPECT_EQ(outcome.error().code(), one.code) << one.sql << ": " << outcome.error().detail();
        EXPECT_FALSE(outcome.error().detail().empty()) << one.sql;
    }
}

TEST_P(DatabaseTest, CountsTheRowsAStatementChanged)
{
    ASSERT_TRUE(insert("a"));
    ASSERT_TRUE(insert("b"));
    const auto changed = database_->run_now([](Connection& c) { return c.execute("UPDATE item SET n = 5"); });
    const auto none =
        database_->run_now([](Connection& c) { return c.execute("UPDATE item SET n = 5 WHERE id = 'x'"); });
    const auto table = database_->run_now([](Connection& c) { return c.execute("CREATE TABLE other (id TEXT)"); });
    EXPECT_EQ(changed.value(), 2);
    EXPECT_EQ(none.value(), 0);
    EXPECT_EQ(table.value(), 0);
}

TEST_P(DatabaseTest, WrongUseOfAResultThrows)
{
    ASSERT_TRUE(insert("a"));
    const auto rows = test::read_now(*database_, [](Connection& c) { return c.query("SELECT id, n, r FROM item"); });
    EXPECT_THROW(rows->front().text("missing"), InvariantBroken);
    EXPECT_THROW(rows->front().text("n"), InvariantBroken);
    EXPECT_THROW(rows->front().integer("id"), InvariantBroken);
    EXPECT_THROW(rows->front().real("r"), InvariantBroken);
    EXPECT_THROW((*rows)[1], InvariantBroken);
    EXPECT_THROW(Rows().front(), InvariantBroken);
}

TEST_P(DatabaseTest, StatementsHaveATimeLimit)
{
    open({.statement_timeout = 60ms});
    const auto begin = Steady::now();
    const auto read = test::read_now(*database_, [](Connection& c) { return c.query(endless); });
    const auto write = database_->run_now([](Connection& c) { return c.query(endless); });
    EXPECT_EQ(read.error().code(), Errc::timeout);
    EXPECT_EQ(write.error().code(), Errc::timeout);
    EXPECT_LT(Steady::now() - begin, 5s);
    EXPECT_TRUE(insert("after"));
}

void await_queue(const Database& database, std::size_t size)
{
    const auto until = Steady::now() + 10s;
    while (database.queued() < size && Steady::now() < until)
        std::this_thread::yield();
    ASSERT_EQ(database.queued(), size);
}

TEST_P(DatabaseTest, OneFailingUnitDoesNotHarmThoseBesideIt)
{
    open({.statement_timeout = 100ms});
    ASSERT_TRUE(insert("taken"));
    struct Unit {
        std::string id;
        std::function<Result<std::int64_t>(Connection&)> also;
        std::optional<Errc> expected;
        bool throws = false;
    };
    const auto nothing = [](Connection&) -> Result<std::int64_t> { return 1; };
    const std::vector<Unit> units{
        {"1", nothing, {}},
        {"2", [](Connection& c) { return insert_in(c, "taken"); }, Errc::conflict},
        {"3", [](Connection&) -> Result<std::int64_t> { return Error(Errc::not_found, ""); }, Errc::not_found},
        {"4", nothing, {}},
        {"5", [](Connection&) -> Result<std::int64_t> { throw std::runtime_error("broken"); }, {}, true},
        {"6",
         [](Connection& c) {
             return c.execute("INSERT INTO item (id) SELECT CAST(i AS TEXT) FROM (WITH RECURSIVE "
                              "n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n "
                              "WHERE i < 0) x");
         },
         Errc::timeout},
        {"7", nothing, {}},
    };
    test::HeldWriter held(*database_, GetParam().writers);
    std::vector<std::thread> callers;
    for (const auto& unit : units) {
        callers.emplace_back([&] {
            const auto work = [&](Connection& c) -> Result<std::int64_t> {
                if (auto inserted = insert_in(c, unit.id); !inserted)
                    return inserted;
                return unit.also(c);
            };
            if (unit.throws) {
                EXPECT_THROW(database_->run_now(work).has_value(), std::runtime_error);
                return;
            }
            const auto outcome = database_->run_now(work);
            EXPECT_EQ(outcome.has_value(), !unit.expected) << unit.id;
            if (unit.expected && !outcome)
                EXPECT_EQ(outcome.error().code(), *unit.expected) << unit.id;
        });
        await_queue(*database_, callers.size());
    }
    held.release();
    for (auto& caller : callers)
        caller.join();
    EXPECT_EQ(ids(), (std::vector<std::string>{"1", "4", "7", "taken"}));
}

TEST_P(DatabaseTest, ReadersSeeCommittedStatesOnly)
{
    ASSERT_TRUE(insert("a"));
    std::binary_semaphore written(0);
    std::binary_semaphore go_on(0);
    std::thread writer([&] {
        const auto stored = database_->run_now([&](Connection& c) {
            auto inserted = insert_in(c, "b");
            written.release();
            go_on.acquire();
            return inserted;
        });
        EXPECT_TRUE(stored);
    });
    written.acquire();
    EXPECT_EQ(ids(), std::vector<std::string>{"a"});
    go_on.release();
    writer.join();
    EXPECT_EQ(ids(), (std::vector<std::string>{"a", "b"}));
}

TEST_P(DatabaseTest, AFullQueueIsRefusedAtOnce)
{
    open({.queue_limit = 1});
    test::HeldWriter held(*database_, GetParam().writers);
    std::thread waiting([&] { EXPECT_TRUE(insert("waits")); });
    await_queue(*database_, 1);
    const auto refused = insert("one too many");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), Errc::unavailable);
    EXPECT_TRUE(refused.error().extra().retry_after.has_value());
    held.release();
    waiting.join();
    EXPECT_EQ(ids(), std::vector<std::string>{"waits"});
}

TEST_P(DatabaseTest, AUnitThatWaitedTooLongIsRefusedWithoutRunning)
{
    open({.queue_wait = 500ms});
    test::HeldWriter held(*database_, GetParam().writers);
    std::thread waiting([&] {
        const auto refused = insert("late");
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code(), Errc::unavailable);
    });
    await_queue(*database_, 1);
    const auto until = Steady::now() + 510ms;
    while (Steady::now() < until)
        std::this_thread::yield();
    held.release();
    waiting.join();
    EXPECT_TRUE(ids().empty());
}

TEST_P(DatabaseTest, ACancelledWriterStillHearsTheOutcome)
{
    bool cancelled = false;
    test::run([&]() -> Task<void> {
        const auto outcome = co_await with_timeout(
            [](Database& database) -> Task<Result<std::int64_t>> {
                co_return co_await database.write([](Connection& c) -> Result<std::int64_t> {
                    std::this_thread::sleep_for(30ms);   // a statement that takes its time
                    return insert_in(c, "a");
                });
            }(*database_),
            Deadline::after(5ms));
        cancelled = !outcome.has_value();
    });
    EXPECT_TRUE(cancelled);
    EXPECT_EQ(ids(), std::vector<std::string>{"a"});
}

TEST_P(DatabaseTest, ManyWritersFromSeveralCoresAllSucceed)
{
    constexpr int writers = 64;
    constexpr int each = 16;
    Cores cores(4);
    const test::ClosesFirst closing(database_);
    cores.start();
    std::vector<std::future<int>> done;
    for (int w = 0; w < writers; ++w) {
        auto task = [](Database& database, int writer) -> Task<int> {
            int stored = 0;
            for (int i = 0; i < each; ++i) {
                const auto id = std::to_string(writer) + "-" + std::to_string(i);
                stored += (co_await database.write([&](Connection& c) { return insert_in(c, id); })).has_value();
                stored += (co_await database.read(
                               [&](Connection& c) { return c.query("SELECT id FROM item WHERE id = $1", id); }))
                              .value()
                              .size() == 1;
            }
            co_return stored;
        };
        done.push_back(boost::asio::co_spawn(cores.at(static_cast<std::size_t>(w) % cores.size()), task(*database_, w),
                                             boost::asio::use_future));
    }
    int stored = 0;
    for (auto& one : done)
        stored += one.get();
    EXPECT_EQ(stored, 2 * writers * each);
    EXPECT_EQ(ids().size(), static_cast<std::size_t>(writers * each));
    cores.stop();
    cores.join();
}

INSTANTIATE_TEST_SUITE_P(Drivers, DatabaseTest, testing::ValuesIn(test::all_drivers()), test::driver_name);

}  // namespace
}  // namespace dure::sql
