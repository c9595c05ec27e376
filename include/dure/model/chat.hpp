// The words of a conversation with a model, in plain structs that every layer shares: messages, tool calls, pieces of a
// streamed answer, the whole answer, and the sink through which an answer goes up to whoever asked.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dure/base/error.hpp"
#include "dure/base/json.hpp"
#include "dure/base/task.hpp"

namespace dure::model {

enum class Role { system, user, assistant, tool };
std::string_view name_of(Role role);

struct ToolCall {
    std::string id;
    std::string name;
    std::string arguments;   // JSON text as the model wrote it; it may be broken
};

struct Message {
    Role role = Role::user;
    OrderedJson content;                  // string, null, or an array of content parts, in OpenAI form
    std::vector<ToolCall> tool_calls;     // of an assistant message
    std::string tool_call_id;             // of a tool message
    OrderedJson extra;                    // further keys of the message (name, reasoning_details, …) or null

    // All text of the content, parts joined by a line end.
    std::string text() const;
};

struct ToolDefinition {
    std::string name;
    std::string description;
    Json parameters;                      // JSON schema of the arguments object
    bool strict = false;
};

struct Usage {
    std::int64_t prompt_tokens = 0;
    std::int64_t completion_tokens = 0;
    std::int64_t cached_tokens = 0;
    std::int64_t reasoning_tokens = 0;
    std::int64_t cache_write_tokens = 0;
    bool reported = false;                // these are the provider's numbers; an explicit 0 is one
    bool estimated = false;               // the provider gave none: bytes / 4 (llm-upstreams §8)
    std::optional<std::int64_t> cost_nano;   // nano-dollars: what the provider says it billed, else by the target's prices

    std::int64_t total() const { return prompt_tokens + completion_tokens; }
    Usage& operator+=(const Usage& other);
};

// A fragment of a tool call: `index` counts 0, 1, 2 … per answer; id and name come once, with the first fragment.
struct ToolCallPiece {
    int index = 0;
    std::string id;
    std::string name;
    std::string arguments;
    bool custom = false;                  // of a tool that takes text (type "custom"), which is in `arguments`
    OrderedJson rest = nullptr;           // what else the provider said of the call, in OpenAI form, or null
};

// One step of a streamed answer. Several members may be set.
struct Piece {
    std::string text;
    std::string reasoning;
    std::string refusal;
    std::vector<ToolCallPiece> tool_calls;
    bool empty() const { return text.empty() && reasoning.empty() && refusal.empty() && tool_calls.empty(); }
};

// A whole answer, or what has come of one so far.
struct Completion {
    std::string text;
    std::string reasoning;
    std::string refusal;
    std::vector<ToolCall> tool_calls;
    OrderedJson reasoning_details;        // what some providers want back unchanged with the tool results, an array, or null
    std::string finish_reason;            // stop, length, tool_calls, content_filter; empty: not finished
    Usage usage;
    std::string answered_by;              // "provider/model" of the target that answered, for x-dure-model
    int attempts = 0;                     // upstream exchanges
    std::string upstream_request_id;
    bool drained = false;                 // its reader left before its end, and it was read to the end all the same

    void append(const Piece& piece);
    bool complete() const { return !finish_reason.empty(); }
};

// A tool that ran on the server while an answer was made.
struct ToolUse {
    std::string name;
    std::string arguments;                // JSON text
    bool success = false;
    std::string result;                   // result or error text
    std::int64_t duration_ms = 0;
};

// What a relay leaves behind; filled while it runs, so that it tells what came even when the coroutine was cancelled.
struct RelayRecord {
    Completion completion;   // text is collected for storage; tool calls too
    std::string body;               // stream == false: the answer to send, in OpenAI form
    bool output_started = false;    // the client has seen something of the answer
    std::vector<std::string> dropped_params;   // for x-dure-dropped-params
    bool from_mock_fallback = false;
    std::optional<bool> cache_hit;             // of a model with a response cache: hit or miss, for x-dure-cache
};

struct EmbeddingRequest {
    std::string model;
    std::vector<std::string> input;             // texts; empty when token_input is used
    OrderedJson token_input;                    // arrays of token ids as the client sent them, or null
    std::optional<std::int64_t> dimensions;
    // Further top-level fields of the client, each with its value as it was written: a provider may know them.
    std::vector<std::pair<std::string, std::string>> extra;
};

struct EmbeddingAnswer {
    std::vector<std::vector<float>> vectors;    // in the order of the input
    model::Usage usage;
    std::string answered_by;                    // as of a Completion
    int attempts = 0;
};

// What an agent or flow is doing, for progress lines (openai-clients §10, product N3).
struct Progress {
    std::string node;                     // "router"
    std::string tool;                     // set for tool steps
    std::string description;              // one sentence for a person
    bool done = false;
};

// Where an answer goes while it is made. Every call may wait (the reader is slow); an error, always Errc::cancelled, means
// nobody reads any more and the producer should stop. Calls come one at a time, on one core.
class AnswerSink {
public:
    virtual ~AnswerSink() = default;
    // A piece in our own words; the receiver renders it.
    virtual Task<Result<void>> piece(const Piece& piece) = 0;
    // Whole, already rendered `data: …\n\n` events of the OpenAI form: the fast path of a proxied stream.
    virtual Task<Result<void>> rendered(std::string_view events) = 0;
    // The last of them: the answer's end is told at once, so a receiver may keep them for that and send both together.
    virtual Task<Result<void>> rendered_last(std::string events) { co_return co_await rendered(events); }
    virtual Task<Result<void>> progress(const Progress& progress) = 0;
    // False: nothing is shown before the end, so that an answer that broke off may still be made again.
    virtual bool reads_along() const { return true; }
    // Nothing else came for a while (first after 10 s, then every 15 s): the receiver starts its answer if it has not and
    // sends a comment line.
    virtual Task<Result<void>> still_alive() = 0;
};

// For answers that are not streamed: the record has everything, nothing is shown before the end.
class NoSink final : public AnswerSink {
public:
    bool reads_along() const override { return false; }
    Task<Result<void>> piece(const Piece&) override { co_return Result<void>(); }
    Task<Result<void>> rendered(std::string_view) override { co_return Result<void>(); }
    Task<Result<void>> progress(const Progress&) override { co_return Result<void>(); }
    Task<Result<void>> still_alive() override { co_return Result<void>(); }
};

}  // namespace dure::model
