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

std::string part(const std::string& disposition, const std::string& value)
{
    return "--b-1\r\n" + disposition + "\r\n\r\n" + value + "\r\n";
}

const std::string part_of_name = part("Content-Disposition: form-data; name=\"username\"", "kim@example.kr");

TEST(FormParts, AreReadAsCurlAndBrowsersSendThem)
{
    const auto body = part_of_name +
                      part("content-type: text/plain\r\ncontent-disposition: Form-Data; x=1; name=password",
                           "\uAC00+%20\r\n--b \r\n") +
                      part("Content-Disposition: form-data; name=\"a;b\"", "");
    for (const auto* type : {"multipart/form-data; boundary=b-1", "Multipart/Form-Data; a=b; Boundary=\"b-1\""})
        for (const auto* end : {"--b-1--", "--b-1--\r\n"}) {
            const auto form = Form::parse_parts(body + end, type);
            ASSERT_TRUE(form) << type;
            EXPECT_EQ(*form->find("username"), "kim@example.kr");
            EXPECT_EQ(*form->find("password"), "\uAC00+%20\r\n--b \r\n");
            EXPECT_EQ(*form->find("a;b"), "");
        }
    EXPECT_TRUE(Form::parse_parts("--b-1--\r\n", "multipart/form-data; boundary=b-1"));
}

TEST(FormParts, AreRefusedWhenTheyCouldBeReadInTwoWays)
{
    const std::string type = "multipart/form-data; boundary=b-1";
    std::string many;
    for (int i = 0; i < 51; ++i)
        many += part("Content-Disposition: form-data; name=k" + std::to_string(i), "v");
    const std::string end = "--b-1--\r\n";
    const std::string named = "Content-Disposition: form-data; name=a";
    for (const auto& body : {std::string(),
                             part_of_name,
                             part_of_name + "--b-1--x",
                             part_of_name + end + "more",
                             "before\r\n" + part_of_name + end,
                             part_of_name + part_of_name + end,
                             part("Content-Disposition: form-data; name=\"a\"; filename=\"f\"", "v") + end,
                             part("Content-Disposition: form-data", "v") + end,
                             part("Content-Disposition: form-data; name=\"a", "v") + end,
                             part("Content-Disposition: attachment; name=\"a\"", "v") + end,
                             part(named + "\r\n" + named, "v") + end,
                             part("X-Other: form-data; name=a", "v") + end,
                             std::string("--b-1\r\nContent-Disposition: form-data; name=a\r\n") + end,
                             part(named, "\xff") + end,
                             many + end}) {
        const auto form = Form::parse_parts(body, type);
        ASSERT_FALSE(form) << body;
        EXPECT_EQ(form.error().reason(), "invalid_form");
    }
    for (const auto& other : {std::string("multipart/form-data"), std::string("multipart/form-data; boundary="),
                              "multipart/form-data; boundary=" + std::string(71, 'b'),
                              std::string("multipart/form-data; boundary=other")})
        EXPECT_FALSE(Form::parse_parts(part_of_name + end, other)) << other;
}

}  // namespace dure::api::form_tests
