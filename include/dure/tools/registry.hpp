// Tools an agent can call: a name, a description, a JSON schema of the arguments, and what runs. The registry checks
// arguments against the schema, applies time and size limits, and turns every failure into a result the model can read.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dure/base/clock.hpp"
#include "dure/base/error.hpp"
#include "dure/base/json.hpp"
#include "dure/base/log.hpp"
#include "dure/base/task.hpp"
#include "dure/config/settings.hpp"
#include "dure/model/chat.hpp"

namespace dure::tools {

// Who a tool runs for.
struct Caller {
    std::string user_id;
    std::string request_id;
    std::string idempotency_key;
    bool may_execute = false;      // permission tools:execute
};

struct Outcome {
    bool success = false;
    Json result;                   // of a success
    std::string error;             // of a failure, one sentence for the model
    std::int64_t duration_ms = 0;
    bool cached = false;
    std::string text() const;      // what the model is told
};

class Tool {
public:
    virtual ~Tool() = default;
    virtual const model::ToolDefinition& definition() const = 0;
    virtual std::string source() const = 0;                       // "built-in", a file, an MCP server's name
    virtual std::string why_unavailable() const { return {}; }    // not empty: it is not offered to a model
    virtual bool pure() const { return false; }                   // same arguments, same result: may be cached
    // Arguments have passed the schema. An error is a tool error: its message is shown to the model.
    virtual Task<Result<Json>> execute(const Json& arguments, const Caller& caller, Deadline deadline) = 0;
};

// Thread-safe: tools are added while it is built, then only read.
class Registry {
public:
    Registry(Logger& logger, const config::Tools& settings);
    ~Registry();

    void add(std::unique_ptr<Tool> tool);     // throws InvariantBroken on a taken name or a broken schema
    std::vector<const Tool*> all() const;
    const Tool* find(std::string_view name) const;
    // Definitions of the tools that are available, in the order they were added.
    std::vector<model::ToolDefinition> offered() const;

    // Never fails as such: unknown tool, missing permission, wrong arguments, timeout and oversize are Outcomes.
    Task<Outcome> execute(std::string_view name, std::string_view arguments_json, const Caller& caller);

private:
    struct State;
    std::unique_ptr<State> state_;
};

std::unique_ptr<Tool> make_calculator();

}  // namespace dure::tools
