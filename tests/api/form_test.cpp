// Bodies of forms: what they give, and what is refused.
#include "api/form.hpp"

#include <gtest/gtest.h>

namespace dure::api::form_tests {

TEST(FormBody, GivesDecodedFields)
{
    const auto form = Form::parse("username=kim%40example.kr&password=a+b%2Bc%26&empty=&flag&&k=%EA%B0%80");
    ASSERT_TRUE(form);
    EXPECT_EQ(*form->find("username"), "kim@example.kr");
    EXPECT_EQ(*form->find("password"), "a b+c&");
    EXPECT_EQ(*form->find("empty"), "");
    EXPECT_EQ(*form->find("flag"), "");
    EXPECT_EQ(*form->find("k"), "\uAC00");
    EXPECT_EQ(form->find("other"), nullptr);
    EXPECT_TRUE(Form::parse(""));
}

TEST(FormBody, RefusesWhatCouldBeReadInTwoWays)
{
    std::string many;
    for (int i = 0; i < 51; ++i)
        many += "k" + std::to_string(i) + "=v&";
    for (const auto& body :
         {std::string("a=1&a=2"), std::string("a=1&%61=2"), std::string("a=%"), std::string("a=%4"),
          std::string("a=%zz"), std::string("a=%ff"), std::string("%ff=a"), std::string("a=\xc3("), many}) {
        const auto form = Form::parse(body);
        ASSERT_FALSE(form) << body;
        EXPECT_EQ(form.error().reason(), "invalid_form");
    }
}

}  // namespace dure::api::form_tests
