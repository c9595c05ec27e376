// Text, time, identity and redaction.
#include "dure/base/text.hpp"

#include <gtest/gtest.h>

#include <set>

#include "dure/base/clock.hpp"
#include "dure/base/log.hpp"

namespace dure {
namespace {

TEST(Utf8, AcceptsWellFormedAndRefusesTheRest)
{
    EXPECT_TRUE(valid_utf8("서울 🙂 plain"));
    EXPECT_FALSE(valid_utf8("\xc0\x80"));          // overlong
    EXPECT_FALSE(valid_utf8("\xed\xa0\x80"));      // surrogate
    EXPECT_FALSE(valid_utf8("\xf4\x90\x80\x80"));  // above U+10FFFF
    EXPECT_FALSE(valid_utf8("\xec\x84"));          // cut
}

TEST(Utf8, PrefixNeverCutsACharacter)
{
    EXPECT_EQ(utf8_prefix("가나다", 4), "가");
    EXPECT_EQ(utf8_prefix("가나다", 6), "가나");
    EXPECT_EQ(utf8_prefix("abc", 10), "abc");
}

TEST(Utf8, CountsCharactersNotBytes)
{
    EXPECT_EQ(utf8_characters(""), 0u);
    EXPECT_EQ(utf8_characters("abc"), 3u);
    EXPECT_EQ(utf8_characters("서울 🙂"), 4u);
}

TEST(JsonEscaping, EscapesControlsAndReplacesBadBytes)
{
    std::string out;
    append_json_string(out, std::string_view("a\"b\\\n\x01\xff서", 10));
    EXPECT_EQ(out, "\"a\\\"b\\\\\\n\\u0001\xef\xbf\xbd서\"");
}

TEST(JsonEscaping, LogsShowWhatHidesText)
{
    std::string out;
    append_json_string(out, "a\u202eb", JsonEscape::for_logs);
    EXPECT_EQ(out, "\"a\\u202eb\"");
}

TEST(Redaction, ReplacesCredentialsOnly)
{
    EXPECT_EQ(redact("key dk_0123456789abc end"), "key [redacted] end");
    EXPECT_EQ(redact("Authorization: Bearer abcdef"), "Authorization: [redacted]");
    EXPECT_EQ(redact("sk-abcdef012345"), "[redacted]");
    EXPECT_EQ(redact("task-12345678"), "task-12345678");
    EXPECT_EQ(redact(""), "");
    EXPECT_EQ(redact("e"), "e");
    EXPECT_EQ(redact("req_8d2b, sk-abcdef012345 and $argon2id$v"), "req_8d2b, [redacted] and [redacted]");
    EXPECT_EQ(redact("eyJhbGciOiJIUzI1NiJ9.e30.x"), "[redacted]");
}

TEST(Time, RoundTripsRfc3339)
{
    EXPECT_EQ(rfc3339(1700000000123), "2023-11-14T22:13:20.123Z");
    EXPECT_EQ(parse_rfc3339("2023-11-14T22:13:20.123Z"), 1700000000123);
    EXPECT_EQ(parse_rfc3339("2023-11-15T07:13:20.123+09:00"), 1700000000123);
    EXPECT_EQ(parse_rfc3339("2023-11-14"), std::nullopt);
    EXPECT_EQ(parse_rfc3339("2023-02-30T00:00:00Z"), std::nullopt);
    EXPECT_EQ(rfc3339(last_rfc3339), "9999-12-31T23:59:59.999Z");
    EXPECT_EQ(parse_rfc3339("9999-12-31T23:59:59.999Z"), last_rfc3339);
    EXPECT_EQ(parse_rfc3339("9999-12-31T23:59:59-01:00"), std::nullopt);
    EXPECT_EQ(rfc3339(*parse_rfc3339("0000-01-01T00:00:00Z")), "0000-01-01T00:00:00.000Z");
    EXPECT_EQ(parse_rfc3339("0000-01-01T00:00:00+01:00"), std::nullopt);
}

TEST(Identity, IdsAreVersionSevenUniqueAndAscending)
{
    std::set<std::string> seen;
    std::string last;
    for (int i = 0; i < 20000; ++i) {
        const auto id = new_id();
        ASSERT_EQ(id.size(), 36u);
        ASSERT_EQ(id[14], '7');
        ASSERT_LT(last, id);
        last = id;
        seen.insert(id);
    }
    EXPECT_EQ(seen.size(), 20000u);
}

TEST(Checksums, MatchPublishedVectors)
{
    EXPECT_EQ(crc32("123456789"), 0xcbf43926u);   // the check value of CRC-32/ISO-HDLC
    EXPECT_EQ(hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(base64("\xff\xfe"), "//4=");
    EXPECT_EQ(base64url("\xff\xfe"), "__4");
}

TEST(PercentDecoding, RefusesBrokenEscapes)
{
    EXPECT_EQ(percent_decode("a%2Fb%EC%84%9C"), "a/b서");
    EXPECT_EQ(percent_decode("a%2"), std::nullopt);
    EXPECT_EQ(percent_decode("%zz"), std::nullopt);
}

TEST(Random, TextIsOfLettersAndDigitsAsLongAsAskedAndNeverTheSame)
{
    for (const std::size_t length : {0, 1, 29, 1000, 5000}) {
        const auto text = random_base62(length);
        EXPECT_EQ(text.size(), length);
        EXPECT_TRUE(std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isalnum(c); })) << text;
    }
    const auto many = random_base62(20'000);
    EXPECT_EQ(std::set<char>(many.begin(), many.end()).size(), 62U);
    std::set<std::string> seen;
    for (int i = 0; i < 1000; ++i)   // over several blocks of random bytes
        EXPECT_TRUE(seen.insert(random_base62(24)).second);
}

}  // namespace
}  // namespace dure
