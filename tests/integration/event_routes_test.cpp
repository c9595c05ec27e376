// The events over HTTP on both databases: whose they are, pages, dates, states of the past, and what is on record of refusals,
// of reading others' data and of tool runs outside of sessions.
#include <gtest/gtest.h>

#include <set>

#include "dure/base/clock.hpp"
#include "dure/base/text.hpp"
#include "integration/events_on_the_wire.hpp"

namespace dure::test {
namespace event_routes {

class EventRoutes : public EventsOnTheWire {};

TEST_P(EventRoutes, AForeignAggregateIsAnsweredLikeAMissingOne)
{
    const auto session = kim.new_session("private");
    for (const auto* route : {"/api/events/aggregate/", "/api/events/replay/"}) {
        const auto own = ask(kim, route + session);
        ASSERT_EQ(own.status, 200) << own.body;
        const auto foreign = ask(lee, route + session);
        const auto missing = ask(lee, route + std::string("0190a000-0000-7000-8000-000000000000"));
        EXPECT_EQ(foreign.status, 404);
        EXPECT_EQ(missing.status, 404);
        for (const auto* member : {"title", "detail", "code", "type"})
            EXPECT_EQ(foreign.json().value(member, ""), missing.json().value(member, "")) << member;
        EXPECT_EQ(ask(admin, route + session).status, 200);
    }
    const auto events = ask(kim, "/api/events/aggregate/" + session).json();
    ASSERT_EQ(events.at("events").size(), 1u);
    const auto& event = events.at("events").at(0);
    EXPECT_EQ(event.at("event_type"), "SessionCreated");
    EXPECT_EQ(event.at("aggregate_type"), "Session");
    EXPECT_EQ(event.at("version"), 1);
    EXPECT_EQ(event.at("metadata").at("user_id"), kim.id);
    EXPECT_EQ(event.at("data").at("title"), "private");
    EXPECT_EQ(events.at("next"), nullptr);
    EXPECT_EQ(types_seen_by(lee).count("SessionCreated"), 0u);
}

TEST_P(EventRoutes, AnAggregateIsReadInPages)
{
    const auto session = kim.new_session("long");
    for (int i = 0; i < 2; ++i)  // fewer than are summarised
        kim.say(session, "hello");
    std::vector<std::int64_t> versions;
    for (Json next = 1; !next.is_null();) {
        const auto page =
            ask(kim, "/api/events/aggregate/" + session +
                         "?aggregate_type=Session&limit=2&from_version=" + std::to_string(next.get<std::int64_t>()))
                .json();
        for (const auto& event : page.at("events"))
            versions.push_back(event.at("version").get<std::int64_t>());
        next = page.at("next");
    }
    EXPECT_EQ(versions, (std::vector<std::int64_t>{1, 2, 3}));
    EXPECT_EQ(ask(kim, "/api/events/aggregate/" + session + "?aggregate_type=User").status, 404);
    for (const auto* route : {"/api/events/aggregate/", "/api/events/replay/"}) {
        const auto refused = ask(kim, route + session + "?aggregate_type=Sessions");
        EXPECT_EQ(refused.status, 422) << refused.body;
        EXPECT_EQ(refused.json().at("errors").at(0).at("loc"), Json::array({"query", "aggregate_type"}));
    }
}

TEST_P(EventRoutes, ReplayGoesToAVersionAndToATime)
{
    const auto session = kim.new_session("past");
    kim.say(session, "hello");
    const auto events = ask(kim, "/api/events/aggregate/" + session).json().at("events");
    EXPECT_EQ(events.at(1).at("event_type"), "TurnRecorded");
    ASSERT_TRUE(
        eventually([&] { return rfc3339(SystemClock().now()) > events.at(1).at("created_at").get<std::string>(); }));
    ASSERT_EQ(ask_to(kim, "DELETE", "/api/chat/sessions/" + session).status, 204);
    const auto replay = [&](const std::string& query) { return ask(kim, "/api/events/replay/" + session + query); };

    const auto now = replay("").json();
    EXPECT_EQ(now.at("version"), 3);
    EXPECT_EQ(now.at("aggregate_id"), session);
    EXPECT_EQ(now.at("aggregate_type"), "Session");
    EXPECT_EQ(now.at("state").at("is_active"), false);
    const auto first = replay("?to_version=1").json();
    EXPECT_EQ(first.at("version"), 1);
    EXPECT_EQ(first.at("state").at("conversation_turns"), 0);
    EXPECT_EQ(first.at("at"), events.at(0).at("created_at"));
    EXPECT_EQ(replay("?to_version=2").json().at("state").at("conversation_turns"), 1);
    EXPECT_EQ(replay("?to_version=99").json().at("version"), 3);
    const auto at_turn = replay("?at=" + events.at(1).at("created_at").get<std::string>()).json();
    EXPECT_EQ(at_turn.at("version"), 2);
    EXPECT_EQ(at_turn.at("state").at("is_active"), true);
    EXPECT_EQ(replay("?at=" + today()).json().at("version"), 3);  // the day's end
    EXPECT_EQ(replay("?at=2020-01-01T00:00:00Z").status, 404);
}

TEST_P(EventRoutes, TheAuditLogIsPagedByCursorsThatFitTheirQuestionAlone)
{
    for (int i = 0; i < 5; ++i)
        kim.new_session("s" + std::to_string(i));
    const std::string question = "/api/events/audit?event_type=SessionCreated&limit=2";
    std::vector<std::int64_t> positions;
    std::string cursor, first_cursor;
    do {
        const auto page = ask(kim, question + (cursor.empty() ? "" : "&cursor=" + cursor)).json();
        for (const auto& event : page.at("events"))
            positions.push_back(event.at("position").get<std::int64_t>());
        cursor = page.at("next").is_null() ? "" : page.at("next").get<std::string>();
        if (first_cursor.empty())
            first_cursor = cursor;
    } while (!cursor.empty());
    EXPECT_EQ(positions.size(), 5u);
    EXPECT_TRUE(std::is_sorted(positions.rbegin(), positions.rend()));
    EXPECT_EQ(std::set<std::int64_t>(positions.begin(), positions.end()).size(), 5u);

    auto tampered = first_cursor;
    tampered[0] = tampered[0] == '1' ? '2' : '1';
    auto unsigned_one = first_cursor.substr(0, first_cursor.rfind('.') + 1);
    for (const auto& wrong : {tampered, unsigned_one, std::string("1.2.3"), std::string("x"), first_cursor + "A"}) {
        const auto refused = ask(kim, question + "&cursor=" + wrong);
        EXPECT_EQ(refused.status, 422) << wrong;
        EXPECT_NE(refused.body.find("cursor"), std::string::npos);
    }
    EXPECT_EQ(ask(kim, "/api/events/audit?event_type=UserLoggedIn&limit=2&cursor=" + first_cursor).status, 422);
    EXPECT_EQ(ask(lee, question + "&cursor=" + first_cursor).status, 422);
    EXPECT_EQ(ask(admin, question + "&cursor=" + first_cursor).status, 422);
    EXPECT_EQ(ask(kim, question + "&cursor=" + first_cursor).status, 200);
}

TEST_P(EventRoutes, TheAuditLogIsNarrowedByUserTypeAndDates)
{
    kim.new_session("one");
    const auto count = [&](const Person& who, const std::string& query) {
        const auto answer = ask(who, "/api/events/audit?limit=100&event_type=SessionCreated" + query);
        EXPECT_EQ(answer.status, 200) << answer.body;
        return answer.json().at("events").size();
    };
    EXPECT_EQ(count(kim, ""), 1u);
    EXPECT_EQ(count(kim, "&from_date=" + today() + "&to_date=" + today()), 1u);
    EXPECT_EQ(count(kim, "&to_date=2020-01-01"), 0u);
    EXPECT_EQ(count(kim, "&from_date=2100-01-01T00:00:00Z"), 0u);
    EXPECT_EQ(count(admin, "&user_id=" + kim.id), 1u);
    EXPECT_EQ(count(admin, "&user_id=" + lee.id), 0u);
    EXPECT_EQ(count(lee, "&user_id=" + kim.id), 0u) << "what is not one's own is not there";
    const auto at = ask(kim, "/api/events/audit?event_type=SessionCreated")
                        .json()
                        .at("events")
                        .at(0)
                        .at("created_at")
                        .get<std::string>();
    EXPECT_EQ(count(kim, "&from_date=" + at), 1u) << "from is inclusive";
    EXPECT_EQ(count(kim, "&to_date=" + at), 0u) << "to is exclusive";
}

TEST_P(EventRoutes, WrongQueriesAreRefusedByName)
{
    const auto session = kim.new_session("x");
    const struct {
        std::string target;
        const char* names;
    } wrong[]{{"/api/events/aggregate/" + session + "?from_version=0", "from_version"},
              {"/api/events/aggregate/" + session + "?limit=101", "limit"},
              {"/api/events/aggregate/" + session + "?nonsense=1", "nonsense"},
              {"/api/events/replay/" + session + "?to_version=0", "to_version"},
              {"/api/events/replay/" + session + "?to_version=1e3", "to_version"},
              {"/api/events/replay/" + session + "?at=yesterday", "at"},
              {"/api/events/audit?from_date=2026-13-01", "from_date"},
              {"/api/events/audit?to_date=1", "to_date"},
              {"/api/events/audit?limit=0", "limit"},
              {"/api/events/stream?after=-1", "after"},
              {"/api/usage?group_by=hour", "group_by"},
              {"/api/events/audit?from_date=2026-11-02&to_date=2026-10-31", "from_date"},
              {"/api/usage?from=later", "from"},
              {"/api/usage?from=2026-11-02&to=2026-10-31", "from"}};
    for (const auto& [target, names] : wrong) {
        const auto refused = ask(kim, target);
        EXPECT_EQ(refused.status, 422) << target << refused.body;
        EXPECT_NE(refused.body.find(names), std::string::npos) << target << refused.body;
    }
    EXPECT_EQ(ask(kim, "/api/usage?to=9999-12-31").json().value("to", ""), "9999-12-31T23:59:59.999Z")
        << "the day behind it has no form";
}

TEST_P(EventRoutes, RefusedPermissionsAreOnRecordAndAFloodOfThemIsBounded)
{
    for (int i = 0; i < 30; ++i)
        EXPECT_EQ(ask(kim, "/users").status, 403);
    EXPECT_EQ(ask(kim, "/api/keys?user_id=" + lee.id).status, 403);
    const auto events =
        ask(admin, "/api/events/audit?event_type=PermissionDenied&limit=100&user_id=" + kim.id).json().at("events");
    ASSERT_GE(events.size(), 1u);
    EXPECT_LE(events.size(), 20u) << "ten a minute, over two minutes at most";
    const auto& refusal = events.back().at("data").at("last_refusal");
    EXPECT_EQ(refusal.at("method"), "GET");
    EXPECT_EQ(refusal.at("route"), "/users");
    EXPECT_EQ(refusal.at("permission"), "users:manage");
    EXPECT_FALSE(events.back().at("metadata").at("address").get<std::string>().empty());
    EXPECT_EQ(types_seen_by(lee).count("PermissionDenied"), 0u);
}

TEST_P(EventRoutes, WhatAnAdministratorReadsOfOthersIsOnRecordAndTheirOwnIsNot)
{
    const auto session = kim.new_session("private");
    EXPECT_EQ(ask(kim, "/api/events/aggregate/" + session).status, 200);
    EXPECT_EQ(ask(kim, "/api/usage").status, 200);
    EXPECT_EQ(types_seen_by(kim).count("DataOfOthersRead"), 0u);

    const struct {
        std::string target;
        std::string route;
        Json subject;
    } reads[]{{"/users", "/users", nullptr},
              {"/users/" + kim.id, "/users/{id}", kim.id},
              {"/api/keys?user_id=" + kim.id, "/api/keys", kim.id},
              {"/api/usage", "/api/usage", nullptr},
              {"/api/events/aggregate/" + session, "/api/events/aggregate/{id}", session},
              {"/api/events/replay/" + session, "/api/events/replay/{id}", session},
              {"/api/events/audit?event_type=SessionCreated", "/api/events/audit", nullptr}};
    for (const auto& [target, route, subject] : reads) {
        ASSERT_EQ(ask(admin, target).status, 200) << target;
        const auto newest = ask(admin, "/api/events/audit?event_type=DataOfOthersRead&limit=100&user_id=" + admin.id)
                                .json()
                                .at("events");
        bool found = false;
        for (const auto& event : newest) {
            const auto& read = event.at("data").at("last_read");
            found = found || (read.at("route") == route && read.at("subject") == subject);
        }
        EXPECT_TRUE(found) << target;
    }
    const auto before = count_of("DataOfOthersRead");
    EXPECT_EQ(ask(admin, "/users/" + admin.id).status, 200);
    EXPECT_EQ(ask(admin, "/api/keys").status, 200);
    EXPECT_EQ(count_of("DataOfOthersRead"), before);
}

TEST_P(EventRoutes, AToolRunOutsideOfASessionIsAnEventAndOneOfASessionStandsInItsTurn)
{
    const Json question{{"model", "coe-agent-v1"},
                        {"messages", Json::array({{{"role", "user"}, {"content", "12 * (3 + 4)를 계산해 줘"}}})}};
    const auto answer = fetch(server.port(), raw_request("POST", "/v1/chat/completions", kim.token, question.dump()));
    ASSERT_EQ(answer.status, 200) << answer.body;
    const auto runs = ask(kim, "/api/events/audit?event_type=ToolExecuted").json().at("events");
    ASSERT_EQ(runs.size(), 1u);
    EXPECT_EQ(runs.at(0).at("data").at("name"), "calculator");
    EXPECT_EQ(runs.at(0).at("data").at("success"), true);
    EXPECT_EQ(runs.at(0).at("data").at("arguments_sha256").get<std::string>().size(), 64u);
    EXPECT_EQ(runs.at(0).at("metadata").at("request_id"), answer.header("x-request-id"));
    EXPECT_EQ(runs.dump().find("3 + 4"), std::string::npos) << "arguments are in no event";

    const auto session = kim.new_session("with tools");
    kim.say(session, "12 * (3 + 4)를 계산해 줘", "coe-agent-v1");
    EXPECT_EQ(ask(kim, "/api/events/audit?event_type=ToolExecuted").json().at("events").size(), 1u);
    const auto turn = ask(kim, "/api/events/aggregate/" + session).json().at("events").at(1).at("data").at("last_turn");
    EXPECT_EQ(turn.at("tools").at(0).at("name"), "calculator");
}

TEST_P(EventRoutes, UsageIsOnesOwnOrEverybodysForWhomMayManageUsers)
{
    const auto session = kim.new_session("usage");
    kim.say(session, "hello");
    kim.say(session, "hello");
    lee.say(lee.new_session("usage"), "hello");
    const auto rows = [&](const Person& who, const std::string& query) {
        const auto answer = ask(who, "/api/usage" + query);
        EXPECT_EQ(answer.status, 200) << answer.body;
        return answer.json().at("rows");
    };
    const auto requests_of = [](const Json& table, const std::string& user) {
        for (const auto& row : table)
            if (row.at("user_id") == user)
                return row.at("requests").get<int>();
        return 0;
    };
    ASSERT_TRUE(eventually([&] {  // rows of usage are written behind the answer
        const auto all = rows(admin, "?group_by=user");
        return requests_of(all, kim.id) == 2 && requests_of(all, lee.id) == 1;
    }));
    const auto own = rows(kim, "?group_by=user,model");
    ASSERT_EQ(own.size(), 1u);
    EXPECT_EQ(own.at(0).at("user_id"), kim.id);
    EXPECT_EQ(own.at(0).at("model"), "mock");
    EXPECT_EQ(own.at(0).at("requests"), 2);
    EXPECT_GT(own.at(0).at("total_tokens"), 0);
    EXPECT_EQ(rows(kim, "?group_by=day").at(0).at("day"), today());
    EXPECT_TRUE(rows(kim, "?group_by=day&to=2020-01-01&from=2019-01-01").empty());
    EXPECT_EQ(rows(kim, "?group_by=user&from=" + today() + "&to=" + today()).at(0).at("requests"), 2);
}

INSTANTIATE_TEST_SUITE_P(Databases, EventRoutes, testing::Values("sqlite", "postgres"),
                         [](const auto& info) { return info.param; });

}  // namespace event_routes
}  // namespace dure::test
