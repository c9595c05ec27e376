// Fragments of tool calls put in order: whatever a provider does with index, id and name (llm-upstreams §4), out come
// calls 0, 1, 2 … with one id and one name each.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dure/base/json.hpp"
#include "dure/model/chat.hpp"

namespace dure::llm::openai {

class ToolCallJoiner {
public:
    // One entry of delta.tool_calls; appends what the client is told. False: too many calls.
    bool add(const OrderedJson& fragment, std::vector<model::ToolCallPiece>& out);
    // At the finish: calls held back for their name, and "{}" for calls without arguments.
    void finish(std::vector<model::ToolCallPiece>& out);
    bool any() const { return !calls_.empty(); }

private:
    struct Call {
        std::optional<std::int64_t> index;   // upstream's
        std::string upstream_id;             // empty: none given
        std::string id;
        std::string held_arguments;          // until the name is known
        bool announced = false;
        bool has_arguments = false;
    };
    Call* find(const std::optional<std::int64_t>& index, const std::string& id);
    void announce(Call& call, const std::string& name, std::vector<model::ToolCallPiece>& out);
    int number_of(const Call& call) const { return static_cast<int>(&call - calls_.data()); }

    std::vector<Call> calls_;
};

}  // namespace dure::llm::openai
