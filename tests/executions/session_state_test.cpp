// leave_session_state(): what an execution leaves that another binary began.
#include "executions/session_state.hpp"

#include "dure/store/migrations.hpp"
#include "support/databases.hpp"

namespace dure::executions {
namespace {

class LeftSessionState : public testing::TestWithParam<test::Driver> {};

Execution in_session(const std::string& id, Json facts)
{
    Execution one;
    one.id = id;
    one.owner_id = "kim";
    one.flow_id = "f";
    one.flow_slug = "slug";
    one.flow_type = "agentflow";
    one.session_id = "s";
    one.facts = std::move(facts);
    return one;
}

// Before session_turn was noted, nothing told what an execution changed: what is not listed may have changed all the same.
TEST_P(LeftSessionState, OfOneThatBeganBeforeChangesWereToldIsItsOwn)
{
    const auto database = GetParam().open_empty({});
    const auto migrated = sql::migrate(*database, store::migrations(), 1);
    ASSERT_TRUE(migrated) << migrated.error().detail();
    const auto state = Json::array({Json{{"name", "runs"}, {"reducer", "add"}, {"scope", "session"}},
                                    Json{{"name", "last"}, {"scope", "session"}}});
    const auto leave = [&](const Execution& execution, const Json& values, const Json& changes) {
        return database->run_now([&](sql::Connection& c) -> Result<Json> {
            ExecutionRows rows(c);
            if (auto added = rows.insert(execution); !added)
                return added.error();
            Json output{{"session_state", values}, {"session_changes", changes}};
            tell_session_changes(output, execution, state);
            Outcome outcome;
            outcome.output = std::move(output);
            if (auto told = leave_session_state(rows, outcome); !told)
                return told.error();
            if (auto left = rows.leave(execution.id, outcome, 1); !left)
                return left.error();
            return std::move(*outcome.output).at("session_state");
        });
    };
    const Json first{{"runs", 1}, {"last", "first"}, {"undeclared", true}};
    const auto began = leave(in_session("e1", {{"session_turn", 0}}), first, Json::object());
    ASSERT_TRUE(began) << began.error().detail();
    const auto older = leave(in_session("e0", Json::object()), {{"runs", 5}, {"last", "older"}}, Json::object());
    ASSERT_TRUE(older) << older.error().detail();
    EXPECT_EQ(*older, (Json{{"runs", 5}, {"last", "older"}, {"undeclared", true}}));
    const auto beside =
        leave(in_session("e2", {{"session_turn", 1}}), {{"runs", 9}, {"last", "beside"}}, {{"runs", {{"added", 2}}}});
    ASSERT_TRUE(beside) << beside.error().detail();
    EXPECT_EQ(*beside, (Json{{"runs", 7}, {"last", "older"}, {"undeclared", true}}));
}

INSTANTIATE_TEST_SUITE_P(Drivers, LeftSessionState, testing::ValuesIn(test::all_drivers()), test::driver_name);

}  // namespace
}  // namespace dure::executions
