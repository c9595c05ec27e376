// See node_kinds.hpp.
#include "flows/compiler/node_kinds.hpp"

#include <algorithm>

#include "dure/schema/json_check.hpp"
#include "flows/compiler/operations.hpp"

namespace dure::flows {

namespace {

Error wrong_value(std::string code, std::string message)
{
    return Error(Errc::invalid_argument, std::move(message)).reason(std::move(code));
}

const Json* given(const Json& config, const char* key)
{
    const auto found = config.find(key);
    return found == config.end() || found->is_null() ? nullptr : &*found;
}

// A prompt of messages, or of one text.
Result<NodeOutcome> prompt(const Json& config, const Json& input)
{
    NodeOutcome outcome;
    if (const auto* messages = given(config, "messages")) {
        auto list = Json::array();
        for (const auto& entry : *messages) {
            const auto role = entry.is_object() ? entry.value("role", Json("user")) : Json();
            if (!role.is_string())
                return wrong_value("messages_invalid", "The messages of a prompt must be a list of {role, text}.");
            list.push_back(Json{
                {"role", role},
                {"content", text_of(entry.contains("text") ? entry.at("text") : entry.value("content", Json("")))}});
        }
        outcome.output["messages"] = std::move(list);
        return outcome;
    }
    const auto* text = given(config, "text");
    outcome.output["text"] = text_of(text ? *text : input);
    return outcome;
}

Result<NodeOutcome> filled(const Json& config)
{
    NodeOutcome outcome;
    const auto value = config.value("text", Json(""));
    if (config.value("as", "text") != "json") {
        outcome.output["text"] = text_of(value);
        return outcome;
    }
    if (!value.is_string()) {
        outcome.output["json"] = value;
        return outcome;
    }
    const auto& text = value.get_ref<const std::string&>();
    if (auto checked = schema::check_json(text, {.refuse_duplicates = false, .refuse_nul = false}); !checked)
        return wrong_value("template_json", "The filled template is no JSON: " + checked.error().message());
    outcome.output["json"] = Json::parse(text);
    return outcome;
}

NodeOutcome ended(const Json& config, const Json& input)
{
    NodeOutcome outcome;
    const auto* outputs = given(config, "outputs");
    outcome.output = outputs ? *outputs : Json{{"output", input}};
    outcome.values["o"] = outcome.output;
    return outcome;
}

}  // namespace

Result<NodeOutcome> shaped(const PlannedNode& planned, const Json& config, const Json& input, const Json& start)
{
    const auto& kind = planned.node.kind;
    if (kind == "prompt")
        return prompt(config, input);
    if (kind == "template")
        return filled(config);
    if (kind == "end")
        return ended(config, input);
    if (kind != "start")
        return wrong_value("kind_not_available", "There is no way to run a " + kind + " here.");
    NodeOutcome outcome;
    outcome.output = start;
    return outcome;
}

Json question_of(const PlannedNode& planned, const Json& config, UnixMillis now)
{
    Json question{
        {"kind", "human_input"}, {"node_id", planned.told_id}, {"prompt", text_of(config.value("prompt", Json("")))}};
    for (const char* key : {"fields", "feedback", "assignee"})
        if (const auto* value = given(config, key))
            question[key] = *value;
    const auto* actions = given(config, "actions");
    question["actions"] =
        actions
            ? *actions
            : Json::array({Json{{"id", "approve"}, {"label", "Approve"}}, Json{{"id", "reject"}, {"label", "Reject"}}});
    if (const auto* timeout = given(config, "timeout_ms"); timeout && timeout->is_number_integer()) {
        question["timeout_ms"] = *timeout;
        question["deadline"] = now + timeout->get<std::int64_t>();
    }
    return question;
}

Result<NodeOutcome> answered(const PlannedNode& planned, const Json& answer)
{
    NodeOutcome outcome;
    if (answer.is_object() && answer.value("timeout", Json()) == true) {
        outcome.output =
            Json{{"action", "timeout"}, {"feedback", nullptr}, {"fields", Json::object()}, {"by", nullptr}};
        outcome.handles = {"timeout"};
        return outcome;
    }
    const auto action = answer.is_object() ? answer.value("action", Json()) : answer;
    const bool offered =
        action.is_string() && action != "timeout" &&
        std::find(planned.handles.begin(), planned.handles.end(), action.get<std::string>()) != planned.handles.end();
    if (!offered)
        return wrong_value("action_unknown", "This action is not offered.");
    outcome.handles = {action.get<std::string>()};
    const auto part = [&](const char* key, Json otherwise) {
        return answer.is_object() ? answer.value(key, otherwise) : otherwise;
    };
    outcome.output = Json{{"action", action},
                          {"feedback", part("feedback", nullptr)},
                          {"fields", part("fields", Json::object())},
                          {"by", part("by", nullptr)}};
    return outcome;
}

Result<NodeOutcome> NodeRun::choose_case()
{
    std::string chosen = "else";
    for (const auto& one : planned_.cases) {
        const auto holds = one.holds.holds(scope_);
        if (!holds)
            return holds.error();
        if (!*holds)
            continue;
        chosen = one.id;
        break;
    }
    NodeOutcome outcome;
    outcome.output = Json{{"case", chosen}};
    outcome.handles = {chosen};
    return outcome;
}

Result<NodeOutcome> NodeRun::merge_branches()
{
    const auto& state = context_.state();
    const auto merge = planned_.node.config.value("merge", std::string("object"));
    const auto taken = started_by(stage_, planned_, state);
    auto object = Json::object();
    auto list = Json::array();
    std::string text;
    for (const auto index : taken) {
        const auto& edge = stage_.edges[index];
        auto value = carried_by(stage_, edge, state);
        if (merge == "text")
            text += (text.empty() ? "" : "\n\n") + text_of(value);
        list.push_back(value);
        object[stage_.nodes[edge.source].node.id] = std::move(value);
    }
    NodeOutcome outcome;
    outcome.output["value"] = merge == "object" ? object
                              : merge == "list" ? list
                              : merge == "text" ? Json(text)
                              : list.empty()    ? Json()
                                                : list.back();
    return outcome;
}

// One after another: an operation sees what those before it have set.
Result<NodeOutcome> NodeRun::set_values()
{
    StateChanges changes(stage_);
    for (const auto& operation : planned_.operations) {
        auto value = evaluated(operation.value);
        if (!value)
            return value.error();
        const auto root = operation.root == "loop"      ? Root::loop
                          : operation.root == "session" ? Root::session
                                                        : Root::state;
        const auto* known = scope_.find(root, operation.name);
        auto after = after_operation(known ? std::optional(*known) : std::nullopt, operation.op, value->at(0));
        if (!after)
            return after.error();
        if (auto& work = scope_.work(); !work.step(cost_of(copying, *after, work.left())))
            return too_much_work();
        if (auto added = changes.add(operation.root, operation.name, operation.op, value->at(0), *after); !added)
            return added.error();
        scope_.put(root, operation.name, std::move(*after));
    }
    NodeOutcome outcome;
    outcome.output = Json{{"input", input_}};
    changes.write_to(outcome.values);
    return outcome;
}

}  // namespace dure::flows
