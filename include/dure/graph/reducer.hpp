// How updates of a channel become its value (S1–S5). A channel without reducer takes the last value and refuses two in
// one superstep. Containers are changed in place when nobody else holds them: an append costs its own length only.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "dure/base/error.hpp"
#include "dure/base/json.hpp"

namespace dure::graph {

struct Reducer {
    // Changes `value` by one update; an error discards the superstep (S10).
    using Apply = std::function<Result<void>(Json& value, const Json& update)>;
    // What is wrong with a value of this channel, or nothing; asked before anything is changed.
    using Check = std::function<std::optional<std::string>(const Json& candidate)>;

    std::string name;
    std::optional<Json> initial;  // value before the first write; nothing: absent. What is changed in place needs one
    bool last_value = false;       // no folding: S1 and S4
    bool in_place = false;         // apply never fails on what the checks let through
    bool as_delta = false;         // checkpoints store what was added, not the whole (K8); needs in_place
    bool tracked = true;           // false: in memory during the run, never in a checkpoint (S8)
    bool in_results =
        false;  // untracked only: updates stay with the stored result of their task while its superstep is
        // open, so that a kept result is told whole (T5)
    bool ephemeral = false;        // gone after the next superstep (S8)
    // Whether an update would only add elements to the end of an array, so that it can be taken back; empty: never.
    std::function<bool(const Json& value, const Json& update)> only_adds;
    Apply apply;
    Check check_update;            // empty: every update is fine
    Check check_value;             // of an Overwrite
};

namespace reducers {

Reducer last();
Reducer append();     // an array adds its elements, any other value itself
Reducer sum();        // integers stay integers; leaving their range is an error
Reducer min();
Reducer max();
Reducer merge();      // of objects, key by key
Reducer unite();      // "union": elements that are not there yet
Reducer untracked();  // as last, but never in a checkpoint
Reducer ephemeral();  // as last, for the next superstep only
Reducer messages();   // append; same `id` replaces; {"type":"remove","id"} deletes, id "__remove_all__" everything so far

// reduce(old, update) on copies; an exception of it discards the superstep.
Reducer custom(std::string name, std::optional<Json> initial, std::function<Json(const Json&, const Json&)> reduce);

// By the names of S3, "untracked" and "ephemeral"; nothing for an unknown one.
std::optional<Reducer> by_name(std::string_view name);

}  // namespace reducers

}  // namespace dure::graph
