// Appends that share a transaction: each has its own outcome.
#include <list>

#include "events/events_fixture.hpp"
#include "support/run_on_core.hpp"

namespace dure::events {
namespace {

using namespace std::chrono_literals;
using Appended = std::optional<Result<model::Event>>;

class AppendBatchesTest : public EventsFixture {
protected:
    AppendBatchesTest() { cores_.start(); }
    ~AppendBatchesTest() override
    {
        database_.reset();   // its threads before the cores they wake
        cores_.stop();
        cores_.join();
    }

    struct Wanted {
        store::NewEvent event;
        std::optional<std::int64_t> expected_version = {};
    };

    // One append that is under way while the database is held, and the others that gather behind it meanwhile.
    std::vector<Appended> append_together(const std::vector<Wanted>& wanted, std::chrono::milliseconds held_for = 0ms)
    {
        test::HeldWriter held(*database_, GetParam().writers);
        Journal journal(*database_, *bus_, clock_);
        std::vector<Appended> outcomes(wanted.size());
        std::list<test::Running> running;
        for (std::size_t i = 0; i < wanted.size(); ++i)
            running.emplace_back(cores_, [&, i]() -> Task<void> {
                outcomes[i].emplace(co_await journal.append(wanted[i].event, wanted[i].expected_version));
            });
        test::run_on_core(cores_, []() -> Task<void> { co_return; });   // all of them have begun by now
        const auto begin = Steady::now();
        while (Steady::now() - begin < held_for)
            std::this_thread::yield();
        held.release();
        for (auto& one : running)
            one.wait();
        return outcomes;
    }

    static store::NewEvent with_id(store::NewEvent event, const std::string& id)
    {
        event.event_id = id;
        return event;
    }

    Cores cores_{1};
    const test::ClosesFirst closing_{database_};
};

TEST_P(AppendBatchesTest, EveryAppendHasItsOwnOutcomeAndPositionsHaveNoGap)
{
    const auto outcomes = append_together({{event_of("a")},
                                           {with_id(event_of("a"), "one")},
                                           {event_of("a"), 7},               // a wrong version
                                           {with_id(event_of("b"), "one")},  // the id of another aggregate's event
                                           {with_id(event_of("a"), "one")},  // the same again
                                           {event_of("b"), 0},
                                           {event_of("b"), 1},
                                           {event_of("a")}});
    std::vector<std::int64_t> positions, versions;
    for (const std::size_t good : {0u, 1u, 4u, 5u, 6u, 7u}) {
        ASSERT_TRUE(*outcomes[good]) << good << (*outcomes[good]).error().message();
        positions.push_back((*outcomes[good])->position);
        versions.push_back((*outcomes[good])->version);
    }
    EXPECT_EQ(positions, (std::vector<std::int64_t>{1, 2, 2, 3, 4, 5}));
    EXPECT_EQ(versions, (std::vector<std::int64_t>{1, 2, 2, 1, 2, 3}));
    EXPECT_EQ(outcomes[2]->error().reason(), "version_conflict");
    EXPECT_EQ(outcomes[3]->error().reason(), "event_id_taken");
    EXPECT_EQ(append_silently(event_of("c")).position, 6);
}

TEST_P(AppendBatchesTest, OneThatCannotBeStoredAtAllHarmsNoOther)
{
    const std::string with_nul("a\0b", 3);
    const auto outcomes = append_together({{event_of("a")}, {event_of("a")}, {event_of(with_nul)}, {event_of("a")}});
    for (const std::size_t good : {0u, 1u, 3u})
        EXPECT_TRUE(*outcomes[good]) << good;
    EXPECT_EQ(outcomes[2]->error().code(), Errc::invalid_argument);
    EXPECT_EQ((*outcomes[3])->version, 3);
}

TEST_P(AppendBatchesTest, WhenTheDatabaseIsAwayNobodyWaitsForASecondTime)
{
    database_ = GetParam().open_empty({.queue_wait = 50ms});
    ASSERT_TRUE(sql::migrate(*database_, store::migrations(), 1));
    for (const auto& outcome : append_together({{event_of("a")}, {event_of("a")}, {event_of("b")}}, 80ms)) {
        ASSERT_FALSE(*outcome);
        EXPECT_EQ(outcome->error().code(), Errc::unavailable);
        EXPECT_TRUE(outcome->error().extra().retry_after);
    }
    EXPECT_TRUE(*append_together({{event_of("a")}}).front()) << "and then it goes on";
}

TEST_P(AppendBatchesTest, ACallerThatLeavesTakesNobodyElsesAppendAlong)
{
    test::HeldWriter held(*database_, GetParam().writers);
    Journal journal(*database_, *bus_, clock_);
    Appended stays;
    test::Running leaves(cores_, [&]() -> Task<void> { (void)co_await journal.append(event_of("a")); });
    test::Running other(cores_, [&]() -> Task<void> { stays.emplace(co_await journal.append(event_of("a"))); });
    test::run_on_core(cores_, []() -> Task<void> { co_return; });
    leaves.cancel();
    held.release();
    other.wait();
    EXPECT_TRUE(*stays);
    try {
        leaves.wait();
    } catch (const boost::system::system_error& left) {
        EXPECT_EQ(left.code(), boost::asio::error::operation_aborted);
    }
}

INSTANTIATE_TEST_SUITE_P(Drivers, AppendBatchesTest, testing::ValuesIn(test::all_drivers()), test::driver_name);

}  // namespace
}  // namespace dure::events
