// Units that may share a transaction: each has its own outcome, whatever becomes of the others; what is put off to the end is done before
// the commit, once for each that is stored.
#include <boost/asio/use_future.hpp>
#include <set>

#include "dure/base/cores.hpp"
#include "support/databases.hpp"

namespace dure::sql {
namespace {

using namespace std::chrono_literals;
using Outcome = Result<std::string>;  // what share() gave: the transaction it was in

class TogetherTest : public testing::TestWithParam<test::Driver> {
protected:
    using Body = std::function<Result<void>(Connection&)>;

    void open(std::unique_ptr<Database> database)
    {
        database_ = std::move(database);
        const auto made = database_->run_now([](Connection& c) {
            return c.run_script("CREATE TABLE item (id TEXT PRIMARY KEY, n BIGINT);"
                                "CREATE TABLE ends (number BIGINT PRIMARY KEY, id TEXT);"
                                "INSERT INTO item (id, n) VALUES ('shared', 0)");
        });
        ASSERT_TRUE(made) << made.error().detail();
        cores_.start();
    }
    void SetUp() override { open(GetParam().open_empty({})); }
    void TearDown() override
    {
        database_.reset();
        cores_.stop();
        cores_.join();
    }

    static Task<Outcome> share(Database& database, Body body)
    {
        co_return co_await database.write_together([&body](Connection& c) -> Outcome {
            if (auto done = body(c); !done)
                return done.error();
            if (c.dialect() == Dialect::sqlite)
                return std::string("one writer");
            const auto rows = c.query("SELECT CAST(pg_current_xact_id() AS TEXT)");
            return rows ? Outcome(rows->front().text(0)) : rows.error();
        });
    }
    // All of them wait when the first one begins.
    std::vector<std::future<Outcome>> at_once(std::vector<Body> bodies)
    {
        test::HeldWriter writers(*database_, GetParam().writers);
        std::vector<std::future<Outcome>> outcomes;
        for (auto& body : bodies)
            outcomes.push_back(
                boost::asio::co_spawn(cores_.at(0), share(*database_, std::move(body)), boost::asio::use_future));
        const auto until = Deadline::after(20s);
        while (database_->queued() < bodies.size() && !until.passed())
            std::this_thread::sleep_for(1ms);
        EXPECT_EQ(database_->queued(), bodies.size());
        return outcomes;
    }
    static Body insert(const std::string& id)
    {
        return [id](Connection& c) -> Result<void> {
            const auto stored = c.execute("INSERT INTO item (id, n) VALUES ($1, 1)", id);
            return stored ? Result<void>() : stored.error();
        };
    }
    // Numbers without gaps under the lock of one row, as events are counted.
    static Body count_at_end(const std::string& id, std::optional<Error> refused = {})
    {
        return [id, refused](Connection& c) -> Result<void> {
            if (auto stored = insert(id)(c); !stored)
                return stored;
            return c.at_end([id, refused](Connection& later) -> Result<void> {
                const auto taken = later.query("UPDATE item SET n = n + 1 WHERE id = 'shared' RETURNING n");
                if (!taken)
                    return taken.error();
                const auto stored =
                    later.execute("INSERT INTO ends (number, id) VALUES ($1, $2)", taken->front().integer(0), id);
                if (!stored)
                    return stored.error();
                return refused ? Result<void>(*refused) : Result<void>();
            });
        };
    }
    std::vector<std::string> texts(const std::string& sql)
    {
        auto rows = test::read_now(*database_, [&](Connection& c) { return c.query(sql); });
        std::vector<std::string> found;
        for (const auto row : rows.value())
            found.push_back(row.text(0));
        return found;
    }

    Cores cores_{2};
    std::unique_ptr<Database> database_;
};

TEST_P(TogetherTest, EachUnitHasItsOwnOutcome)
{
    std::vector<Body> bodies;
    for (int i = 0; i < 40; ++i) {
        const auto id = "i" + std::to_string(i);
        if (i % 10 == 3)
            bodies.push_back([id](Connection& c) -> Result<void> {
                EXPECT_TRUE(insert(id)(c));
                return Error(Errc::precondition_failed, "changed my mind");
            });
        else if (i % 10 == 5)
            bodies.push_back(insert("shared"));  // there is one
        else if (i % 10 == 7)
            bodies.push_back([id](Connection& c) -> Result<void> {
                EXPECT_TRUE(insert(id)(c));
                throw std::runtime_error("broken");
            });
        else
            bodies.push_back(insert(id));
    }
    auto outcomes = at_once(bodies);
    std::set<std::string> stored;
    for (int i = 0; i < 40; ++i) {
        if (i % 10 == 7) {
            EXPECT_THROW(outcomes[static_cast<std::size_t>(i)].get(), std::runtime_error);
            continue;
        }
        const auto outcome = outcomes[static_cast<std::size_t>(i)].get();
        if (i % 10 == 3)
            EXPECT_EQ(outcome.error().code(), Errc::precondition_failed);
        else if (i % 10 == 5)
            EXPECT_EQ(outcome.error().code(), Errc::conflict);
        else
            EXPECT_TRUE(outcome) << outcome.error().detail();
        if (outcome)
            stored.insert("i" + std::to_string(i));
    }
    const auto found = texts("SELECT id FROM item WHERE id <> 'shared' ORDER BY id");
    EXPECT_EQ(std::set<std::string>(found.begin(), found.end()), stored);
    EXPECT_EQ(stored.size(), 28u);
}

TEST_P(TogetherTest, WhatIsPutOffToTheEndIsDoneForEachThatIsStoredAndCountsWithoutGaps)
{
    std::vector<Body> bodies;
    for (int i = 0; i < 30; ++i) {
        const auto id = "i" + std::to_string(i);
        bodies.push_back(i % 7 == 4 ? count_at_end(id, Error(Errc::conflict, "refused at the end")) : count_at_end(id));
    }
    auto outcomes = at_once(bodies);
    std::set<std::string> stored;
    for (int i = 0; i < 30; ++i) {
        const auto outcome = outcomes[static_cast<std::size_t>(i)].get();
        EXPECT_EQ(outcome.has_value(), i % 7 != 4) << i;
        if (outcome)
            stored.insert("i" + std::to_string(i));
        else
            EXPECT_EQ(outcome.error().message(), "refused at the end");
    }
    const auto items = texts("SELECT id FROM item WHERE id <> 'shared'");
    EXPECT_EQ(std::set<std::string>(items.begin(), items.end()), stored);
    const auto counted = texts("SELECT id FROM ends ORDER BY number");
    EXPECT_EQ(std::set<std::string>(counted.begin(), counted.end()), stored);
    EXPECT_EQ(counted.size(), stored.size());
    const auto last =
        test::read_now(*database_, [](Connection& c) { return c.query("SELECT MAX(number), COUNT(*) FROM ends"); });
    EXPECT_EQ(last->front().integer(0), last->front().integer(1));
}

TEST_P(TogetherTest, AUnitAloneDoesWhatItPutOffBeforeItsCommitAndFailsWithIt)
{
    const auto run = [&](const Body& body) {
        return database_->run_now([&](Connection& c) -> Result<int> {
            if (auto done = body(c); !done)
                return done.error();
            return 1;
        });
    };
    EXPECT_TRUE(run(count_at_end("a")));
    EXPECT_EQ(run(count_at_end("b", Error(Errc::conflict, "no"))).error().message(), "no");
    EXPECT_THROW((void)run([](Connection& c) -> Result<void> {
                     return c.at_end([](Connection&) -> Result<void> { throw std::runtime_error("broken"); });
                 }),
                 std::runtime_error);
    // What a unit put off that failed before its end is not done in the next one.
    EXPECT_FALSE(run([](Connection& c) -> Result<void> {
        if (auto put_off = count_at_end("c")(c); !put_off)
            return put_off;
        return Error(Errc::conflict, "no");
    }));
    EXPECT_TRUE(run(insert("d")));
    EXPECT_EQ(texts("SELECT id FROM ends"), std::vector<std::string>{"a"});
    EXPECT_EQ(texts("SELECT id FROM item WHERE id <> 'shared' ORDER BY id"), (std::vector<std::string>{"a", "d"}));
}

INSTANTIATE_TEST_SUITE_P(Drivers, TogetherTest, testing::ValuesIn(test::all_drivers()), test::driver_name);

class PostgresTogetherTest : public TogetherTest {
protected:
    // What waits for a row waits for longer than a test takes.
    void SetUp() override { open(test::open_or_throw(test::postgres_options(place_, {.statement_timeout = 60s}))); }

    std::future<Outcome> start(Body body)
    {
        return boost::asio::co_spawn(cores_.at(0), share(*database_, std::move(body)), boost::asio::use_future);
    }
    static Result<void> change_shared(Connection& c)
    {
        const auto changed = c.execute("UPDATE item SET n = n + 1 WHERE id = 'shared'");
        return changed ? Result<void>() : changed.error();
    }

    // Somebody else, who holds the row 'shared'.
    class RowHolder {
    public:
        explicit RowHolder(const std::string& place) : database_(test::open_or_throw(test::postgres_options(place)))
        {
            thread_ = std::thread([this] {
                EXPECT_TRUE(database_->run_now([this](Connection& c) -> Result<int> {
                    EXPECT_TRUE(c.execute("UPDATE item SET n = 5 WHERE id = 'shared'"));
                    held_.release();
                    while (!go_on_.try_acquire_for(100ms))  // the server ends a transaction that is idle for long
                        EXPECT_TRUE(c.query("SELECT 1"));
                    return 1;
                }));
            });
            held_.acquire();
        }
        ~RowHolder() { let_go(); }
        void let_go()
        {
            if (!thread_.joinable())
                return;
            go_on_.release();
            thread_.join();
        }

    private:
        std::unique_ptr<Database> database_;
        std::counting_semaphore<> held_{0}, go_on_{0};
        std::thread thread_;
    };

    const std::string place_ = test::PostgresSchemas::make();
};

TEST_P(PostgresTogetherTest, UnitsThatWaitAtTheSameTimeAreOneTransaction)
{
    auto outcomes = at_once({insert("a"), count_at_end("b"), insert("c"), count_at_end("d"), insert("e")});
    std::set<std::string> transactions;
    for (auto& outcome : outcomes)
        transactions.insert(outcome.get().value());
    EXPECT_EQ(transactions.size(), 1u);
}

// Otherwise those of the group would wait for it with their locks held, and who holds it perhaps for one of them; and behind it those that
// come later, as it would be at a place of those that share.
TEST_P(PostgresTogetherTest, OneThatWaitsForARowOfSomebodyElseDoesNotHoldTheOthersUp)
{
    RowHolder holder(place_);
    auto outcomes = at_once({change_shared, insert("a"), insert("b"), insert("c")});
    outcomes.push_back(start(insert("later")));
    for (std::size_t i = 1; i < outcomes.size(); ++i)
        EXPECT_EQ(outcomes[i].wait_for(20s), std::future_status::ready) << i;
    EXPECT_EQ(outcomes[0].wait_for(0s), std::future_status::timeout);
    holder.let_go();
    for (auto& outcome : outcomes)
        EXPECT_TRUE(outcome.get());
    EXPECT_EQ(texts("SELECT CAST(n AS TEXT) FROM item WHERE id = 'shared'"), std::vector<std::string>{"6"});
}

TEST_P(PostgresTogetherTest, OneAloneThatWaitsForARowDoesNotKeepThePlaceOfThoseThatShare)
{
    RowHolder holder(place_);
    auto waits = start(change_shared);
    const auto until = Deadline::after(20s);
    while (database_->threads().idle == database_->threads().all && !until.passed())
        std::this_thread::sleep_for(1ms);
    auto goes_on = start(insert("a"));
    EXPECT_EQ(goes_on.wait_for(20s), std::future_status::ready);
    EXPECT_EQ(waits.wait_for(0s), std::future_status::timeout);
    holder.let_go();
    EXPECT_TRUE(waits.get());
    EXPECT_TRUE(goes_on.get());
    EXPECT_EQ(texts("SELECT CAST(n AS TEXT) FROM item WHERE id = 'shared'"), std::vector<std::string>{"6"});
}

INSTANTIATE_TEST_SUITE_P(Drivers, PostgresTogetherTest, testing::Values(test::all_drivers().back()), test::driver_name);

}  // namespace
}  // namespace dure::sql
