// YAML as JSON: the types of plain words, keys as texts, and what is refused with its line.
#include <gtest/gtest.h>

#include "tools/http/tool_file.hpp"

namespace dure::tools {
namespace {

TEST(YamlText, PlainWordsGetTheirTypeByTheCoreSchemaAndQuotedOnesAreTexts)
{
    const std::pair<const char*, const char*> cases[] = {
        {"~", "null"}, {"", "null"}, {"null", "null"}, {"true", "true"}, {"False", "false"}, {"no", "\"no\""}, {"on", "\"on\""},
        {"0", "0"}, {"-12", "-12"}, {"+7", "7"}, {"012", "12"}, {"0x1F", "31"}, {"0o17", "15"}, {"18446744073709551615", "18446744073709551615"},
        {"1.5", "1.5"}, {"-.5", "-0.5"}, {"1e3", "1000.0"}, {"1_000", "\"1_000\""}, {"3.0.3", "\"3.0.3\""}, {"1.", "1.0"}, {".", "\".\""},
        {"2024-01-01", "\"2024-01-01\""}, {"-", "[null]"}, {"안녕", "\"안녕\""}, {"'12'", "\"12\""}, {"\"\\u00e9\\n\"", "\"é\\n\""},
        {"|-\n  가\n  나", "\"가\\n나\""}, {">-\n  a\n  b", "\"a b\""}, {"{200: a, no: [1, {}]}", R"({"200":"a","no":[1,{}]})"},
    };
    for (const auto& [yaml, json] : cases) {
        const auto read = parse_yaml("value: " + (std::string(yaml) == "-" ? std::string("\n  -") : std::string(yaml)) + "\n");
        ASSERT_TRUE(read) << yaml << ": " << read.error().message();
        EXPECT_EQ(read->at("value"), Json::parse(json)) << yaml;
        EXPECT_EQ(read->at("value").type(), Json::parse(json).type()) << yaml;
    }
}

TEST(YamlText, WhatJsonCannotSayIsRefusedWithItsLine)
{
    const std::pair<std::string, std::string> cases[] = {
        {"", "line 1: the document is empty"},
        {"a: 1\nb: &x 2\n", "line 2: anchors are not read: write the value out"},
        {"a: 1\nb: *x\n", "line 2: aliases are not read: write the value out"},
        {"a: !!binary aGk=\n", "line 1: tags are not read"},
        {"a: !custom {}\n", "line 1: tags are not read"},
        {"a: 1\n\na: 2\n", "line 3: the key 'a' stands twice"},
        {"a: 1\n---\nb: 2\n", "line 2: more than one document"},
        {"a: .nan\n", "line 1: a number that JSON cannot write"},
        {"a: 0xfffffffffffffffff\n", "line 1: a number that is too large"},
        {"a: 1e999\n", "line 1: a number that is too large"},
        {"? [a]\n: 1\n", "line 1: a key that is not a text"},
        {"a: " + std::string(70, '[') + std::string(70, ']') + "\n", "line 1: nested more than 64 deep"},
        {"a:\n\t- b\n", "line 2: "},
        {"a: \"\xff\"\n", "line 1: "},
        {"a: [1\n", "line 2: "},
    };
    for (const auto& [yaml, message] : cases) {
        const auto read = parse_yaml(yaml);
        ASSERT_FALSE(read) << yaml;
        EXPECT_TRUE(read.error().message().starts_with(message)) << yaml << ": " << read.error().message();
    }
}

}  // namespace
}  // namespace dure::tools
