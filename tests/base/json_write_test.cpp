// append_json: byte for byte what the library writes.
#include "dure/base/json_write.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <random>

namespace dure {
namespace {

std::string random_text(std::mt19937& random)
{
    static const std::vector<std::string> parts{
        "plain text", "\"",     "\\", "\n", "\t", "\b\f\r", std::string(1, '\0'), "\x1f",
        "\x7f",       "한국어", "é",  "😀", "/",  "a\"b",   "\xe2\x80\xa8"};
    std::string text;
    for (auto left = random() % 6; left > 0; --left)
        text += parts[random() % parts.size()];
    return text;
}

template <class Document>
Document random_document(std::mt19937& random, int depth)
{
    switch (random() % (depth > 0 ? 9 : 7)) {
    case 0: return nullptr;
    case 1: return random() % 2 == 0;
    case 2: return static_cast<std::int64_t>(random()) - (std::int64_t{1} << 31);
    case 3: return std::numeric_limits<std::uint64_t>::max() - random();
    case 4: return std::ldexp(static_cast<double>(random()), static_cast<int>(random() % 200) - 100);
    case 5: return static_cast<double>(random() % 100);
    case 6: return random_text(random);
    case 7: {
        auto list = Document::array();
        for (auto left = random() % 4; left > 0; --left)
            list.push_back(random_document<Document>(random, depth - 1));
        return list;
    }
    default: {
        auto object = Document::object();
        for (auto left = random() % 4; left > 0; --left)
            object[random_text(random)] = random_document<Document>(random, depth - 1);
        return object;
    }
    }
}

TEST(JsonWrite, WritesWhatTheLibraryWrites)
{
    std::mt19937 random(20261121);
    for (int i = 0; i < 3000; ++i) {
        const auto plain = random_document<Json>(random, 4);
        ASSERT_EQ(json_text(plain), plain.dump());
        const auto ordered = random_document<OrderedJson>(random, 4);
        ASSERT_EQ(json_text(ordered), ordered.dump());
    }
    for (const auto edge :
         {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max(), std::int64_t{0}})
        EXPECT_EQ(json_text(Json(edge)), Json(edge).dump());
    for (const auto edge :
         {std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN(), -0.0, 1e300})
        EXPECT_EQ(json_text(Json(edge)), Json(edge).dump());
}

TEST(JsonWrite, EveryCharacterIsEscapedAsTheLibraryDoes)
{
    for (int c = 0; c < 0x80; ++c) {
        const Json text(std::string("12345678") + static_cast<char>(c) + "x");
        EXPECT_EQ(json_text(text), text.dump()) << c;
    }
}

TEST(JsonWrite, InvalidUtf8BecomesTheReplacementCharacter)
{
    EXPECT_EQ(json_text(Json("a\xff z")), "\"a\xef\xbf\xbd z\"");
    EXPECT_EQ(json_text(Json(Json::object_t{{"k\xc0", 1}})), "{\"k\xef\xbf\xbd\":1}");
}

}  // namespace
}  // namespace dure
