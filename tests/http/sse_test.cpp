// SseReader: the rules of server-sent events hold for every split of the bytes; bounds; the writer's form.
#include <gtest/gtest.h>

#include <utility>

#include "dure/http/sse.hpp"

namespace dure::http {
namespace {

std::string shown_event(const SseEvent& event)
{
    return std::string(event.event) + "|" + std::string(event.data) + "|" + std::string(event.id);
}

// What the end of the input makes of what is left.
void add_rest(SseReader& reader, std::vector<std::string>& events)
{
    SseEvent event;
    while (reader.finish(event))
        events.push_back(shown_event(event));
    if (reader.overflowed())
        events.push_back("overflow");
}

std::vector<std::string> read_events(std::string_view input, std::size_t piece, std::size_t limit = 4u << 20)
{
    SseReader reader(limit);
    SseEvent event;
    std::vector<std::string> events;
    while (!input.empty()) {
        reader.feed(input.substr(0, piece));
        input.remove_prefix(std::min(piece, input.size()));
        while (reader.next(event))
            events.push_back(shown_event(event));
    }
    add_rest(reader, events);
    return events;
}

using SseTexts = std::vector<std::string>;

struct SseCase {
    const char* what;
    std::string_view input;
    SseTexts events;
};

const SseCase sse_cases[] = {
    {"one event", "data: {}\n\n", {"|{}|"}},
    {"no space after the colon", "data:{}\n\n", {"|{}|"}},
    {"only one space is dropped", "data:  x\n\n", {"| x|"}},
    {"CR alone ends lines", "data: a\rdata: b\r\r", {"|a\nb|"}},
    {"CRLF", "event: ping\r\ndata: a\r\n\r\ndata: b\r\n\r\n", {"ping|a|", "|b|"}},
    {"mixed line ends", "data: a\r\n\ndata: b\n\r\ndata: c\r\r\n", {"|a|", "|b|", "|c|"}},
    {"byte order mark",
     "\xef\xbb\xbf"
     "data: a\n\n",
     {"|a|"}},
    {"byte order mark only at the start",
     "data: a\n\n\xef\xbb\xbf"
     "data: b\n\n",
     {"|a|"}},
    {"comments", ": hello\ndata: a\n: between\ndata: b\n\n:\n\n", {"|a\nb|"}},
    {"any order of fields", "data: a\nid: 7\nretry: 10\nevent: e\nunknown: x\n\n", {"e|a|7"}},
    {"field without colon", "data\n\ndata\ndata\n\n", {"||", "|\n|"}},
    {"event without data is none", "event: ping\n\ndata: a\n\n", {"|a|"}},
    {"colons in the value", "data: a:b: c\n\n", {"|a:b: c|"}},
    {"an id with NUL is ignored", std::string_view("id: a\0b\ndata: x\n\n", 17), {"|x|"}},
    {"done without an empty line", "data: 1\n\ndata: [DONE]", {"|1|", "|[DONE]|"}},
    {"done with a single line end", "data: [DONE]\n", {"|[DONE]|"}},
    {"whole JSON at the end", "data: {\"a\":\ndata: 1}\n", {"|{\"a\":\n1}|"}},
    {"cut JSON at the end", "data: {\"a\":1\n", {}},
    {"cut text at the end", "data: tex", {}},
    {"nothing", "", {}},
    {"multi-byte characters", "data: \xed\x95\x9c\xea\xb8\x80\n\n", {"|\xed\x95\x9c\xea\xb8\x80|"}},
};

TEST(SseReader, GivesTheSameEventsForEverySplit)
{
    for (const SseCase& one : sse_cases)
        for (std::size_t piece = 1; piece <= one.input.size() + 1; ++piece)
            EXPECT_EQ(read_events(one.input, piece), one.events) << one.what << ", by " << piece;
}

bool stands_in(std::string_view part, std::string_view whole)
{
    return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

// What comes as one read each, read where it stands, or fed and looked for. `in_place`: how many events were not copied.
std::vector<std::string> read_pieces(const std::vector<std::string>& pieces, bool where_it_stands,
                                     std::size_t& in_place)
{
    SseReader reader(64);
    SseEvent event;
    std::vector<std::string> events;
    for (const auto& piece : pieces) {
        std::string_view rest = piece;
        if (!where_it_stands)
            reader.feed(std::exchange(rest, {}));
        while (where_it_stands ? reader.read(rest, event) : reader.next(event)) {
            in_place += stands_in(event.data, piece) ? 1 : 0;
            events.push_back(shown_event(event));
        }
    }
    add_rest(reader, events);
    return events;
}

TEST(SseReader, GivesTheSameEventsWhenItReadsThemWhereTheyStand)
{
    const std::vector<std::string> parts = {"data: a\n\n",
                                            "data:b\n\n",
                                            "data:\n\n",
                                            "data\n\n",
                                            "data: x\ndata: y\n\n",
                                            "data: c\r\n\r\n",
                                            "data: d\r\r",
                                            "data: e\r\n\n",
                                            "event: e\n",
                                            "id: 7\n",
                                            ": comment\n\n",
                                            "data: open\n",
                                            "data: ha",
                                            "lf\n\n",
                                            "\n",
                                            "\r",
                                            "\n\n",
                                            "data: f\n\ndata: g\n\n",
                                            "data: [DONE]\n\n",
                                            "data: j\n\n\ndata: k\n\n: l\n\ndata: m\n\ndata: n",
                                            "\xef\xbb\xbf"
                                            "data: h\n\n",
                                            "data: " + std::string(58, 'x') + "\n\n",
                                            "data: " + std::string(59, 'x') + "\n\n",
                                            "data: i\r\n\n"};
    std::size_t in_place = 0;
    std::size_t copied = 0;
    for (const auto& first : parts)
        for (const auto& second : parts)
            for (const auto& third : parts) {
                const std::vector<std::string> pieces = {first, second, third, "data: last\n\n"};
                ASSERT_EQ(read_pieces(pieces, true, in_place), read_pieces(pieces, false, copied))
                    << testing::PrintToString(pieces);
            }
    EXPECT_GT(in_place, parts.size() * parts.size());
    EXPECT_EQ(copied, 0u);
}

TEST(SseReader, BoundsLinesAndEvents)
{
    const std::string fits = "data: " + std::string(26, 'x') + "\n\n";
    const std::string long_line = "data: 1\n\ndata: " + std::string(27, 'x') + "\n\ndata: 2\n\n";
    const std::string endless = "data: 1\n\n" + std::string(100, ':');
    std::string long_event = "data: 1\n\n";
    for (int i = 0; i < 4; ++i)
        long_event += "data: " + std::string(10, 'x') + "\n";
    for (std::size_t piece = 1; piece < 70; ++piece) {
        EXPECT_EQ(read_events(fits, piece, 32), SseTexts{"|" + std::string(26, 'x') + "|"});
        EXPECT_EQ(read_events(long_line, piece, 32), (SseTexts{"|1|", "overflow"})) << piece;
        EXPECT_EQ(read_events(endless, piece, 32), (SseTexts{"|1|", "overflow"})) << piece;
        EXPECT_EQ(read_events(long_event + "\n", piece, 32), (SseTexts{"|1|", "overflow"})) << piece;
    }
}

TEST(SseReader, GivesNothingAfterAnOverflow)
{
    SseReader reader(16);
    SseEvent event;
    reader.feed(std::string(17, 'x'));
    EXPECT_FALSE(reader.next(event));
    EXPECT_TRUE(reader.overflowed());
    reader.feed("\n\ndata: a\n\n");
    EXPECT_FALSE(reader.next(event));
    EXPECT_FALSE(reader.finish(event));
}

TEST(SseReader, KeepsTheViewsOfAnEventUntilTheNextCall)
{
    SseReader reader;
    SseEvent event;
    reader.feed("event: a\ndata: first\n\nevent: b\ndata: second\n\n");
    ASSERT_TRUE(reader.next(event));
    EXPECT_EQ(shown_event(event), "a|first|");
    ASSERT_TRUE(reader.next(event));
    EXPECT_EQ(shown_event(event), "b|second|");
    EXPECT_FALSE(reader.next(event));
}

// Quadratic work would take minutes here: the largest inputs, in the worst splits.
TEST(SseReader, TakesLinearTimeForLongLinesAndManyLines)
{
    const std::string long_line = "data: " + std::string(3u << 20, 'x') + "\r\r";
    EXPECT_EQ(read_events(long_line, 7).size(), 1u);
    std::string many_lines;
    for (int i = 0; i < 400000; ++i)
        many_lines += "data: x\r\r";
    EXPECT_EQ(read_events(many_lines, many_lines.size()).size(), 400000u);
}

TEST(SseWriter, WritesFieldsAndSplitsLines)
{
    std::string out;
    append_sse_event(out, "", "{}");
    append_sse_event(out, "step", "a\nb\r\nc\rd", "7");
    append_sse_event(out, "", "");
    EXPECT_EQ(out, "data: {}\n\nevent: step\nid: 7\ndata: a\ndata: b\ndata: c\ndata: d\n\ndata: \n\n");
}

TEST(SseWriter, RefusesLineEndsInNames)
{
    std::string out;
    EXPECT_THROW(append_sse_event(out, "a\nb", "x"), InvariantBroken);
    EXPECT_THROW(append_sse_event(out, "a", "x", "1\r2"), InvariantBroken);
    EXPECT_EQ(out, "");
}

TEST(SseWriter, IsReadBackByTheReader)
{
    std::string out;
    append_sse_event(out, "step", "line one\nline two", "42");
    EXPECT_EQ(read_events(out, 3), SseTexts{"step|line one\nline two|42"});
}

}  // namespace
}  // namespace dure::http
