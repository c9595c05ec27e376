// A tool an agent can call: a name, a description, a JSON schema of the arguments, and what runs. Tools are made at start
// or by a reload and shared by the calls that run them, so they are thread-safe and outlive their place in the registry.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "dure/base/clock.hpp"
#include "dure/base/error.hpp"
#include "dure/base/json.hpp"
#include "dure/base/task.hpp"
#include "dure/model/chat.hpp"

namespace dure::tools {

inline constexpr std::string_view execute_permission = "tools:execute";

// Who a tool runs for.
struct Caller {
    std::string user_id;
    std::string request_id;
    std::string idempotency_key;  // the same for every try of one call; empty: none
    bool may_execute = false;  // permission tools:execute
    bool approves = false;  // a person asked for this very call: tools that act may run
    std::vector<std::string> permissions = {};  // beyond tools:execute, for tools that ask for more
};

struct Outcome {
    bool success = false;
    Json result;  // of a success
    std::string error;  // of a failure, one sentence for the model
    std::int64_t duration_ms = 0;
    bool cached = false;
    Errc code = Errc::upstream_failed;  // of a failure: what kind it is, for callers that are no model
    std::string text() const;  // what the model is told
};

class Tool {
public:
    virtual ~Tool() = default;
    virtual const model::ToolDefinition& definition() const = 0;
    virtual std::string source() const = 0;  // "built-in", "file:rates.toml", "mcp:files"
    virtual std::string why_unavailable() const { return {}; }  // not empty: it is not offered to a model
    // What a caller needs besides tools:execute; empty: nothing.
    virtual std::string permission() const { return {}; }
    // It writes, sends or deletes: it runs only when a person asked for that call, and is not offered to a model.
    virtual bool acts() const { return false; }
    // Same arguments, same result: it may be cached, for cache_life; with per_caller only for the same user.
    virtual bool pure() const { return false; }
    virtual std::chrono::milliseconds cache_life() const { return std::chrono::minutes(5); }
    virtual bool per_caller() const { return false; }
    // Changes whenever the same arguments may mean another result; a part of the cache's key.
    virtual std::string version() const { return {}; }
    // Its own time limit; zero, or more than the configured one: that one.
    virtual std::chrono::milliseconds longest() const { return std::chrono::milliseconds(0); }

    // Arguments have passed the schema. An error is a tool error: its message is shown to the model.
    virtual Task<Result<Json>> execute(const Json& arguments, const Caller& caller, Deadline deadline) = 0;
};

// One finished call, for the audit and for metrics. Holds no arguments and no results.
struct CallRecord {
    std::string name;
    std::string source;
    std::string arguments_sha256;  // hex, of the arguments as they were sent
    std::string user_id;
    std::string request_id;
    std::int64_t duration_ms = 0;
    bool success = false;
    bool cached = false;
};

// Why a tool, a file or a server gave no tool.
struct LoadProblem {
    std::string source;  // "file:rates.toml", "mcp:files"
    std::string name;  // of the tool; empty: the whole source
    std::string message;
};

}  // namespace dure::tools
