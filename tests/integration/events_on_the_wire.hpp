// For tests of the event routes: a server on either database, an administrator and two people with tokens.
#pragma once

#include <gtest/gtest.h>

#include <set>

#include "dure/base/clock.hpp"
#include "support/raw_http.hpp"
#include "support/server_on_postgres.hpp"

namespace dure::test {

struct Person {
    const ServerProcess* server = nullptr;
    std::string id;
    std::string token;

    std::string new_session(const std::string& title) const
    {
        const auto made =
            fetch(server->port(), raw_request("POST", "/api/chat/session", token, Json{{"title", title}}.dump()));
        EXPECT_EQ(made.status, 201) << made.body;
        return made.json().value("session_id", "");
    }
    void say(const std::string& session, const std::string& message, const std::string& model = "mock") const
    {
        const auto body = Json{{"session_id", session}, {"message", message}, {"model", model}}.dump();
        const auto said = fetch(server->port(), raw_request("POST", "/api/chat/message", token, body));
        EXPECT_EQ(said.status, 200) << said.body;
    }
};

inline std::string today()
{
    return rfc3339(SystemClock().now()).substr(0, 10);
}

class EventsOnTheWire : public testing::TestWithParam<std::string> {
protected:
    EventsOnTheWire() : server(options(GetParam()))
    {
        const std::string first = "a long enough password of the first";
        admin = log_in("admin%40localhost", GetParam() == "sqlite" ? server.value_of("admin password:") : first);
        kim = enroll("kim");
        lee = enroll("lee");
    }

    static ServerProcess::Options options(const std::string& database)
    {
        const std::string configuration =
            "[log]\nlevel = \"warn\"\n[auth]\nregistration = \"open\"\n"
            "[limits.user]\nrequests_per_minute = 100000\nchat_per_minute = 100000\n"
            "[limits.anonymous]\nrequests_per_minute = 100000\nchat_per_minute = 100000\n";
        if (database == "postgres")
            return on_postgres(fresh_schema(), configuration);
        return {.configuration = configuration, .environment = {}, .arguments = {}};
    }

    Person log_in(const std::string& name, std::string password) const
    {
        for (auto& c : password)
            c = c == ' ' ? '+' : c;
        const auto answer = fetch(server.port(), raw_request("POST", "/auth/jwt/login", {},
                                                             "username=" + name + "&password=" + password,
                                                             {{"Content-Type", "application/x-www-form-urlencoded"}}));
        EXPECT_EQ(answer.status, 200) << answer.body;
        Person person{&server, {}, answer.json().value("access_token", "")};
        person.id = fetch(server.port(), raw_request("GET", "/users/me", person.token)).json().value("id", "");
        return person;
    }
    Person enroll(const std::string& name) const
    {
        const Json body{{"email", name + "@example.kr"}, {"password", "correct horse battery"}};
        EXPECT_EQ(fetch(server.port(), raw_request("POST", "/auth/register", {}, body.dump())).status, 201);
        return log_in(name + "%40example.kr", "correct horse battery");
    }

    RawAnswer ask(const Person& who, const std::string& target) const { return ask_to(who, "GET", target); }
    RawAnswer ask_to(const Person& who, const std::string& method, const std::string& target) const
    {
        return fetch(server.port(), raw_request(method, target, who.token));
    }
    std::set<std::string> types_seen_by(const Person& who) const
    {
        std::set<std::string> types;
        const auto answer = ask(who, "/api/events/audit?limit=100").json();
        for (const auto& event : answer.at("events"))
            types.insert(event.at("event_type").get<std::string>());
        return types;
    }
    // Of the administrator, at most 100.
    std::size_t count_of(const std::string& type) const
    {
        return ask(admin, "/api/events/audit?limit=100&event_type=" + type + "&user_id=" + admin.id)
            .json()
            .at("events")
            .size();
    }

    ServerProcess server;
    Person admin, kim, lee;
};

}  // namespace dure::test
