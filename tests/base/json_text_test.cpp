// The quick loops over JSON strings, beside the plain ones they stand for.
#include "dure/base/json_text.hpp"

#include <gtest/gtest.h>

#include <string>

namespace dure {
namespace {

// Every kind of byte at every place of texts that are shorter than, as long as and longer than what is looked at in one step.
TEST(JsonText, FindsTheSameBytesAsALookAtEachOne)
{
    for (std::size_t size = 0; size <= 40; ++size) {
        for (std::size_t place = 0; place < size; ++place) {
            for (int byte = 0; byte < 256; ++byte) {
                std::string text(size, 'a');
                text[place] = static_cast<char>(byte);
                const bool stops = byte == '"' || byte == '\\';
                const bool special = stops || byte < 0x20 || byte >= 0x80;
                for (const std::size_t from : {std::size_t(0), place, place + 1}) {
                    const bool ahead = from <= place;
                    ASSERT_EQ(plain_json_run_end(text, from), special && ahead ? place : size)
                        << size << " " << place << " " << byte << " " << from;
                    ASSERT_EQ(json_string_stop(text, from, size), stops && ahead ? place : size)
                        << size << " " << place << " " << byte << " " << from;
                }
            }
        }
    }
}

TEST(JsonText, LooksForTheEndOfAStringNotMuchBeyondItsBound)
{
    const std::string text = std::string(100, 'a') + '"';
    EXPECT_EQ(json_string_stop(text, 0, 100), 100u);
    for (std::size_t until = 0; until < 80; ++until) {
        EXPECT_GE(json_string_stop(text, 0, until), until);
        EXPECT_LT(json_string_stop(text, 0, until), until + 16);
    }
}

}  // namespace
}  // namespace dure
