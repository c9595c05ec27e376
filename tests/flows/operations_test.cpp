// Every operation of `set` (§3) on values, and what it refuses.
#include <gtest/gtest.h>

#include "flows/compiler/operations.hpp"

namespace dure::flows {
namespace operations_test {

struct Done {
    const char* op;
    const char* before;   // empty: not set yet
    const char* value;
    const char* after;    // empty: refused
};

void PrintTo(const Done& done, std::ostream* out)
{
    *out << done.op << " " << done.before << " " << done.value;
}

class SetOperations : public testing::TestWithParam<Done> {};

TEST_P(SetOperations, GiveTheValueOrRefuse)
{
    const auto& done = GetParam();
    const std::string before = done.before, after = done.after;
    const auto value = after_operation(before.empty() ? std::nullopt : std::optional(Json::parse(before)), done.op,
                                       Json::parse(done.value));
    ASSERT_EQ(value.has_value(), !after.empty());
    if (value) {
        EXPECT_EQ(dump(*value), after);
    } else {
        EXPECT_EQ(value.error().reason(), "set_value");
    }
}

INSTANTIATE_TEST_SUITE_P(
    Values, SetOperations,
    testing::Values(Done{"set", "1", R"({"a":[1]})", R"({"a":[1]})"}, Done{"set", "", "null", "null"},
                    Done{"clear", "[1,2]", "null", "[]"}, Done{"clear", R"({"a":1})", "null", "{}"},
                    Done{"clear", R"("x")", "null", R"("")"}, Done{"clear", "7", "null", "0"},
                    Done{"clear", "true", "null", "false"}, Done{"clear", "", "null", "null"},
                    Done{"append", "[1]", "[2]", "[1,[2]]"}, Done{"append", "", "1", "[1]"},
                    Done{"append", R"("두")", R"("레")", R"("두레")"}, Done{"append", R"("n")", "1", R"("n1")"},
                    Done{"append", "1", "1", ""}, Done{"append", "{}", "1", ""},
                    Done{"extend", "[1]", "[2,3]", "[1,2,3]"}, Done{"extend", "", "[2]", "[2]"},
                    Done{"extend", R"({"a":1})", R"({"b":2,"a":3})", R"({"a":3,"b":2})"},
                    Done{"extend", "[1]", "2", ""}, Done{"extend", R"("a")", R"("b")", ""},
                    Done{"remove_first", "[1,2]", "null", "[2]"}, Done{"remove_last", "[1,2]", "null", "[1]"},
                    Done{"remove_last", "[]", "null", "[]"}, Done{"remove_first", "", "null", ""},
                    Done{"remove_last", R"("ab")", "null", ""}));

INSTANTIATE_TEST_SUITE_P(
    Numbers, SetOperations,
    testing::Values(Done{"add", "2", "3", "5"}, Done{"add", "", "3", "3"}, Done{"add", "null", "3", "3"},
                    Done{"add", "2", "0.5", "2.5"}, Done{"add", "2", R"("3")", ""}, Done{"add", R"("2")", "3", ""},
                    Done{"add", "9223372036854775807", "1", ""},
                    Done{"add", "18446744073709551615", "1", "1.8446744073709552e+19"},
                    Done{"subtract", "2", "5", "-3"}, Done{"subtract", "-9223372036854775807", "2", ""},
                    Done{"multiply", "6", "7", "42"}, Done{"multiply", "9223372036854775807", "2", ""},
                    Done{"multiply", "1e308", "10", ""}, Done{"divide", "6", "3", "2"}, Done{"divide", "7", "2", "3.5"},
                    Done{"divide", "1", "0", ""}, Done{"divide", "1", "0.0", ""},
                    Done{"divide", "-9223372036854775808", "-1", ""}));

}  // namespace operations_test
}  // namespace dure::flows
