// What the calculator computes and what it refuses.
#include <gtest/gtest.h>

#include "dure/tools/registry.hpp"
#include "support/run_task.hpp"
#include "tools/calculator.hpp"

namespace dure::tools {
namespace {

// A quotient of two logarithms is off in its last digit, and is shown as it is.
TEST(Calculator, LogarithmsOfPowersAreWhole)
{
    EXPECT_EQ(evaluate("log(1000, 10)").value(), 3.0);
    EXPECT_EQ(evaluate("log(125, 5)").value(), 3.0);
    EXPECT_EQ(evaluate("log(1/8, 2)").value(), -3.0);
    EXPECT_DOUBLE_EQ(evaluate("log(10, 3)").value(), 2.0959032742893848);
    for (const char* wrong : {"log(2, 1)", "log(0, 2)", "log(-8, -2)"})
        EXPECT_FALSE(evaluate(wrong)) << wrong;
}

TEST(Calculator, ComputesWhatPeopleWrite)
{
    struct Case {
        const char* expression;
        double expected;
    };
    const Case cases[] = {
        {"12 * (3 + 4)", 84},
        {"1+2*3", 7},
        {"(1+2)*3", 9},
        {"10-4-3", 3},
        {"100/10/5", 2},
        {"7 % 4", 3},
        {"-7 % 4", -3},
        {"2^3^2", 512},
        {"2**10", 1024},
        {"-2^2", -4},
        {"2^-1", 0.5},
        {"--3", 3},
        {"+-+3", -3},
        {"3 - -3", 6},
        {"5!", 120},
        {"3!!", 720},
        {"-3!", -6},
        {"2^3!", 64},
        {"0!", 1},
        {".5 + 1.", 1.5},
        {"1e3 + 2.5E-1", 1000.25},
        {"0.1 + 0.2", 0.1 + 0.2},
        {"sqrt(16) + cbrt(27) + abs(-3)", 10},
        {"min(3, 1, 2) + max(4, 9)", 10},
        {"round(2.5) + floor(2.9) + ceil(2.1)", 8},
        {"ln(e) + log(1000) + log2(8) + log10(10)", 8},
        {"log(81, 3)", 4},
        {"pow(2, 0.5) * pow(2, 0.5)", 2.0000000000000004},
        {"exp(0) + cos(0) + sin(0) + tan(0)", 2},
        {"asin(0) + acos(1) + atan(0)", 0},
        {"2*pi", 6.283185307179586},
        {" 1\t+\n2 ", 3},
        {"6 × 7 ÷ 2 − 1", 20},
        {"１２＊（３＋４）", 84},
        {"２　＋　３", 5},
        {"√(9)·π", 3 * 3.141592653589793},
    };
    for (const auto& one : cases) {
        const auto value = evaluate(one.expression);
        ASSERT_TRUE(value.has_value()) << one.expression << ": " << value.error().message();
        EXPECT_DOUBLE_EQ(*value, one.expected) << one.expression;
    }
}

TEST(Calculator, RefusesWithASentenceThatNamesTheReason)
{
    struct Case {
        std::string expression;
        const char* named;
    };
    const Case cases[] = {
        {"", "ends too early"},
        {"   ", "ends too early"},
        {"1 +", "ends too early"},
        {"(1 + 2", "ends too early"},
        {"1 + 2)", "')' at position 6"},
        {"2(3)", "'(' at position 2"},
        {"1 2", "'2' at position 3"},
        {"1..2", "'.'"},
        {".", "'.'"},
        {"1,000", "','"},
        {"1/0", "Division by zero"},
        {"5 % 0", "Division by zero"},
        {"0/0", "Division by zero"},
        {"1e999", "too large"},
        {"10^400", "not a finite number"},
        {"1/exp(1000)", "not a finite number"},
        {"sqrt(-1)", "not a finite number"},
        {"ln(0)", "not a finite number"},
        {"asin(2)", "not a finite number"},
        {"(-8)^(1/3)", "not a finite number"},
        {"171!", "0 to 170"},
        {"(-1)!", "0 to 170"},
        {"1.5!", "0 to 170"},
        {"170!*170!", "not a finite number"},
        {"system(1)", "'system'"},
        {"__import__('os')", "'__import__'"},
        {"x + 1", "'x'"},
        {"inf", "'inf'"},
        {"nan", "'nan'"},
        {"0x10", "'x'"},
        {"sqrt", "parentheses"},
        {"sqrt()", "')'"},
        {"sqrt(1, 2)", "2 arguments"},
        {"pow(1)", "1 arguments"},
        {"1 = 1", "'='"},
        {"1; 2", "';'"},
        {"\"1\"", "'\"'"},
        {"더하기", "no meaning"},
        {"1 + \xff", "UTF-8"},
        {std::string("1\0+2", 4), "control"},
        {"1 \x01", "control"},
        {std::string(1001, '1'), "1000 characters"},
        {std::string(65, '(') + "1" + std::string(65, ')'), "64 levels"},
        {std::string(70, '-') + "1", "64 levels"},
        {std::string(999, '('), "64 levels"},
    };
    for (const auto& one : cases) {
        const auto value = evaluate(one.expression);
        ASSERT_TRUE(value.has_error()) << one.expression;
        EXPECT_NE(value.error().message().find(one.named), std::string::npos) << value.error().message();
    }
}

TEST(Calculator, ReachesItsBounds)
{
    EXPECT_EQ(*evaluate(std::string(64, '(') + "1" + std::string(64, ')')), 1);
    EXPECT_EQ(*evaluate(std::string(64, '-') + "1"), 1);
    EXPECT_TRUE(evaluate("170!").has_value());
    std::string longest = "1";
    while (longest.size() + 2 <= longest_expression)
        longest += "+1";
    EXPECT_EQ(*evaluate(longest), 500);
    EXPECT_EQ(*evaluate("1" + std::string(999, ' ')), 1);
}

TEST(Calculator, PrintsWholeNumbersWithoutAFractionAndOthersShort)
{
    struct Case {
        const char* expression;
        const char* printed;
    };
    const Case cases[] = {{"12 * (3 + 4)", "84"},
                          {"7/2", "3.5"},
                          {"0.1+0.2", "0.30000000000000004"},
                          {"-0", "0"},
                          {"0.1", "0.1"},
                          {"2^53", "9007199254740992"},
                          {"20!", "2432902008176640000"},
                          {"1e300", "1e+300"},
                          {"-4/2", "-2"}};
    const auto calculator = make_calculator();
    for (const auto& one : cases) {
        auto arguments = Json::object();
        arguments["expression"] = one.expression;
        dure::test::run([&]() -> Task<void> {
            const Caller caller;
            const auto result = co_await calculator->execute(arguments, caller, Deadline::never());
            EXPECT_TRUE(result.has_value());
            EXPECT_EQ((*result)["result"].dump(), one.printed) << one.expression;
            EXPECT_EQ((*result)["expression"], one.expression);
        });
    }
}

}  // namespace
}  // namespace dure::tools
