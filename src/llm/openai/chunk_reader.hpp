// The slow, exact look at one event of a streamed answer: parses it, recognises errors, and says in our own words what it
// brings. Keeps what is known of the answer so far; no sockets. Fast path and rendering: relay_translator.hpp.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dure/model/chat.hpp"
#include "llm/failure.hpp"
#include "llm/openai/chunk_scanner.hpp"
#include "llm/openai/json_text.hpp"
#include "llm/openai/tool_call_joiner.hpp"

namespace dure::llm::openai {

// What one choice of a chunk brings.
struct ChoiceDelta {
    std::size_t index = 0;
    model::Piece piece;
    std::string finish;  // normalised; empty: none
    std::string native_finish;  // the provider's own word when it is not one of ours
    OrderedJson delta_rest;  // unknown keys of the delta, or null
    OrderedJson choice_rest;  // unknown keys of the choice, or null
};

struct ChoiceState {
    ToolCallJoiner calls;
    std::uint32_t text_half = 0;  // surrogate halves waiting for their partners
    std::uint32_t reasoning_half = 0;
    std::uint32_t refusal_half = 0;
    std::map<int, std::uint32_t> call_halves;  // of arguments, by our number of the call

    bool holds_half() const { return (text_half | reasoning_half | refusal_half) != 0 || !call_halves.empty(); }
    bool role_sent = false;  // kept by the renderer
    bool finished = false;
};

class ChunkReader {
public:
    // keeps_details: reasoning_details are collected; without, they count as what the completion does not keep.
    ChunkReader(model::Completion& into, std::size_t choices, bool keeps_details = true)
        : completion_(into), expected_choices_(choices), keeps_details_(keeps_details)
    {}

    // Reads one event. What it brings is in deltas() and take_rest() until the next call.
    void read(std::string_view event, std::string_view data);
    // The same for ordinary events, without a tree; unknown keys are passed over. False: not read, read() has to.
    bool read_quick(std::string_view event, std::string_view data);
    // The same for a document that is there already: a whole chat.completion as one chunk.
    void read_document(OrderedJson document);
    // Halves of characters may stand in the documents that follow (json_text.hpp).
    void expect_halves() { surrogates_seen_ = true; }
    const std::vector<ChoiceDelta>& deltas() const { return deltas_; }
    OrderedJson take_rest() { return std::exchange(rest_, nullptr); }  // unknown top-level keys; null
    bool brought_usage() const { return brought_usage_; }  // the last document did

    // For the fast path, which has read a text delta itself.
    ChoiceState& choice(std::size_t index);
    void took_text(std::size_t index, std::string_view raw_text, std::string_view raw_reasoning);
    // The same of a text, or a reasoning, that stands there as it is: without escapes.
    void took_plain(std::size_t index, bool reasoning, std::string_view text);
    void took_finish(std::size_t index, std::string_view reason);
    void took_usage(const ScannedUsage& usage);
    // Ends a choice whose stream told no finish; gives what the client has to be told.
    ChoiceDelta end_untold(std::size_t index);

    bool done() const { return done_; }  // [DONE] has come
    bool complete() const;  // an end signal has come (llm-upstreams §2.9)
    bool output() const { return output_; }
    std::uint64_t progress() const { return progress_; }  // counts output, usage and finishes
    std::size_t skipped() const { return skipped_; }
    // What came has more than the completion keeps: images, annotations, citations.
    bool has_more() const { return has_more_; }
    void took_more() { has_more_ = true; }
    bool keeps_details() const { return keeps_details_; }
    std::size_t details_bytes() const { return details_bytes_; }  // of reasoning_details in memory
    const MaybeFailure& failure() const { return failure_; }
    void fail(Failure failure);
    const std::string& id() const { return id_; }
    const std::string& created() const { return created_; }  // as JSON text
    void note_head(std::string id, std::string created);
    const std::string& usage() const { return usage_; }  // the last one as JSON text; empty: none came
    std::vector<ChoiceState>& choices() { return choices_; }
    const model::Completion& completion() const { return completion_; }

private:
    bool is_error(std::string_view event, const OrderedJson& document);
    bool take_quick(const ScannedChunk& chunk);
    void read_usage(OrderedJson& document);
    void note_usage(const model::Usage& usage, std::string json);
    void read_choice(OrderedJson& choice);
    void read_delta(OrderedJson& delta, ChoiceState& state, ChoiceDelta& out);
    void read_finish(const OrderedJson& finish, ChoiceState& state, ChoiceDelta& out);
    void end_choice(ChoiceState& state, ChoiceDelta& out);
    void not_json();
    void collect(const ChoiceDelta& delta);

    model::Completion& completion_;
    std::size_t expected_choices_;
    bool keeps_details_;
    std::size_t details_bytes_ = 0;
    std::vector<ChoiceState> choices_;
    std::vector<ChoiceDelta> deltas_;
    OrderedJson rest_;
    std::string usage_;
    std::string id_;
    std::string created_;
    MaybeFailure failure_;
    std::uint64_t progress_ = 0;
    std::size_t skipped_ = 0;
    bool brought_usage_ = false;
    bool surrogates_seen_ = false;
    bool has_more_ = false;
    bool output_ = false;
    bool done_ = false;
};

// A finish reason in the client's words; `native` gets the raw one when it was none of them.
std::string normal_finish(const std::string& raw, bool has_calls, std::string& native);
// Keys of provider answers that could act in a client's browser (openai-clients §10).
void strip_active_keys(OrderedJson& document);

}  // namespace dure::llm::openai
