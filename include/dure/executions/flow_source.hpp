// What executions need of others, as small interfaces that the composition root fills: the flow to run, the compiled form of
// it, and the memory of a session. All thread-safe.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dure/base/error.hpp"
#include "dure/base/task.hpp"
#include "dure/flows/compiler.hpp"
#include "dure/flows/service.hpp"
#include "dure/model/event.hpp"

namespace dure::executions {

using flows::Caller;
using flows::RunnableFlow;

// Of flows::FlowService, the two calls executions need.
class FlowSource {
public:
    virtual ~FlowSource() = default;
    // FlowService::runnable() and pinned().
    virtual Task<Result<RunnableFlow>> find(Caller caller, std::string id_or_slug, std::string version) = 0;
    virtual Task<Result<RunnableFlow>> pinned(std::string id, std::int64_t version) = 0;
};

// Sub-flows of a document by what its nodes say: {"<flow>@<version>": document}.
using SubflowDocuments = std::map<std::string, std::shared_ptr<const flows::Document>>;
std::string subflow_key(std::string_view flow, std::string_view version);

// The functions of flows/compiler.hpp that executions use.
struct Compiler {
    std::function<Result<flows::CompiledFlow>(const flows::Document& document, const SubflowDocuments& subflows)>
        compile;
    std::function<Json(const flows::RunFacts& facts)> input;
    std::function<Json(const Json& graph_output)> result;
    // The values of a checkpoint's channels that a patch of nodes' outputs and state changes; invalid_argument naming what
    // the flow does not have.
    std::function<Result<Json>(const flows::CompiledFlow& flow, const Json& values,
                               const std::vector<std::string>& next, const Json& patch)>
        patched;
    // Whether an answer fits the question of a node, before anything runs; gives it in the form the node takes.
    std::function<Result<Json>(const Json& question, const Json& answer)> check_answer;
};

class SessionMemory {
public:
    virtual ~SessionMemory() = default;
    struct Memory {
        Json history = Json::array();  // [{role, content}], oldest first
        std::int64_t turn = 0;   // turns that are over
        std::string last_turn_key = {};   // of the last of them
    };
    // not_found: it is not the owner's.
    virtual Task<Result<Memory>> read(std::string owner, std::string session_id) = 0;
    // The turn of an execution, once however often it is told.
    struct Turn {
        std::string owner, session_id, execution_id, model, user_text, answer;
        std::int64_t tokens = 0, cost_nano = 0;
        bool cut = false;   // the answer is what had been said when its client left or it failed
        std::string turn_key = {};   // equal to that of the turn before: the same turn answered again; empty: one of its own
        model::Actor by = {};   // whose request began the execution, for the event
    };
    virtual Task<Result<void>> record(Turn turn) = 0;
    // The number of the turn that an execution is in its session; 0: it is none, or long past.
    virtual Task<Result<std::int64_t>> turn_of(std::string owner, std::string session_id, std::string execution_id) = 0;
};

}  // namespace dure::executions
