// What a run tells of its changes to the state of scope session: what it added, or that it replaced the whole.
#include <gtest/gtest.h>

#include "flows/compiler_fixture.hpp"

namespace dure::flows {
namespace session_changes_test {

class SessionChanges : public CompilerTest {
protected:
    static Json operation(const char* name, const char* op, Json value)
    {
        return {{"target", std::string("session.") + name}, {"op", op}, {"value", std::move(value)}};
    }
    static Json state()
    {
        const auto variable = [](const char* name, const char* reducer, Json initial) {
            return Json{{"name", name}, {"reducer", reducer}, {"default", std::move(initial)}, {"scope", "session"}};
        };
        return {{"state", Json::array({variable("sum", "add", 0), variable("list", "append", Json::array()),
                                       variable("map", "merge", Json::object()), variable("one", "last", "")})}};
    }
    // By two nodes, one after the other, with what the session had before.
    Json after(const Json& first, const Json& second)
    {
        compile(drawn_flow({{"start", "start"},
                            {"a", "set", {{"ops", Json::array({first})}}},
                            {"b", "set", {{"ops", Json::array({second})}}}},
                           {"start>a", "a>b"}, state()));
        run_.facts.session_state = {{"sum", 100}, {"list", {"before"}}, {"map", {{"before", 1}}}, {"one", "before"}};
        run();
        EXPECT_EQ(result_.status, graph::RunStatus::success) << failure();
        return output().value("session_changes", Json());
    }
};

TEST_F(SessionChanges, AreWhatWasAdded)
{
    EXPECT_EQ(after(operation("sum", "add", 5), operation("sum", "subtract", 2)), Json::parse(R"({"sum":{"added":3}})"));
    EXPECT_EQ(after(operation("list", "append", Json::array({1, 2})), operation("list", "extend", Json::array({1, 2}))),
              Json::parse(R"({"list":{"added":3}})"));
    EXPECT_EQ(after(operation("map", "extend", {{"a", 1}, {"b", 1}}), operation("map", "extend", {{"b", 2}})),
              Json::parse(R"({"map":{"added":{"a":1,"b":2}}})"));
    EXPECT_EQ(after(operation("sum", "add", 1), operation("list", "append", "x")),
              Json::parse(R"({"sum":{"added":1},"list":{"added":1}})"));
}

TEST_F(SessionChanges, SayWhatWasReplaced)
{
    EXPECT_EQ(after(operation("sum", "add", 5), operation("sum", "set", 2)), Json::parse(R"({"sum":{"replaced":true}})"));
    EXPECT_EQ(after(operation("list", "clear", nullptr), operation("list", "append", 1)),
              Json::parse(R"({"list":{"replaced":true}})"));
    EXPECT_EQ(after(operation("one", "set", "x"), operation("map", "clear", nullptr)),
              Json::parse(R"({"one":{"replaced":true},"map":{"replaced":true}})"));
}

TEST_F(SessionChanges, ComeOutOfTheRoundsOfALoop)
{
    compile(drawn_flow({{"start", "start"},
                        {"box", "loop", {{"max_rounds", 3}}},
                        {"add", "set", {{"ops", Json::array({operation("sum", "add", 2), operation("list", "append", 1)})}},
                         {{"parent", "box"}}}},
                       {"start>box"}, state()));
    run();
    EXPECT_EQ(result_.status, graph::RunStatus::success) << failure();
    EXPECT_EQ(output().at("session_changes"), Json::parse(R"({"sum":{"added":6},"list":{"added":3}})"));
    EXPECT_EQ(output().at("session_state").at("sum"), 6);
}

TEST_F(SessionChanges, AreNoneOfARunThatOnlyReads)
{
    compile(drawn_flow({{"start", "start"}, {"say", "template", {{"text", "{{session.sum}}"}}}}, {"start>say"}, state()));
    run_.facts.session_state = {{"sum", 7}};
    run();
    EXPECT_EQ(output().at("session_state").at("sum"), 7);
    EXPECT_EQ(output().at("session_changes"), Json::object());
}

}  // namespace session_changes_test
}  // namespace dure::flows
