// What is on record although it changes nothing: refused permissions, reads of others' data, tool runs outside of turns.
#include "dure/events/access_audit.hpp"

#include "auth/stepped_clock.hpp"
#include "dure/base/text.hpp"
#include "events/events_fixture.hpp"

namespace dure::events {
namespace {

class AccessAuditTest : public EventsFixture {
protected:
    std::vector<model::Event> recorded(const std::string& type)
    {
        store::AuditQuery query;
        query.event_type = type;
        query.limit = 100;
        auto events = from<store::Events>([&](store::Events all) { return all.audit(query); }).value();
        std::reverse(events.begin(), events.end());  // oldest first
        return events;
    }
    void break_the_store() { rename("events", "away"); }
    void mend_the_store() { rename("away", "events"); }

    static model::Actor actor(const std::string& user = "kim") { return {user, "k1", "r1", "192.0.2.7"}; }

    test::TemporaryFolder folder_;
    Logger logger_{{.file = folder_.file("log")}};
    auth::HandClock hand_;

private:
    void rename(const std::string& one, const std::string& other)
    {
        ASSERT_TRUE(database_->run_now(
            [&](sql::Connection& c) { return c.run_script("ALTER TABLE " + one + " RENAME TO " + other); }));
    }
};

const AccessRequest users_list{"GET", "/users"};

TEST_P(AccessAuditTest, ARefusalSaysWhoWhatAndFromWhere)
{
    Journal journal(*database_, *bus_, hand_);
    AccessAudit audit(journal, hand_, logger_);
    test::run([&]() -> Task<void> { co_await audit.refused(actor(), users_list, "users:manage"); });
    const auto events = recorded("PermissionDenied");
    ASSERT_EQ(events.size(), 1u);
    const auto& event = events.front();
    EXPECT_EQ(event.owner_id, "kim");
    EXPECT_EQ(event.user_id, "kim");
    EXPECT_EQ(event.metadata,
              (Json{{"user_id", "kim"}, {"key_id", "k1"}, {"request_id", "r1"}, {"address", "192.0.2.7"}}));
    const auto& refusal = event.data.at("last_refusal");
    EXPECT_EQ(refusal.at("method"), "GET");
    EXPECT_EQ(refusal.at("route"), "/users");
    EXPECT_EQ(refusal.at("permission"), "users:manage");
}

TEST_P(AccessAuditTest, AFloodOfRefusalsLeavesABoundedNumberOfEventsAndACountOfTheRest)
{
    Journal journal(*database_, *bus_, hand_);
    AccessAudit audit(journal, hand_, logger_, {.refusals_of_one = 3, .refusals_of_all = 5});
    test::run([&]() -> Task<void> {
        for (int i = 0; i < 50; ++i)
            for (const auto* user : {"kim", "lee", "park"})
                co_await audit.refused(actor(user), users_list, "users:manage");
    });
    EXPECT_EQ(recorded("PermissionDenied").size(), 5u);
    EXPECT_EQ(audit.refusals_only_counted(), 145u);
    hand_.step(std::chrono::seconds(61));
    test::run([&]() -> Task<void> {
        co_await audit.refused(actor(), users_list, "users:manage");
        co_await audit.refused(actor(), users_list, "users:manage");
    });
    const auto events = recorded("PermissionDenied");
    ASSERT_EQ(events.size(), 7u);
    EXPECT_EQ(events[5].data.at("last_refusal").at("not_recorded_before"), 145);
    EXPECT_EQ(events[6].data.at("last_refusal").at("not_recorded_before"), 0);
}

TEST_P(AccessAuditTest, TheSameReadAgainLeavesOneEventAMinute)
{
    Journal journal(*database_, *bus_, hand_);
    AccessAudit audit(journal, hand_, logger_);
    test::run([&]() -> Task<void> {
        for (int i = 0; i < 3; ++i)
            EXPECT_TRUE(co_await audit.read_of_others(actor(), {"GET", "/users/{id}"}, "lee"));
        EXPECT_TRUE(co_await audit.read_of_others(actor(), {"GET", "/users/{id}"}, "park"));
        EXPECT_TRUE(co_await audit.read_of_others(actor("lee"), {"GET", "/users/{id}"}, "park"));
        EXPECT_TRUE(co_await audit.read_of_others(actor(), users_list, {}));
        hand_.step(std::chrono::seconds(61));
        EXPECT_TRUE(co_await audit.read_of_others(actor(), {"GET", "/users/{id}"}, "lee"));
    });
    const auto events = recorded("DataOfOthersRead");
    ASSERT_EQ(events.size(), 5u);
    EXPECT_EQ(events[0].data.at("last_read"), (Json{{"method", "GET"}, {"route", "/users/{id}"}, {"subject", "lee"}}));
    EXPECT_EQ(events[3].data.at("last_read").at("subject"), nullptr);
}

TEST_P(AccessAuditTest, AReadThatCannotBePutOnRecordIsAnErrorUntilItCan)
{
    Journal journal(*database_, *bus_, hand_);
    AccessAudit audit(journal, hand_, logger_);
    break_the_store();
    test::run([&]() -> Task<void> {
        EXPECT_FALSE(co_await audit.read_of_others(actor(), users_list, {}));
        EXPECT_FALSE(co_await audit.read_of_others(actor(), users_list, {}));
        co_await audit.refused(actor(), users_list, "users:manage");  // stands, and is in the log
    });
    mend_the_store();
    test::run([&]() -> Task<void> { EXPECT_TRUE(co_await audit.read_of_others(actor(), users_list, {})); });
    EXPECT_EQ(recorded("DataOfOthersRead").size(), 1u);
    logger_.flush();
    std::ifstream log(folder_.file("log"));
    EXPECT_NE(std::string(std::istreambuf_iterator<char>(log), {}).find("not on record"), std::string::npos);
}

TEST_P(AccessAuditTest, EveryToolRunIsAnEventWithTheHashOfItsArguments)
{
    Journal journal(*database_, *bus_, hand_);
    AccessAudit audit(journal, hand_, logger_);
    test::run([&]() -> Task<void> {
        EXPECT_TRUE(co_await audit.tool_runs(
            actor(), {{"calculator", R"({"expression":"1+1"})", true, 3}, {std::string(5000, 'x'), "{}", false, 0}}));
        EXPECT_TRUE(co_await audit.tool_runs(actor(), {}));
    });
    const auto events = recorded("ToolExecuted");
    ASSERT_EQ(events.size(), 2u);
    EXPECT_EQ(events[0].data.at("name"), "calculator");
    EXPECT_EQ(events[0].data.at("arguments_sha256"), hex(sha256(R"({"expression":"1+1"})")));
    EXPECT_EQ(events[0].data.at("success"), true);
    EXPECT_EQ(events[0].data.at("duration_ms"), 3);
    EXPECT_EQ(events[1].data.at("name").get<std::string>().size(), 128u);
    EXPECT_NE(events[0].aggregate_id, events[1].aggregate_id);
    EXPECT_EQ(events[0].metadata.at("request_id"), "r1");
}

INSTANTIATE_TEST_SUITE_P(Drivers, AccessAuditTest, testing::ValuesIn(test::all_drivers()), test::driver_name);

}  // namespace
}  // namespace dure::events
