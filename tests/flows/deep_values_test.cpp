// JSON nested without end, from a message, a template or a loop that wraps its own state: refused, as copying and writing it goes
// level by level on the stack.
#include <gtest/gtest.h>

#include "flows/compiler_fixture.hpp"

namespace dure::flows {
namespace deep_values_test {

std::string nested(std::size_t levels)
{
    return std::string(levels, '[') + std::string(levels, ']');
}

class DeepValues : public CompilerTest {};

TEST_F(DeepValues, OfTextAreNoJson)
{
    const Json reading = {{"outputs", {{"v", "{{start.message | parse_json}}"}}}};
    compile(drawn_flow({{"start", "start"}, {"end", "end", reading}}, {"start>end"}));
    run(nested(200'000));
    EXPECT_NE(failure().find("parse_json"), std::string::npos) << failure();
    run(nested(40));
    EXPECT_EQ(failure(), "");
    EXPECT_EQ(output().at("outputs").at("v"), Json::parse(nested(40)));

    const Json filling = {{"text", "{{start.message}}"}, {"as", "json"}};
    compile(drawn_flow({{"start", "start"}, {"t", "template", filling}}, {"start>t"}));
    run(nested(200'000));
    EXPECT_NE(failure().find("no JSON"), std::string::npos) << failure();
}

TEST_F(DeepValues, DoNotGrowRoundByRound)
{
    const Json wrap = {{"ops", {{{"target", "state.s"}, {"op", "set"}, {"value", {"{{state.s}}"}}}}}};
    const auto wrapping = [&](int rounds) {
        return drawn_flow({{"start", "start"},
                           {"loop", "loop", {{"max_rounds", rounds}}},
                           {"wrap", "set", wrap, {{"parent", "loop"}}},
                           {"end", "end", {{"outputs", {{"s", "{{state.s}}"}}}}}},
                          {"start>loop", "loop>end"},
                          {{"state", {{{"name", "s"}, {"type", "any"}, {"default", "x"}}}}});
    };
    compile(wrapping(50));
    run();
    EXPECT_EQ(failure(), "");
    EXPECT_EQ(output().at("outputs").at("s").dump(), std::string(50, '[') + "\"x\"" + std::string(50, ']'));
    compile(wrapping(1000));
    run();
    EXPECT_NE(failure().find("nested deeper than 128 levels"), std::string::npos) << failure();
}

}  // namespace deep_values_test
}  // namespace dure::flows
