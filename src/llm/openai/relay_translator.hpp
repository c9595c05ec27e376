// Turns the events of an upstream stream into the bytes a client gets (openai-clients §6, llm-upstreams §4). Fed event by
// event, or by lines that repeat each other, appends to one buffer that is written once per upstream read; no sockets.
//
// Three speeds: a chunk that equals the last one but for its text is copied around that text, a run of such lines at once; an
// ordinary chunk is scanned once and spliced; everything else goes through ChunkReader's tree.
#pragma once

#include <string>
#include <string_view>

#include "llm/openai/chunk_reader.hpp"
#include "llm/openai/chunk_scanner.hpp"

namespace dure::llm::openai {

class RelayTranslator {
public:
    struct Options {
        std::string_view model;  // the name the client asked for
        bool include_usage = false;
        std::size_t choices = 1;  // n
        bool keeps_details = false;  // reasoning_details are wanted in the completion, not only by the client
    };
    RelayTranslator(const Options& options, model::Completion& into);

    // Appends to out. After a failure (see reader().failure()) nothing is added any more.
    void event(std::string_view name, std::string_view data, std::string& out);
    // The same of as many lines at the front of `lines`, behind event(), as equal the last event's but for their text: they are
    // taken off. How many.
    std::size_t repeat_lines(std::string_view& lines, std::string& out);
    void document(OrderedJson whole_chunk, std::string& out);
    // The answer once more as a whole, for what was rendered of it before and is thrown away. One choice, ended.
    void render_answer(std::string& out);
    // Usage is asked for and none came: finish() makes it of the prompt it is handed and of what was said.
    bool estimates_usage() const;
    // Behind the end signal: the finish that is missing, usage if asked for, [DONE]. Only when reader().complete().
    void finish(std::int64_t prompt_tokens, std::string& out);

    ChunkReader& reader() { return reader_; }
    const ChunkReader& reader() const { return reader_; }

private:
    struct Match {
        std::string_view text;
        std::size_t size = 0;  // of what was matched
        bool plain = false;  // no escape, ASCII alone
    };
    // The last ordinary text chunk around its text, as it came and as it went out.
    struct Template {
        std::string came_before, came_after;  // of the line `data: …` and the empty one behind it
        std::string goes_before, goes_after;  // empty when unchanged
        bool unchanged = false;  // goes out as it comes
        std::size_t index = 0;
        bool reasoning = false;
        bool usable = false;

        bool matches(std::string_view from, std::string_view before, std::string_view after, Match& found) const;
    };
    bool repeat(std::string_view data, std::string& out);
    void took(const Match& match, std::string& out);
    bool splice(std::string_view data, std::string& out);
    bool take_usage(std::string_view data);
    void remember(const ScannedChunk& chunk);
    void append_spliced(const ScannedChunk& chunk, std::string_view part, std::string& out) const;
    bool take_rest();
    void render(std::string& out);
    void render_delta(const ChoiceDelta& delta, std::string& out);
    void render_large(std::size_t index, const OrderedJson& rest, std::string& out);
    void render_texts(std::size_t index, const char* key, std::string_view text, std::string& out);
    void render_calls(std::size_t index, const std::vector<model::ToolCallPiece>& calls, std::string& out);
    void render_chunk(std::size_t index, const OrderedJson& delta, const ChoiceDelta* last, std::string& out);
    void append_head(std::string& out);
    void role_first(std::size_t index, std::string& out);
    void render_usage(std::int64_t prompt_tokens, std::string& out);

    ChunkReader reader_;
    std::string model_json_;  // the client's name for the model as a JSON string
    bool include_usage_;
    Template template_;
    OrderedJson waiting_rest_;  // unknown top-level keys for the next chunk of ours, or null
};

}  // namespace dure::llm::openai
