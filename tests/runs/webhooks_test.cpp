// X5: the end of a run is posted to the address it began with: after it is durable, until somebody takes it or the last try
// was made, by one of many senders, and again when one died over it.
#include "dure/runs/webhooks.hpp"

#include <deque>
#include <set>

#include "runs/worker_fixture.hpp"

namespace dure::runs {

namespace {

constexpr auto address = "https://receiver.example/hook?token=secret";

// Answers tries as scripted, then takes everything.
struct Receiver {
    std::deque<PostOutcome> script;
    std::vector<Webhook> posted;
    int hanging = 0;   // so many tries are never answered
    std::set<std::string> silent;  // tries of these owners are not answered as long as they stand here

    static PostOutcome refuses(bool for_ever = false)
    {
        PostOutcome outcome;
        outcome.hopeless = for_ever;
        outcome.cause = "the receiver answered 503";
        return outcome;
    }
    Task<PostOutcome> take(const Webhook& webhook)
    {
        posted.push_back(webhook);
        if (hanging > 0) {
            --hanging;
            co_await sleep_for(std::chrono::seconds(60));
        }
        const auto owner = webhook.owner;
        while (silent.contains(owner))
            co_await sleep_for(std::chrono::milliseconds(1));
        PostOutcome outcome;
        outcome.taken = true;
        if (!script.empty()) {
            outcome = script.front();
            script.pop_front();
        }
        co_return outcome;
    }
};

// Goes with the system's, and jumps when the test says so.
class JumpingClock final : public Clock {
public:
    UnixMillis now() const override { return SystemClock().now() + ahead; }
    Steady::time_point steady_now() const override { return Steady::now(); }

    std::atomic<UnixMillis> ahead = 0;
};

class WebhooksTest : public WorkerTest {
protected:
    void SetUp() override
    {
        WorkerTest::SetUp();
        sending_.emplace(*database_, wall_);
    }
    WebhooksTest()
    {
        quick_.first_pause = std::chrono::milliseconds(2);
        quick_.longest_pause = std::chrono::milliseconds(20);
        quick_.look_interval = std::chrono::milliseconds(5);
    }

    static Json to_address() { return Json{{"webhook", address}}; }
    std::int64_t rows() { return count("SELECT COUNT(*) FROM graph_webhooks"); }

    std::unique_ptr<Webhooks> sender(asio::any_io_executor executor)
    {
        return std::make_unique<Webhooks>(
            *sending_, executor, log_,
            [this](const Webhook& webhook, Deadline) { return receiver_.take(webhook); }, quick_,
            [this](Webhook webhook, std::string cause) { return gave_up(std::move(webhook), std::move(cause)); });
    }
    Task<Result<void>> gave_up(Webhook webhook, std::string cause)
    {
        given_up_.emplace_back(webhook.run, cause);
        co_return Result<void>();
    }
    // Senders at work while the scenario goes on.
    template <class Scenario>
    void send(Scenario scenario, std::size_t senders = 1)
    {
        asio::io_context loop(1);
        std::vector<std::unique_ptr<Webhooks>> team;
        for (std::size_t i = 0; i < senders; ++i)
            team.push_back(sender(loop.get_executor()));
        std::exception_ptr broken;
        const auto note = [&](std::exception_ptr thrown) { broken = broken ? broken : thrown; };
        for (auto& one : team)
            asio::co_spawn(loop, one->work(), note);
        asio::co_spawn(loop, scenario(), [&](std::exception_ptr thrown) {
            note(thrown);
            for (auto& one : team)
                one->drain(Deadline::after(std::chrono::seconds(10)));
        });
        loop.run();
        if (broken)
            std::rethrow_exception(broken);
    }
    Task<void> until_all_went()
    {
        return until([this] { return rows() == 0; });
    }
    // All that were started so far are of an owner of that name.
    void make_them_slow()
    {
        ASSERT_TRUE(
            database_->run_now([](sql::Connection& c) { return c.execute("UPDATE graph_runs SET owner_id = 'slow'"); }));
    }
    // A run that succeeded, its end not posted yet.
    std::string an_end()
    {
        std::string id;
        play([](RunWriter&, RunControl&) -> Task<Ending> { co_return success(Json{{"answer", 42}}); },
             [&]() -> Task<void> {
                 id = (co_await start("t" + std::to_string(++threads_), Json(), Multitask::enqueue, to_address())).id;
                 EXPECT_EQ((co_await ended(id)).status, Status::success);
             });
        return id;
    }

    JumpingClock wall_;
    std::optional<Runs> sending_;
    WebhookOptions quick_;
    Receiver receiver_;
    std::vector<std::pair<std::string, std::string>> given_up_;
    int threads_ = 0;
};

}  // namespace

TEST_P(WebhooksTest, X5_TheEndOfARunIsPostedOnceWithWhatTheRunIs)
{
    const auto id = an_end();
    ASSERT_EQ(rows(), 1) << "it is durable with the end, before anybody posts it";
    send([&]() -> Task<void> { co_await until_all_went(); });
    ASSERT_EQ(receiver_.posted.size(), 1U);
    const auto& posted = receiver_.posted.front();
    EXPECT_EQ(posted.url, address);
    EXPECT_EQ(posted.tries, 1);
    EXPECT_FALSE(posted.id.empty());
    const auto body = Json::parse(posted.body);
    EXPECT_EQ(body.at("run_id"), id);
    EXPECT_EQ(body.at("status"), "success");
    EXPECT_EQ(body.at("output"), (Json{{"answer", 42}}));
    EXPECT_EQ(body.at("error"), Json());
    EXPECT_EQ(posted.body.find("token"), std::string::npos);
    EXPECT_TRUE(given_up_.empty());
}

TEST_P(WebhooksTest, X5_ARunWithoutAnAddressLeavesNothing)
{
    play([](RunWriter&, RunControl&) -> Task<Ending> { co_return success(Json{{"says", "\"webhook\""}}); },
         [&]() -> Task<void> {
             co_await ended((co_await start("t", Json(), Multitask::enqueue, Json{{"metadata", {{"webhook", "x"}}}})).id);
         });
    EXPECT_EQ(rows(), 0);
}

TEST_P(WebhooksTest, X5_EveryWayToEndIsPosted)
{
    const auto ends_as = [](Status status) {
        return [status](RunWriter&, RunControl&) -> Task<Ending> {
            Ending ending;
            ending.status = status;
            co_return ending;
        };
    };
    std::vector<std::string> expected;
    for (const auto status : {Status::success, Status::error, Status::timeout, Status::interrupted, Status::cancelled}) {
        expected.emplace_back(name_of(status));
        const auto thread = "t " + expected.back();
        play(ends_as(status), [&]() -> Task<void> {
            co_await ended((co_await start(thread, Json(), Multitask::enqueue, to_address())).id);
        });
    }
    test::run([&]() -> Task<void> {   // no worker: they wait in the queue
        const auto waiting = co_await start("stopped", Json(), Multitask::enqueue, to_address());
        EXPECT_TRUE(co_await runs_->stop(waiting.id, "me", Stop::cancel));
        EXPECT_TRUE(co_await runs_->stop(waiting.id, "me", Stop::cancel)) << "it has ended already: not told again";
        expected.emplace_back("cancelled");
        (void)co_await start("replaced", Json(), Multitask::enqueue, to_address());
        (void)co_await start("replaced", Json(), Multitask::interrupt);
        expected.emplace_back("cancelled");
    });
    send([&]() -> Task<void> { co_await until_all_went(); });
    std::vector<std::string> told;
    for (const auto& posted : receiver_.posted)
        told.push_back(Json::parse(posted.body).at("status").get<std::string>());
    std::sort(told.begin(), told.end());
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(told, expected);
}

TEST_P(WebhooksTest, X5_AReceiverThatIsDownIsTriedAgainWithTheSameId)
{
    const auto id = an_end();
    receiver_.script = {Receiver::refuses(), Receiver::refuses(), Receiver::refuses()};
    send([&]() -> Task<void> { co_await until_all_went(); });
    ASSERT_EQ(receiver_.posted.size(), 4U);
    std::set<std::string> ids;
    for (std::size_t i = 0; i < 4; ++i) {
        ids.insert(receiver_.posted[i].id);
        EXPECT_EQ(receiver_.posted[i].tries, static_cast<std::int64_t>(i + 1));
        EXPECT_EQ(receiver_.posted[i].body, receiver_.posted[0].body);
    }
    EXPECT_EQ(ids.size(), 1U);
    EXPECT_TRUE(given_up_.empty());
}

TEST_P(WebhooksTest, X5_AReceiverThatRefusesForEverIsGivenUpAndTold)
{
    const auto id = an_end();
    quick_.most_tries = 3;
    receiver_.script.assign(100, Receiver::refuses());
    send([&]() -> Task<void> { co_await until_all_went(); });
    EXPECT_EQ(receiver_.posted.size(), 3U);
    ASSERT_EQ(given_up_.size(), 1U);
    EXPECT_EQ(given_up_[0].first, id);
    EXPECT_EQ(given_up_[0].second, "the receiver answered 503");
}

TEST_P(WebhooksTest, X5_WhatNoTryCanMendIsTriedOnce)
{
    (void)an_end();
    receiver_.script = {Receiver::refuses(true)};
    send([&]() -> Task<void> { co_await until_all_went(); });
    EXPECT_EQ(receiver_.posted.size(), 1U);
    EXPECT_EQ(given_up_.size(), 1U);
}

TEST_P(WebhooksTest, X5_AResumedRunTellsItsNextEndUnderAnotherId)
{
    const auto thread = std::string("t");
    std::string id;
    Status next = Status::interrupted;
    play([&next](RunWriter&, RunControl&) -> Task<Ending> {
        Ending ending;
        ending.status = next;
        co_return ending;
    }, [&]() -> Task<void> {
        id = (co_await start(thread, Json(), Multitask::enqueue, to_address())).id;
        const auto first = co_await ended(id);
        next = Status::success;
        while (clock_.now() == first.ended_at)
            co_await sleep_for(std::chrono::milliseconds(1));
        EXPECT_TRUE(co_await runs_->resume(id, "me", Json()));
        co_await ended(id);
    });
    send([&]() -> Task<void> { co_await until_all_went(); });
    ASSERT_EQ(receiver_.posted.size(), 2U);
    EXPECT_NE(receiver_.posted[0].id, receiver_.posted[1].id);
    EXPECT_EQ(receiver_.posted[0].run, receiver_.posted[1].run);
}

TEST_P(WebhooksTest, X5_ManySendersPostEachEndOnce)
{
    constexpr int ends = 40;
    quick_.most_at_once = 3;
    play([](RunWriter&, RunControl&) -> Task<Ending> { co_return success(Json()); }, [&]() -> Task<void> {
        std::vector<std::string> ids;
        for (int i = 0; i < ends; ++i)
            ids.push_back((co_await start("t" + std::to_string(i), Json(), Multitask::enqueue, to_address())).id);
        for (const auto& id : ids)
            co_await ended(id);
    });
    send([&]() -> Task<void> { co_await until_all_went(); }, 4);
    std::set<std::string> told;
    for (const auto& posted : receiver_.posted)
        told.insert(posted.run);
    EXPECT_EQ(told.size(), static_cast<std::size_t>(ends));
    EXPECT_EQ(receiver_.posted.size(), static_cast<std::size_t>(ends));
}

TEST_P(WebhooksTest, X5_AJumpOfTheWallClockEndsNoLease)
{
    an_end();
    make_them_slow();
    receiver_.silent = {"slow"};
    send([&]() -> Task<void> {
        co_await until([this] { return receiver_.posted.size() == 1; });
        for (const UnixMillis jump : {3'600'000, -3'600'000}) {
            wall_.ahead += jump;
            co_await sleep_for(20 * quick_.look_interval);
        }
        EXPECT_EQ(receiver_.posted.size(), 1U) << "the first try is still being made";
        receiver_.silent.clear();
        co_await until_all_went();
    }, 2);
    EXPECT_EQ(receiver_.posted.size(), 1U);
}

// Its clock of leases was ahead, as a wall clock that was put back since.
TEST_P(WebhooksTest, X5_ALeaseOfAProcessBeforeIsOverOnSqlite)
{
    if (GetParam().name != "sqlite")
        return;
    an_end();
    ASSERT_TRUE(database_->run_now([this](sql::Connection& c) {
        return c.execute("UPDATE graph_webhooks SET tries = 1, lease_until = $1", clock_.now() + 3'600'000);
    }));
    send([&]() -> Task<void> { co_await until_all_went(); });
    EXPECT_EQ(receiver_.posted.size(), 1U);
}

TEST_P(WebhooksTest, X5_SlowReceiversOfOneOwnerLeaveRoomForOthers)
{
    quick_.most_at_once = 4;
    quick_.most_of_one = 2;
    for (int i = 0; i < 5; ++i)
        an_end();
    make_them_slow();
    an_end();
    receiver_.silent = {"slow"};
    const auto of_slow = [&] {
        return std::count_if(receiver_.posted.begin(), receiver_.posted.end(),
                             [](const Webhook& webhook) { return webhook.owner == "slow"; });
    };
    send([&]() -> Task<void> {
        co_await until([&] { return receiver_.posted.size() == 3; });
        EXPECT_EQ(of_slow(), 2) << "the third is the other owner's";
        receiver_.silent.clear();
        co_await until_all_went();
    });
    EXPECT_EQ(receiver_.posted.size(), 6U) << "each of them once";
}

// The first one dies in the middle of its try: nobody else makes that try while its lease lasts, then the next one does.
TEST_P(WebhooksTest, X5_ASenderThatDiedIsFollowedByTheNextBehindItsLease)
{
    (void)an_end();
    quick_.lease = std::chrono::milliseconds(150);
    quick_.most_at_once = 1;   // on a slow machine it does not follow itself
    receiver_.hanging = 1;
    UnixMillis tried_at = 0;
    {
        asio::io_context loop(1);
        auto dying = sender(loop.get_executor());
        asio::cancellation_signal death;
        asio::co_spawn(loop, dying->work(), asio::bind_cancellation_slot(death.slot(), [](std::exception_ptr) {}));
        asio::co_spawn(loop, [&]() -> Task<void> {
            tried_at = clock_.now();
            co_await until([this] { return !receiver_.posted.empty(); });
            death.emit(asio::cancellation_type::terminal);
        }, asio::detached);
        loop.run();
    }
    ASSERT_EQ(rows(), 1);
    UnixMillis again_at = 0;
    send([&]() -> Task<void> {
        co_await until([this] { return receiver_.posted.size() == 2; });
        again_at = clock_.now();
        co_await until_all_went();
    });
    EXPECT_GE(again_at, tried_at + 150);
    ASSERT_EQ(receiver_.posted.size(), 2U);
    EXPECT_EQ(receiver_.posted[0].id, receiver_.posted[1].id);
    EXPECT_EQ(receiver_.posted[1].tries, 2);
}

TEST_P(WebhooksTest, X5_ADeathInTheLastTryIsTheLastOne)
{
    const auto id = an_end();
    quick_.most_tries = 2;
    ASSERT_EQ(*database_->run_now([](sql::Connection& c) { return c.execute("UPDATE graph_webhooks SET tries = 2"); }), 1);
    send([&]() -> Task<void> { co_await until_all_went(); });
    EXPECT_TRUE(receiver_.posted.empty());
    ASSERT_EQ(given_up_.size(), 1U);
    EXPECT_EQ(given_up_[0].first, id);
}

INSTANTIATE_TEST_SUITE_P(Drivers, WebhooksTest, testing::ValuesIn(test::all_drivers()), test::driver_name);

}  // namespace dure::runs
