// A document in a model's answer: fenced, between words, none, and nested without end.
#include <gtest/gtest.h>

#include "dure/agents/answer_form.hpp"

namespace dure::agents {
namespace answer_form_test {

std::string nested(std::size_t levels)
{
    return std::string(levels, '[') + std::string(levels, ']');
}

TEST(AnswerForm, TheDocumentOfAnAnswerIsFound)
{
    const auto list = schema::JsonSchema::compile(Json{{"type", "array"}});
    ASSERT_TRUE(list);
    for (const auto* answer : {"[1]", " [1]\n", "```json\n[1]\n```", "Here: [1]. Done."}) {
        const auto found = document_in(answer, *list);
        ASSERT_TRUE(std::holds_alternative<std::string>(found)) << answer;
        EXPECT_EQ(std::get<std::string>(found), "[1]");
    }
    for (const std::string& answer : {std::string(), std::string("none"), std::string("[1"), std::string("{}"),
                                      nested(100), nested(200'000), "so: " + nested(200'000)})
        EXPECT_TRUE(std::holds_alternative<FormFault>(document_in(answer, *list))) << answer.substr(0, 20);
}

}  // namespace answer_form_test
}  // namespace dure::agents
