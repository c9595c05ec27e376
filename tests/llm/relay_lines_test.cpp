// Lines that equal the last one but for their text are relayed without a look at each event: to the client, and to what is
// kept, that makes no difference.
#include <gtest/gtest.h>

#include "llm/relayed.hpp"

namespace dure::llm::test {

namespace {

// As StreamAttempt reads a piece; `lines` counts what repeat_lines() took.
Relayed relayed_by_lines(std::string_view stream, std::size_t split, std::size_t& lines, std::string_view model = "asked")
{
    Relayed result;
    openai::RelayTranslator::Options options;
    options.model = model;
    openai::RelayTranslator translator(options, result.completion);
    http::SseReader reader;
    http::SseEvent event;
    for (auto piece : {stream.substr(0, split), stream.substr(std::min(split, stream.size()))})
        for (;;) {
            if (reader.between_events())
                lines += translator.repeat_lines(piece, result.bytes);
            if (!reader.read(piece, event))
                break;
            translator.event(event.event, event.data, result.bytes);
        }
    finish(translator, result);
    return result;
}

std::string line_of(const std::string& text)
{
    return event_of("{\"content\":\"" + text + "\"}");
}

const std::string first_line = event_of(R"({"role":"assistant","content":""})");
const std::string last_lines = event_of("{}", "\"stop\"") + "data: [DONE]\n\n";

}  // namespace

TEST(RelayLines, EverySplitGivesWhatEventsGive)
{
    for (const auto& stream :
         {first_line + line_of("a") + line_of("b") + line_of("") + line_of("c") + last_lines,
          first_line + line_of("é") + line_of("글\\n") + line_of("\\ud83d\\ude42 \\\"") + line_of("d") + last_lines,
          first_line + line_of("a") + event_of(R"({"reasoning_content":"r"})") + event_of(R"({"reasoning_content":"s"})") +
              line_of("b") + line_of("c") + last_lines,
          first_line + line_of("a") + line_of("\\ud83d") + line_of("\\ude42") + line_of("b") + line_of("c") + last_lines,
          first_line + line_of("a") + ": a comment\n\n" + line_of("b") + "event: x\n" + line_of("c") + last_lines,
          first_line + line_of("a") + line_of("\xff") + line_of("b") + line_of("tab\tin it") + line_of("c") + last_lines,
          first_line + line_of("a") + line_of("b\r\n") + line_of("c") + last_lines}) {
        const auto plain = relayed(stream);
        for (std::size_t split = 0; split <= stream.size(); ++split) {
            std::size_t lines = 0;
            const auto seen = relayed_by_lines(stream, split, lines);
            EXPECT_EQ(seen.bytes, plain.bytes) << split << stream;
            EXPECT_EQ(seen.completion.text, plain.completion.text) << split << stream;
            EXPECT_EQ(seen.completion.reasoning, plain.completion.reasoning);
            EXPECT_EQ(seen.completion.finish_reason, plain.completion.finish_reason);
            EXPECT_EQ(seen.complete, plain.complete);
            EXPECT_EQ(seen.failure.has_value(), plain.failure.has_value());
        }
    }
}

TEST(RelayLines, TheSameLinesAreTakenWithoutALookAtEach)
{
    std::string stream = first_line;
    for (int token = 0; token < 40; ++token)
        stream += line_of(" token");
    for (const std::string_view model : {"asked", "up"}) {   // "up": what came goes out unchanged
        std::size_t lines = 0;
        const auto seen = relayed_by_lines(stream + last_lines, 0, lines, model);
        EXPECT_EQ(lines, 39u);   // the first of them is the one they equal
        EXPECT_EQ(seen.completion.text.size(), 40u * 6);
        EXPECT_EQ(seen.chunks().size(), 42u);
        EXPECT_TRUE(seen.complete);
    }
}

TEST(RelayLines, NothingIsTakenBeforeAnEventOrBehindTheEnd)
{
    std::size_t lines = 0;
    EXPECT_FALSE(relayed_by_lines(line_of("a"), 0, lines).complete);
    EXPECT_EQ(lines, 0u);
    const auto ended = relayed_by_lines(first_line + line_of("a") + last_lines + line_of("b") + line_of("c"), 0, lines);
    EXPECT_EQ(ended.completion.text, "a");
    EXPECT_EQ(lines, 0u);
}

}  // namespace dure::llm::test
