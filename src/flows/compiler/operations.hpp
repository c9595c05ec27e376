// The operations of `set` (§3) on values, and how a change reaches a channel: as its reducer's own kind of update where that is
// possible, so that parallel branches may add to the same list or sum; else as the new whole value.
#pragma once

#include <map>
#include <optional>

#include "flows/compiler/stage.hpp"

namespace dure::flows {

// The value after the operation. invalid_argument "set_value": the value does not allow it.
Result<Json> after_operation(const std::optional<Json>& before, const std::string& op, const Json& value);

// What one node changes, by variable: {"root", "name", "update"}; applied again where a body's changes leave it.
class StateChanges {
public:
    explicit StateChanges(const Stage& stage) : stage_(stage) {}

    // `after`: the value once the operation is done.
    Result<void> add(const std::string& root, const std::string& name, const std::string& op, const Json& value,
                     const Json& after);
    // Changes of a body, in its order. A variable that several items at once replace (one with the reducer `last`, or by an
    // operation that its reducer does not know) is an error.
    Result<void> add_told(const Json& told, std::map<std::string, std::size_t>* last_writers, std::size_t item);

    // What the replies and ends of a body's round said: {"replies", "outputs"} of what it gave.
    void add_said(const Json& round);

    // Into the channels of this stage, and on to the stages around a body ("ops").
    void write_to(Json& values) const;

private:
    struct Change {
        std::string root, name;
        Json update;  // or {"__overwrite__": value}
    };
    Result<void> put(std::string root, std::string name, Json update);
    std::string reducer_of(const std::string& root, const std::string& name) const;

    const Stage& stage_;
    std::vector<Change> changes_;
    Json replies_ = Json::array();
    Json outputs_ = Json::object();
};

// Of session_channel: folds what write_to() tells of the variables of scope session.
graph::Reducer session_changes(const std::vector<StateVariable>& variables);

}  // namespace dure::flows
