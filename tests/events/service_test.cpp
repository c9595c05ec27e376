// Journal and EventService: state and events together, replay to a version and to a time, whose events are seen.
#include "dure/events/service.hpp"

#include "dure/store/users.hpp"
#include "events/events_fixture.hpp"

namespace dure::events {
namespace {

using namespace std::chrono_literals;

class EventServiceTest : public EventsFixture {
protected:
    void SetUp() override
    {
        EventsFixture::SetUp();
        service_.emplace(*database_, *bus_);
    }

    Task<Result<Replayed>> replay(AggregateName name, ReplayEnd end = {}, Reader reader = {"kim", false})
    {
        return service_->replay(std::move(reader), std::move(name), end, Deadline::after(10s));
    }
    Task<std::vector<std::int64_t>> audit(Reader reader, AuditFilter filter = {})
    {
        std::vector<std::int64_t> positions;
        for (const auto& event : (co_await service_->audit(std::move(reader), std::move(filter))).value().events)
            positions.push_back(event.position);
        co_return positions;
    }

    std::optional<EventService> service_;
};

TEST_P(EventServiceTest, StateAndEventsAreWrittenTogetherOrNotAtAll)
{
    test::run([&]() -> Task<void> {
        Journal journal(*database_, *bus_, clock_);
        const auto user = store::user_named("u1", "u1@example.org");
        const model::Actor by{"admin", "k1", "r1", "203.0.113.9"};
        const auto insert = [&](std::optional<std::int64_t> expected) {
            return journal.write([&, expected](sql::Connection& c, Batch& batch) -> Result<void> {
                batch.add(event_by(by, "User", "u1", "UserRegistered", {{"email", user.email}}, "u1"), expected);
                return store::Users(c).insert(user);
            });
        };
        EXPECT_EQ((co_await insert(5)).error().reason(), "version_conflict");
        EXPECT_EQ(in<store::Users>([](store::Users users) { return users.count(); }).value(), 0);
        EXPECT_TRUE(co_await insert(0));
        EXPECT_EQ((co_await insert({})).error().code(), Errc::conflict);   // the row is there: no second event either

        const auto events = (co_await service_->of_aggregate({"u1", false}, {"u1", {}}, {})).value().events;
        EXPECT_EQ(events.size(), 1u);
        EXPECT_EQ(events.front().user_id, "admin");
        EXPECT_EQ(events.front().metadata, Json::parse(R"({"user_id":"admin","key_id":"k1","request_id":"r1",
                                                           "address":"203.0.113.9"})"));
        EXPECT_GT(events.front().created_at, 0);
    });
}

TEST_P(EventServiceTest, ReplayShowsTheStateAsItWas)
{
    const auto patch = [this](Json data, UnixMillis at) {
        auto event = event_of("s", "kim", std::move(data), at);
        event.aggregate_type = "User";   // members of a Session are set whole
        append_silently(event);
    };
    patch({{"title", "first"}, {"turns", 0}, {"tags", {{"a", 1}, {"b", 2}}}}, 1000);
    patch({{"turns", 1}, {"tags", {{"a", nullptr}}}}, 2000);
    patch({{"title", nullptr}, {"turns", 2}}, 3000);
    patch({{"turns", 3}}, 2500);   // the clock was set back

    struct Case {
        const char* name;
        ReplayEnd end;
        std::int64_t version;
        const char* state;
    };
    const std::vector<Case> cases{
        {"now", {}, 4, R"({"turns":3,"tags":{"b":2}})"},
        {"version 1", {1, {}}, 1, R"({"title":"first","turns":0,"tags":{"a":1,"b":2}})"},
        {"version 2", {2, {}}, 2, R"({"title":"first","turns":1,"tags":{"b":2}})"},
        {"a version to come", {99, {}}, 4, R"({"turns":3,"tags":{"b":2}})"},
        {"the moment of an event", {{}, 2000}, 2, R"({"title":"first","turns":1,"tags":{"b":2}})"},
        {"between two", {{}, 1999}, 1, R"({"title":"first","turns":0,"tags":{"a":1,"b":2}})"},
        {"before a clock that went back", {{}, 2600}, 2, R"({"title":"first","turns":1,"tags":{"b":2}})"},
        {"both", {3, 2000}, 2, R"({"title":"first","turns":1,"tags":{"b":2}})"},
    };
    test::run([&]() -> Task<void> {
        for (const auto& one : cases) {
            const auto replayed = co_await replay({"s", "User"}, one.end);
            EXPECT_TRUE(replayed) << one.name;
            EXPECT_EQ(replayed->version, one.version) << one.name;
            EXPECT_EQ(replayed->state, Json::parse(one.state)) << one.name;
        }
        EXPECT_EQ((co_await replay({"s", {}}, {{}, 999})).error().code(), Errc::not_found);
        EXPECT_EQ((co_await replay({"s", {}}, {0, {}})).error().code(), Errc::not_found);
    });
}

TEST_P(EventServiceTest, ReplayFoldsMoreEventsThanOnePage)
{
    EXPECT_TRUE(database_->run_now([](sql::Connection& c) -> Result<void> {
        for (int i = 1; i <= 1203; ++i)
            if (auto stored = store::Events(c).append(event_of("s", "kim", {{"n", i}}, i)); !stored)
                return stored.error();
        return {};
    }));
    test::run([&]() -> Task<void> {
        EXPECT_EQ((co_await replay({"s", {}})).value().state["n"], 1203);
        EXPECT_EQ((co_await replay({"s", {}}, {777, {}})).value().state["n"], 777);
        EXPECT_EQ((co_await replay({"s", {}}, {{}, 1000})).value().state["n"], 1000);
    });
}

TEST_P(EventServiceTest, WhatAReaderMayNotSeeIsNotThere)
{
    append_silently(event_of("s", "kim", {{"n", 1}}, 1));
    append_silently(event_of("s", "kim", {{"n", 2}}, 2));
    append_silently(event_of("t", "lee", {{"n", 3}}, 3));
    test::run([&]() -> Task<void> {
        const Reader kim{"kim", false}, lee{"lee", false}, admin{"root", true};
        for (const auto& foreign : {AggregateName{"s", {}}, AggregateName{"s", "Session"}, AggregateName{"none", {}}}) {
            EXPECT_EQ((co_await service_->of_aggregate(lee, foreign, {})).error().code(), Errc::not_found);
            EXPECT_EQ((co_await replay(foreign, {}, lee)).error().code(), Errc::not_found);
        }
        for (const auto& reader : {kim, admin}) {
            EXPECT_EQ((co_await replay({"s", {}}, {}, reader)).value().version, 2);
            EXPECT_EQ((co_await service_->of_aggregate(reader, {"s", {}}, {})).value().events.size(), 2u);
        }
        using SeenPositions = std::vector<std::int64_t>;
        EXPECT_EQ(co_await audit(kim), (SeenPositions{2, 1}));
        EXPECT_EQ(co_await audit(lee), SeenPositions{3});
        EXPECT_EQ(co_await audit(admin), (SeenPositions{3, 2, 1}));
        AuditFilter of_lee;
        of_lee.user_id = "lee";
        EXPECT_EQ(co_await audit(kim, of_lee), SeenPositions{});
        EXPECT_EQ(co_await audit(admin, of_lee), SeenPositions{3});
    });
}

TEST_P(EventServiceTest, AnIdOfSeveralAggregatesNeedsItsType)
{
    append_silently(event_of("x"));
    auto role = event_of("x");
    role.aggregate_type = "Role";
    append_silently(role);
    test::run([&]() -> Task<void> {
        const auto unclear = co_await replay({"x", {}});
        EXPECT_EQ(unclear.error().code(), Errc::invalid_argument);
        EXPECT_EQ(unclear.error().param(), "aggregate_type");
        EXPECT_EQ((co_await replay({"x", "Role"})).value().aggregate_type, "Role");
        EXPECT_EQ((co_await replay({"x", "User"})).error().code(), Errc::not_found);
    });
}

TEST_P(EventServiceTest, PagesFollowEachOther)
{
    for (int i = 1; i <= 5; ++i)
        append_silently(event_of("s", "kim", {}, i));
    test::run([&]() -> Task<void> {
        std::vector<std::int64_t> versions, positions;
        VersionRange range{1, 2};
        for (std::optional<std::int64_t> next = 1; next;) {
            range.from = *next;
            auto page = (co_await service_->of_aggregate({"kim", false}, {"s", {}}, range)).value();
            for (const auto& event : page.events)
                versions.push_back(event.version);
            next = page.next;
        }
        AuditFilter filter;
        filter.limit = 2;
        do {
            auto page = (co_await service_->audit({"kim", false}, filter)).value();
            for (const auto& event : page.events)
                positions.push_back(event.position);
            filter.before = page.next;
        } while (filter.before);
        EXPECT_EQ(versions, (std::vector<std::int64_t>{1, 2, 3, 4, 5}));
        EXPECT_EQ(positions, (std::vector<std::int64_t>{5, 4, 3, 2, 1}));
    });
}

INSTANTIATE_TEST_SUITE_P(Drivers, EventServiceTest, testing::ValuesIn(test::all_drivers()), test::driver_name);

}  // namespace
}  // namespace dure::events
