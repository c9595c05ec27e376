// Fragments of tool calls put in order: whatever a provider does with index, id and name (llm-upstreams §4), out come
// calls 0, 1, 2 … with one id and one name each. Members we do not know stay with the piece they came with.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dure/base/json.hpp"
#include "dure/model/chat.hpp"

namespace dure::llm::openai {

class ToolCallJoiner {
public:
    // One entry of delta.tool_calls; appends what the client is told. False: too many calls, or too much without a name.
    bool add(OrderedJson fragment, std::vector<model::ToolCallPiece>& out);
    // At the finish: calls held back for their name, and "{}" for calls without arguments.
    void finish(std::vector<model::ToolCallPiece>& out);
    bool any() const { return !calls_.empty(); }
    bool custom(int number) const { return calls_.at(static_cast<std::size_t>(number)).custom; }

private:
    struct Call {
        std::optional<std::int64_t> index;   // upstream's
        std::string upstream_id;             // empty: none given
        std::string id;
        std::string held_arguments;          // until the name is known, and held_rest
        OrderedJson held_rest;
        bool custom = false;
        bool announced = false;
        bool has_arguments = false;
    };
    Call& begin(const std::optional<std::int64_t>& index, const std::string& id);
    Call* find(const std::optional<std::int64_t>& index, const std::string& id);
    void announce(Call& call, const std::string& name, std::vector<model::ToolCallPiece>& out);
    bool tell(Call& call, const std::string& name, std::string arguments, OrderedJson rest,
              std::vector<model::ToolCallPiece>& out);
    int number_of(const Call& call) const { return static_cast<int>(&call - calls_.data()); }

    std::vector<Call> calls_;
    std::size_t held_bytes_ = 0;
};

}  // namespace dure::llm::openai
