// The event store on every driver: versions, order, repeats, conflicts, and what its reads show.
#include "dure/store/events.hpp"

#include <algorithm>
#include <semaphore>
#include <thread>

#include "store/store_fixture.hpp"

namespace dure::store {
namespace {

NewEvent event_on(const std::string& aggregate, const std::string& type = "TurnRecorded",
                  const std::string& owner = "kim", UnixMillis at = 100)
{
    NewEvent event;
    event.aggregate_id = aggregate;
    event.aggregate_type = "Session";
    event.event_type = type;
    event.data = {{"n", at}};
    event.metadata = {{"request_id", "r"}};
    event.owner_id = owner;
    event.user_id = owner;
    event.created_at = at;
    return event;
}

class EventsTest : public StoreTest {
protected:
    Result<model::Event> append(const NewEvent& event, std::optional<std::int64_t> expected = {})
    {
        return in<Events>([&](Events events) { return events.append(event, expected); });
    }
    std::vector<model::Event> after(std::int64_t position, const EventFilter& filter = {}, std::int64_t limit = 100)
    {
        return from<Events>([&](Events events) { return events.after(position, filter, limit); }).value();
    }
    std::vector<std::int64_t> audit(const AuditQuery& query)
    {
        std::vector<std::int64_t> positions;
        for (const auto& event : from<Events>([&](Events events) { return events.audit(query); }).value())
            positions.push_back(event.position);
        return positions;
    }
};

// Of one id as of two types: what one type has behind its cut must not be told after the other's.
TEST_P(EventsTest, ListsOfLongEventsEndByTheirBytesAndLoseNone)
{
    std::vector<std::int64_t> all;
    const auto stored = in<Events>([&](Events events) -> Result<void> {
        for (std::int64_t i = 1; i <= 20; ++i) {
            auto event = event_on("a");
            event.aggregate_type = i % 10 == 0 ? "User" : "Session";
            event.data = {{"text", std::string(i % 3 == 0 ? 3 << 20 : 10, 'x')}};
            const auto added = events.append(event);
            if (!added)
                return added.error();
            all.push_back(added->position);
        }
        return {};
    });
    ASSERT_TRUE(stored) << stored.error().detail();
    const auto walk = [&](auto read) {   // by pages of at most three long ones
        std::vector<std::int64_t> positions;
        for (bool more = true; more;) {
            const Listed<model::Event> part = read(positions.empty() ? 0 : positions.back());
            const auto longs = std::count_if(part.begin(), part.end(), [](const model::Event& event) {
                return event.data.at("text").get_ref<const std::string&>().size() > 10;
            });
            EXPECT_GE(longs, part.cut ? 3 : 0);
            EXPECT_LE(longs, 4);   // four: of two types
            for (const auto& event : part)
                positions.push_back(event.position);
            more = part.cut && !part.empty();
        }
        return positions;
    };
    EXPECT_EQ(walk([&](std::int64_t behind) {
                  return from<Events>([&](Events events) { return events.after(behind, {}, 1000); }).value();
              }),
              all);
    EXPECT_EQ(walk([&](std::int64_t behind) {
                  return from<Events>([&](Events events) { return events.after(behind, {{}, "a"}, 1000); }).value();
              }),
              all);
    auto newest_first = walk([&](std::int64_t behind) {
        AuditQuery query;
        query.limit = 100;
        if (behind > 0)
            query.before = behind;
        return from<Events>([&](Events events) { return events.audit(query); }).value();
    });
    std::reverse(newest_first.begin(), newest_first.end());
    EXPECT_EQ(newest_first, all);
    std::int64_t version = 0;   // of the sessions' events, which are 18
    for (bool more = true; more;) {
        const auto part = from<Events>([&](Events events) {
                              return events.of_aggregate({"a", "Session", {}, version + 1, 1000});
                          }).value();
        for (const auto& event : part)
            EXPECT_EQ(event.version, ++version);
        more = part.cut;
    }
    EXPECT_EQ(version, 18);
}

TEST_P(EventsTest, CountsVersionsPerAggregateAndPositionsOverAll)
{
    EXPECT_EQ(append(event_on("a"))->version, 1);
    EXPECT_EQ(append(event_on("b"))->version, 1);
    auto other_type = event_on("a");
    other_type.aggregate_type = "User";
    EXPECT_EQ(append(other_type)->version, 1);
    const auto last = append(event_on("a"), 1).value();
    EXPECT_EQ(last.version, 2);
    EXPECT_EQ(last.position, 4);
    EXPECT_EQ(from<Events>([](Events events) { return events.last_position(); }).value(), 4);
}

TEST_P(EventsTest, GivesBackWhatWasStored)
{
    auto fresh = event_on("a", "SessionCreated", "kim", 1234);
    fresh.event_id = "e1";
    fresh.user_id = "admin";
    fresh.data = {{"title", "제목"}, {"turns", 3}};
    const auto stored = append(fresh).value();
    const auto found = from<Events>([](Events events) { return events.find("e1"); }).value();
    for (const auto& event : {stored, found}) {
        EXPECT_EQ(event.position, 1);
        EXPECT_EQ(event.event_id, "e1");
        EXPECT_EQ(event.aggregate_id, "a");
        EXPECT_EQ(event.aggregate_type, "Session");
        EXPECT_EQ(event.version, 1);
        EXPECT_EQ(event.event_type, "SessionCreated");
        EXPECT_EQ(event.data, fresh.data);
        EXPECT_EQ(event.metadata, fresh.metadata);
        EXPECT_EQ(event.owner_id, "kim");
        EXPECT_EQ(event.user_id, "admin");
        EXPECT_EQ(event.created_at, 1234);
    }
}

TEST_P(EventsTest, AWrongExpectedVersionConflictsAndLeavesNothing)
{
    ASSERT_TRUE(append(event_on("a"), 0));
    for (const std::int64_t wrong : {0, 2, -1, 100}) {
        const auto refused = append(event_on("a"), wrong);
        ASSERT_FALSE(refused) << wrong;
        EXPECT_EQ(refused.error().code(), Errc::conflict);
        EXPECT_EQ(refused.error().reason(), "version_conflict");
    }
    const auto next = append(event_on("a"), 1).value();
    EXPECT_EQ(next.version, 2);
    EXPECT_EQ(next.position, 2);   // no position was used up
}

TEST_P(EventsTest, TheSameEventIdGivesTheFirstResultAndNoSecondRow)
{
    auto fresh = event_on("a");
    fresh.event_id = "e1";
    const auto first = append(fresh, 0).value();
    ASSERT_TRUE(append(event_on("a")));
    auto again = fresh;
    again.data = {{"other", true}};
    for (const auto& expected :
         {std::optional<std::int64_t>(), std::optional<std::int64_t>(0), std::optional<std::int64_t>(9)}) {
        const auto repeated = append(again, expected).value();
        EXPECT_EQ(repeated.position, first.position);
        EXPECT_EQ(repeated.version, first.version);
        EXPECT_EQ(repeated.data, first.data);
    }
    EXPECT_EQ(after(0).size(), 2u);
    EXPECT_EQ(append(event_on("b"))->position, 3);
}

TEST_P(EventsTest, AnEventIdOfAnotherEventIsTaken)
{
    auto fresh = event_on("a");
    fresh.event_id = "e1";
    ASSERT_TRUE(append(fresh));
    auto aggregate = fresh, type = fresh, owner = fresh;
    aggregate.aggregate_id = "b";
    type.event_type = "SessionDeleted";
    owner.owner_id = "lee";
    for (const auto& other : {aggregate, type, owner})
        EXPECT_EQ(append(other).error().reason(), "event_id_taken");
}

TEST_P(EventsTest, AUnitThatFailsLeavesNoEventAndNoGap)
{
    const auto failed = database_->run_now([](sql::Connection& c) -> Result<int> {
        EXPECT_TRUE(Events(c).append(event_on("a")));
        return Error(Errc::conflict, "changed my mind");
    });
    EXPECT_FALSE(failed);
    EXPECT_TRUE(after(0).empty());
    EXPECT_EQ(append(event_on("a"))->position, 1);
}

TEST_P(EventsTest, NoReaderSeesAPositionBeforeTheOnesBelowItAreDecided)
{
    std::binary_semaphore appended(0), go_on(0);
    std::thread slow([&] {
        EXPECT_TRUE(database_->run_now([&](sql::Connection& c) -> Result<int> {
            EXPECT_EQ(Events(c).append(event_on("slow"))->position, 1);
            appended.release();
            go_on.acquire();
            return 1;
        }));
    });
    appended.acquire();
    EXPECT_TRUE(after(0).empty());
    std::atomic<bool> second_done = false;
    std::thread quick([&] {
        EXPECT_EQ(append(event_on("quick"))->position, 2);
        second_done = true;
    });
    const auto until = Steady::now() + std::chrono::milliseconds(200);
    while (Steady::now() < until)
        EXPECT_FALSE(second_done);   // a reader would see 2 without 1
    go_on.release();
    slow.join();
    quick.join();
    const auto all = after(0);
    ASSERT_EQ(all.size(), 2u);
    EXPECT_EQ(all[0].aggregate_id, "slow");
    EXPECT_EQ(all[1].aggregate_id, "quick");
}

TEST_P(EventsTest, ReadsShowTheOwnersEventsOldestFirst)
{
    for (int i = 1; i <= 5; ++i)
        ASSERT_TRUE(append(event_on("a", "TurnRecorded", "kim", i)));
    ASSERT_TRUE(append(event_on("b", "TurnRecorded", "lee")));

    const auto read = [&](AggregateQuery query) {
        std::vector<std::int64_t> versions;
        for (const auto& event : from<Events>([&](Events events) { return events.of_aggregate(query); }).value())
            versions.push_back(event.version);
        return versions;
    };
    using Versions = std::vector<std::int64_t>;
    EXPECT_EQ(read({"a", "Session", "kim", 1, 100}), (Versions{1, 2, 3, 4, 5}));
    EXPECT_EQ(read({"a", {}, {}, 3, 2}), (Versions{3, 4}));
    EXPECT_EQ(read({"a", "Session", "lee", 1, 100}), Versions{});
    EXPECT_EQ(read({"a", "User", {}, 1, 100}), Versions{});
    EXPECT_EQ(read({"none", {}, {}, 1, 100}), Versions{});

    EXPECT_EQ(after(2, {}, 3).size(), 3u);
    EXPECT_EQ(after(2, {}, 3).front().position, 3);
    EXPECT_EQ(after(0, {"lee", {}}).size(), 1u);
    EXPECT_EQ(after(0, {{}, "a"}).size(), 5u);
    EXPECT_EQ(after(0, {"lee", "a"}).size(), 0u);
    const auto types = [&](std::optional<std::string> owner) {
        return from<Events>([&](Events events) { return events.types_of("a", owner); }).value();
    };
    EXPECT_EQ(types({}), std::vector<std::string>{"Session"});
    EXPECT_EQ(types("lee"), std::vector<std::string>{});
}

TEST_P(EventsTest, TheAuditQueryFiltersAndPagesNewestFirst)
{
    ASSERT_TRUE(append(event_on("a", "SessionCreated", "kim", 10)));
    ASSERT_TRUE(append(event_on("a", "TurnRecorded", "kim", 20)));
    ASSERT_TRUE(append(event_on("b", "SessionCreated", "lee", 30)));
    auto by_admin = event_on("a", "SessionDeleted", "kim", 40);
    by_admin.user_id = "admin";
    ASSERT_TRUE(append(by_admin));

    struct Case {
        const char* name;
        std::function<void(AuditQuery&)> set;
        std::vector<std::int64_t> positions;
    };
    const std::vector<Case> cases{
        {"everything", [](AuditQuery&) {}, {4, 3, 2, 1}},
        {"an owner", [](AuditQuery& q) { q.owner_id = "kim"; }, {4, 2, 1}},
        {"a user", [](AuditQuery& q) { q.user_id = "kim"; }, {2, 1}},
        {"a type", [](AuditQuery& q) { q.event_type = "SessionCreated"; }, {3, 1}},
        {"from, inclusive", [](AuditQuery& q) { q.from = 20; }, {4, 3, 2}},
        {"to, exclusive", [](AuditQuery& q) { q.to = 20; }, {1}},
        {"between", [](AuditQuery& q) { q.from = 20, q.to = 40; }, {3, 2}},
        {"all at once",
         [](AuditQuery& q) { q.owner_id = q.user_id = "kim", q.event_type = "TurnRecorded", q.from = 1; },
         {2}},
        {"first page", [](AuditQuery& q) { q.limit = 2; }, {4, 3}},
        {"next page", [](AuditQuery& q) { q.limit = 2, q.before = 3; }, {2, 1}},
        {"text that looks like SQL", [](AuditQuery& q) { q.user_id = "kim' OR '1'='1"; }, {}},
    };
    for (const auto& one : cases) {
        AuditQuery query;
        one.set(query);
        EXPECT_EQ(audit(query), one.positions) << one.name;
    }
}

// What users do with their own things and with those of others is found by two indexes.
TEST_P(EventsTest, TheAuditQueryFindsWhatAUserDidWhoeverOwnsIt)
{
    for (int i = 0; i < 6; ++i) {
        auto fresh = event_on(i % 2 ? "a" : "b", i < 4 ? "TurnRecorded" : "SessionRenamed", i % 2 ? "kim" : "lee", i);
        fresh.user_id = i == 3 ? "admin" : "kim";
        ASSERT_TRUE(append(fresh));
    }
    AuditQuery query;
    query.user_id = "kim";
    EXPECT_EQ(audit(query), (std::vector<std::int64_t>{6, 5, 3, 2, 1}));
    query.limit = 2;
    EXPECT_EQ(audit(query), (std::vector<std::int64_t>{6, 5}));
    query.before = 5;
    EXPECT_EQ(audit(query), (std::vector<std::int64_t>{3, 2}));
    query.owner_id = "lee";
    EXPECT_EQ(audit(query), (std::vector<std::int64_t>{3, 1}));
    query.event_type = "SessionRenamed";
    query.before.reset();
    EXPECT_EQ(audit(query), (std::vector<std::int64_t>{5}));
    query.user_id = "admin";
    EXPECT_EQ(audit(query), std::vector<std::int64_t>{});
}

// More of them than the positions of a block; of one of the types few.
TEST_P(EventsTest, TheAuditQueryFindsATypeInEveryBlock)
{
    std::vector<std::int64_t> rare;
    const auto stored = in<Events>([&](Events events) -> Result<void> {
        for (int i = 1; i <= 200; ++i) {
            const auto type = i % 50 == 0 ? "SessionRenamed" : "TurnRecorded";
            const auto added = events.append(event_on("a", type, i % 3 == 0 ? "lee" : "kim", i));
            if (!added)
                return added.error();
            if (i % 50 == 0)
                rare.insert(rare.begin(), added->position);
        }
        return {};
    });
    ASSERT_TRUE(stored);
    AuditQuery query;
    query.event_type = "SessionRenamed";
    EXPECT_EQ(audit(query), rare);
    query.before = rare[1];
    EXPECT_EQ(audit(query), (std::vector<std::int64_t>{rare[2], rare[3]}));
    query.before.reset();
    query.owner_id = query.user_id = "lee";
    EXPECT_EQ(audit(query), std::vector<std::int64_t>{rare[1]});
    query = {};
    query.event_type = "TurnRecorded";
    query.limit = 100;
    const auto newest = audit(query);
    ASSERT_EQ(newest.size(), 100u);
    query.before = newest.back();
    EXPECT_EQ(audit(query).size(), 96u);
    query.before.reset();
    query.from = 190;
    EXPECT_EQ(audit(query).size(), 10u);
}

// More events than a chain has between two that are indexed, of two aggregates, two types and two owners in turn.
class LongAggregatesTest : public EventsTest {
protected:
    static constexpr std::int64_t rounds = 150;

    void SetUp() override
    {
        EventsTest::SetUp();
        const auto stored = database_->run_now([this](sql::Connection& c) -> Result<void> {
            for (std::int64_t i = 0; i < rounds; ++i)
                for (const auto& [aggregate, type] :
                     {std::pair("a", "Session"), std::pair("a", "User"), std::pair("b", "Session")}) {
                    auto event = event_on(aggregate, "TurnRecorded", i % 5 == 4 ? "lee" : "kim");
                    event.aggregate_type = type;
                    auto added = Events(c).append(event);
                    if (!added)
                        return added.error();
                    all_.push_back(*added);
                }
            return {};
        });
        ASSERT_TRUE(stored) << stored.error().detail();
    }
    // Positions of the stored events that `wanted` says yes to, oldest first, or type by type.
    template <class Wanted>
    std::vector<std::int64_t> expected(Wanted wanted, std::size_t limit, bool by_type)
    {
        std::vector<const model::Event*> chosen;
        for (const auto& event : all_)
            if (wanted(event))
                chosen.push_back(&event);
        if (by_type)
            std::sort(chosen.begin(), chosen.end(), [](const auto* a, const auto* b) {
                return std::tie(a->aggregate_type, a->position) < std::tie(b->aggregate_type, b->position);
            });
        std::vector<std::int64_t> positions;
        for (std::size_t i = 0; i < std::min(limit, chosen.size()); ++i)
            positions.push_back(chosen[i]->position);
        return positions;
    }
    static std::vector<std::int64_t> positions_of(const std::vector<model::Event>& events)
    {
        std::vector<std::int64_t> positions;
        for (const auto& event : events)
            positions.push_back(event.position);
        return positions;
    }

    std::vector<model::Event> all_;
};

TEST_P(LongAggregatesTest, AnAggregateIsReadFromAnyVersionOn)
{
    for (const std::optional<std::string>& type : {std::optional<std::string>(), std::optional<std::string>("Session")})
        for (const std::optional<std::string>& owner :
             {std::optional<std::string>(), std::optional<std::string>("lee")})
            for (const std::int64_t from : {-3, 1, 2, 31, 32, 33, 64, 118, 150, 151})
                for (const std::int64_t limit : {1, 32, 100, 1000}) {
                    const auto found = this->from<Events>(
                        [&](Events events) { return events.of_aggregate({"a", type, owner, from, limit}); });
                    const auto wanted = [&](const model::Event& event) {
                        return event.aggregate_id == "a" && (!type || event.aggregate_type == *type) &&
                               (!owner || event.owner_id == *owner) && event.version >= from;
                    };
                    EXPECT_EQ(positions_of(found.value()), expected(wanted, static_cast<std::size_t>(limit), true))
                        << type.value_or("every type") << " of " << owner.value_or("all") << " from " << from << ", "
                        << limit;
                }
}

TEST_P(LongAggregatesTest, AnAggregateIsFollowedFromAnyPositionOn)
{
    for (const std::optional<std::string>& owner : {std::optional<std::string>(), std::optional<std::string>("lee")})
        for (const std::int64_t position : {0, 1, 94, 95, 96, 97, 287, 449, 450, 999})
            for (const std::int64_t limit : {1, 33, 1000}) {
                const auto wanted = [&](const model::Event& event) {
                    return event.aggregate_id == "a" && event.position > position &&
                           (!owner || event.owner_id == *owner);
                };
                EXPECT_EQ(positions_of(after(position, {owner, "a"}, limit)),
                          expected(wanted, static_cast<std::size_t>(limit), false))
                    << owner.value_or("all") << " behind " << position << ", " << limit;
            }
    EXPECT_TRUE(after(0, {{}, "nobody"}, 10).empty());
}

TEST_P(LongAggregatesTest, ATypeIsNamedToWhoHasAnEventOfIt)
{
    using Types = std::vector<std::string>;
    const auto types = [this](const std::string& aggregate, const std::optional<std::string>& owner) {
        return from<Events>([&](Events events) { return events.types_of(aggregate, owner); }).value();
    };
    EXPECT_EQ(types("a", {}), (Types{"Session", "User"}));
    EXPECT_EQ(types("a", "lee"), (Types{"Session", "User"}));
    EXPECT_EQ(types("b", "kim"), (Types{"Session"}));
    EXPECT_EQ(types("a", "park"), Types());
    EXPECT_EQ(types("nobody", {}), Types());
}

INSTANTIATE_TEST_SUITE_P(Drivers, EventsTest, testing::ValuesIn(test::all_drivers()), test::driver_name);
INSTANTIATE_TEST_SUITE_P(Drivers, LongAggregatesTest, testing::ValuesIn(test::all_drivers()), test::driver_name);

}  // namespace
}  // namespace dure::store
