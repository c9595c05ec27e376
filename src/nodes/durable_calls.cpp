// See durable_calls.hpp.
#include "nodes/durable_calls.hpp"

#include "dure/base/text.hpp"
#include "dure/schema/json_check.hpp"
#include "nodes/tool_use.hpp"

namespace dure::nodes {
namespace {

constexpr std::size_t fingerprint_bytes = 8;

std::string fingerprint(std::string_view text)
{
    return hex(std::string_view(sha256(text)).substr(0, fingerprint_bytes));
}

std::string fingerprint(const llm::CompletionRequest& request)
{
    std::string all = request.model;
    for (const auto& message : request.messages) {
        all += '\n';
        all += name_of(message.role);
        all += dump(message.content) + message.tool_call_id;
        for (const auto& call : message.tool_calls)
            all += call.id + call.name + call.arguments;
    }
    for (const auto& tool : request.tools)
        all += '\n' + tool.name;
    return fingerprint(all);
}

Json kept_completion(const model::Completion& completion)
{
    auto kept = Json::object();
    kept["text"] = completion.text;
    kept["finish_reason"] = completion.finish_reason;
    kept["answered_by"] = completion.answered_by;
    kept["tool_calls"] = Json::array();
    for (const auto& call : completion.tool_calls)
        kept["tool_calls"].push_back(Json{{"id", call.id}, {"name", call.name}, {"arguments", call.arguments}});
    if (!completion.reasoning_details.is_null())
        kept["reasoning_details"] = Json(completion.reasoning_details);
    auto& usage = kept["usage"];
    usage["input"] = completion.usage.prompt_tokens;
    usage["output"] = completion.usage.completion_tokens;
    usage["cost_nano"] = completion.usage.cost_nano ? Json(*completion.usage.cost_nano) : Json();
    return kept;
}

model::Completion completion_from(const Json& kept)
{
    model::Completion completion;
    completion.text = kept.at("text").get<std::string>();
    completion.finish_reason = kept.at("finish_reason").get<std::string>();
    completion.answered_by = kept.at("answered_by").get<std::string>();
    for (const auto& call : kept.at("tool_calls"))
        completion.tool_calls.push_back({call.at("id").get<std::string>(), call.at("name").get<std::string>(),
                                         call.at("arguments").get<std::string>()});
    if (const auto details = kept.find("reasoning_details"); details != kept.end())
        completion.reasoning_details = OrderedJson(*details);
    const auto& usage = kept.at("usage");
    completion.usage.prompt_tokens = usage.at("input").get<std::int64_t>();
    completion.usage.completion_tokens = usage.at("output").get<std::int64_t>();
    if (!usage.at("cost_nano").is_null())
        completion.usage.cost_nano = usage.at("cost_nano").get<std::int64_t>();
    return completion;
}

Json arguments_json(const std::string& text)
{
    return schema::check_json(text) ? Json::parse(text) : Json(text);
}

// What a person is asked, in the form of a human_input node.
Json approval_question(const std::string& who, const model::ToolCall& call)
{
    const auto action = [](const char* id, const char* label) { return Json{{"id", id}, {"label", label}}; };
    auto question = Json::object();
    question["kind"] = "tool_approval";
    question["prompt"] = who + ": " + call.name;
    question["actions"] = Json::array({action("approve", "Approve"), action("reject", "Reject")});
    question["feedback"] = true;
    question["tool"] = call.name;
    question["arguments"] = arguments_json(call.arguments);
    return question;
}

struct Verdict {
    bool approved = false;
    std::string feedback;
};

// {action, feedback}, the action alone, or true and false.
Result<Verdict> verdict_of(const Json& answer)
{
    if (answer.is_boolean())
        return Verdict{answer.get<bool>(), {}};
    const auto text = [](const Json& object, const char* member) {
        const auto found = object.find(member);
        return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
    };
    const auto action = answer.is_string()   ? answer.get<std::string>()
                        : answer.is_object() ? text(answer, "action")
                                             : "";
    if (action != "approve" && action != "reject")
        return Error(Errc::invalid_argument, "The answer must be approve or reject.")
            .reason("action_unknown")
            .param("action");
    return Verdict{action == "approve", answer.is_object() ? text(answer, "feedback") : std::string()};
}

std::string call_key(std::string_view node, const model::ToolCall& call)
{
    return std::string(node) + "/" + fingerprint(call.id + "\n" + call.arguments);  // the id is the model's: any bytes
}

}  // namespace

const DurableCalls::Rules& DurableCalls::rules_of(std::string_view node) const
{
    static const Rules none;
    const auto found = rules_.find(node);
    return found == rules_.end() ? none : found->second;
}

std::string DurableCalls::step_name(std::string what)
{
    const auto count = ++names_[what];
    return count == 1 ? what : what + "#" + std::to_string(count);
}

Task<Result<void>> DurableCalls::ask(std::string_view node, const llm::CompletionRequest& request,
                                     const llm::CallContext& context, model::AnswerSink* sink, model::Completion& into)
{
    bool asked_now = false;
    const auto name = step_name("model/" + std::string(node) + "/" + fingerprint(request));
    const auto call_name = call_.context.idempotency_key(name);
    auto kept = co_await call_.context.step(name, [&]() -> Task<Result<Json>> {
        asked_now = true;
        auto asked = co_await ask_charged(shared_, call_, request, context, sink, into, call_name);
        if (!asked)
            co_return asked.error();
        co_return kept_completion(into);
    });
    if (kept && !asked_now) {
        into = completion_from(*kept);
        if (call_.budget)
            call_.budget->count(call_name, usage_json(into.usage, 1));
    }
    used_.add(into.usage);
    if (!kept)
        co_return kept.error();
    co_return Result<void>();
}

// As it is made: a person approves what runs, not what the model wrote.
model::ToolCall DurableCalls::with_fixed(std::string_view node, const model::ToolCall& call) const
{
    auto sent = call;
    if (const auto fixed = rules_of(node).fixed.find(call.name); fixed != rules_of(node).fixed.end()) {
        auto arguments = arguments_json(call.arguments);
        if (arguments.is_object()) {
            arguments.update(fixed->second);
            sent.arguments = dump(arguments);
        }
    }
    return sent;
}

Task<Result<std::string>> DurableCalls::ask_person(std::string_view node, const model::ToolCall& call)
{
    auto answer = co_await call_.context.interrupt(approval_question(std::string(node), with_fixed(node, call)));
    if (!answer)
        co_return answer.error();
    auto verdict = verdict_of(*answer);
    if (!verdict)
        co_return verdict.error();
    if (verdict->approved) {
        approved_.insert(call_key(node, call));
        co_return std::string();
    }
    co_return "A person refused this call." + (verdict->feedback.empty() ? "" : " They say: " + verdict->feedback);
}

Task<Result<std::vector<std::string>>> DurableCalls::refusals(std::string_view node,
                                                              const std::vector<model::ToolCall>& calls)
{
    const auto& rules = rules_of(node);
    std::vector<std::string> refused(calls.size());
    // One after another: the order of questions is that of their answers (graph I3).
    for (std::size_t i = 0; i < calls.size(); ++i) {
        if (!rules.approval.contains(calls[i].name))
            continue;
        auto refusal = co_await ask_person(node, calls[i]);
        if (!refusal)
            co_return refusal.error();
        refused[i] = std::move(*refusal);
    }
    co_return refused;
}

Task<Result<tools::Outcome>> DurableCalls::use(std::string_view node, const model::ToolCall& call,
                                               const tools::Caller& caller)
{
    const auto key = call_key(node, call);
    auto who = caller;
    who.approves = approved_.contains(key);
    co_return co_await use_once(shared_, call_.context, call_.facts, std::move(who), step_name("tool/" + key),
                                with_fixed(node, call), Keep::every_outcome);
}

}  // namespace dure::nodes
