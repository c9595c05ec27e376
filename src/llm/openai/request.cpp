// Splices and builds request bodies; see request.hpp.
#include "llm/openai/request.hpp"

#include <algorithm>
#include <array>

#include "dure/base/text.hpp"
#include "dure/schema/json_view.hpp"
#include "llm/answer_form.hpp"
#include "llm/openai/message_edits.hpp"

namespace dure::llm::openai {

namespace {

// Fields whose loss does not change what is asked, only how; others stop the request.
constexpr std::array<std::string_view, 21> droppable = {
    "stream",   // a whole answer is turned into a stream then
    "temperature",  "top_p",            "seed",      "frequency_penalty", "presence_penalty", "logit_bias", "stream_options",
    "parallel_tool_calls", "reasoning_effort", "verbosity", "user", "store", "metadata", "service_tier",
    "prompt_cache_key", "safety_identifier", "prediction", "top_k", "min_p", "repeat_penalty"};

// Writes the members of an object one after the other.
class BodyWriter {
public:
    explicit BodyWriter(std::size_t size) { out_.reserve(size); }

    void member(std::string_view name, std::string_view raw_value)
    {
        separate();
        append_json_string(out_, name);
        out_ += ':';
        out_ += raw_value;
    }
    void text_member(std::string_view name, std::string_view text)
    {
        separate();
        append_json_string(out_, name);
        out_ += ':';
        append_json_string(out_, text);
    }
    void span(std::string_view raw_member)
    {
        separate();
        out_ += raw_member;
    }
    std::string finish()
    {
        out_ += out_.empty() ? "{}" : "}";
        return std::move(out_);
    }

private:
    void separate() { out_ += out_.empty() ? '{' : ','; }

    std::string out_;
};

// Knows the names it has written: of what is copied behind our own members none may stand twice.
class DistinctWriter : private BodyWriter {
public:
    using BodyWriter::BodyWriter;
    using BodyWriter::finish;
    void member(std::string_view name, std::string_view raw_value)
    {
        names_.emplace_back(name);
        BodyWriter::member(name, raw_value);
    }
    void text_member(std::string_view name, std::string_view text)
    {
        names_.emplace_back(name);
        BodyWriter::text_member(name, text);
    }
    bool has(std::string_view name) const { return std::find(names_.begin(), names_.end(), name) != names_.end(); }

private:
    std::vector<std::string> names_;
};

// include_usage is ours; what else the client put there stays.
std::string stream_options(const schema::JsonView& sent)
{
    std::string options = "{\"include_usage\":true";
    sent.for_each_member_span([&](std::string_view key, const schema::JsonView&, std::string_view span) {
        if (key == "include_usage")
            return;
        options += ',';
        options += span;
    });
    return options + '}';
}

void write_messages(BodyWriter& body, std::string_view span, const schema::JsonView& messages, const MessageEdits& edits)
{
    if (edits.system_line.empty() && (!edits.developer_as_system || span.find("developer") == std::string_view::npos))
        return body.span(span);   // as nearly always
    body.span(edited_messages(span, messages, edits));
}

// The name the target takes for the limit of tokens.
std::string_view token_limit_name(const BodyRules& rules)
{
    if (!rules.repairs.token_limit.empty())
        return rules.repairs.token_limit;
    return rules.newer_token_limit ? "max_completion_tokens" : "max_tokens";
}

// With both given the newer one counts.
void write_token_limit(BodyWriter& body, const schema::JsonView& older, const schema::JsonView& newer,
                       const BodyRules& rules)
{
    const bool has_newer = newer.kind() != schema::JsonKind::invalid && !newer.is_null();
    const bool has_older = older.kind() != schema::JsonKind::invalid && !older.is_null();
    if (has_newer || has_older)
        body.member(token_limit_name(rules), (has_newer ? newer : older).raw());
    else if (rules.answer_limit)
        body.member(token_limit_name(rules), std::to_string(*rules.answer_limit));
}

constexpr std::string_view any_json = R"({"type":"json_object"})";

// The schema that has to be told in words, as text. Of several choices each would have to be checked: such a request goes as
// it is, and the target says itself what it does not take.
template <class Members>
std::string_view schema_to_tell(const Members& request, const BodyRules& rules)
{
    if (rules.json_schema && !rules.repairs.schema_in_words)
        return {};
    const auto format = request.find("response_format");
    const auto count = request.find("n");
    if (!format || (count && count->as_int64().value_or(1) != 1))
        return {};
    return schema_of_format(format->raw());
}

// Bodies of our own are written as text too: a tree would copy every message and every tool's schema.
void write_message(std::string& out, const model::Message& message)
{
    DistinctWriter body(0);
    body.text_member("role", model::name_of(message.role));
    body.member("content", dump(message.content));
    if (!message.tool_calls.empty()) {
        std::string calls;
        for (const auto& call : message.tool_calls) {
            BodyWriter function(0), entry(0);
            function.text_member("name", call.name);
            function.text_member("arguments", call.arguments);
            entry.text_member("id", call.id);
            entry.text_member("type", "function");
            entry.member("function", function.finish());
            calls += calls.empty() ? '[' : ',';
            calls += entry.finish();
        }
        body.member("tool_calls", calls + ']');
    }
    if (message.role == model::Role::tool)
        body.text_member("tool_call_id", message.tool_call_id);
    if (message.extra.is_object())
        for (const auto& [key, value] : message.extra.items())
            if (!body.has(key))
                body.member(key, dump(value));
    out += body.finish();
}

void write_tool(std::string& out, const model::ToolDefinition& tool)
{
    BodyWriter function(0), entry(0);
    function.text_member("name", tool.name);
    function.text_member("description", tool.description);
    function.member("parameters", tool.parameters.is_object() ? dump(tool.parameters) : "{}");
    if (tool.strict)
        function.member("strict", "true");
    entry.text_member("type", "function");
    entry.member("function", function.finish());
    out += entry.finish();
}

// `[` and each one's text `]`.
template <class List, class Write>
std::string array_of(const List& list, Write write)
{
    std::string out = "[";
    for (const auto& one : list) {
        if (out.size() > 1)
            out += ',';
        write(out, one);
    }
    return out + ']';
}

}  // namespace

bool Repairs::drops(std::string_view field) const
{
    return std::find(dropped.begin(), dropped.end(), field) != dropped.end();
}

bool learn(Repairs& repairs, std::string_view param)
{
    if (param == "max_tokens" || param == "max_completion_tokens") {
        const std::string other = param == "max_tokens" ? "max_completion_tokens" : "max_tokens";
        if (!repairs.token_limit.empty() && repairs.token_limit != param)
            return false;   // it has refused both
        repairs.token_limit = other;
        return true;
    }
    const auto field = param.substr(0, param.find('.'));
    if (field == "response_format")
        return !std::exchange(repairs.schema_in_words, true);
    if (std::find(droppable.begin(), droppable.end(), field) == droppable.end() || repairs.drops(field))
        return false;
    repairs.dropped.emplace_back(field);
    return true;
}

std::string relay_body(const RelayRequest& request, std::string_view upstream_model, const BodyRules& rules, BodyNotes& notes)
{
    BodyWriter body(request.body.size() + upstream_model.size() + 96);
    body.text_member("model", upstream_model);
    const schema::JsonIndex found(request.members == nullptr ? schema::JsonView(request.body) : schema::JsonView());
    const auto& sent = request.members == nullptr ? found : *request.members;
    const auto schema = schema_to_tell(sent, rules);
    notes.schema = schema;
    const MessageEdits edits{!rules.developer_role, schema.empty() ? std::string() : schema_in_words(schema)};
    schema::JsonView older, newer, options;
    sent.for_each_member_span([&](std::string_view key, const schema::JsonView& value, std::string_view span) {
        if (key == "model" || key == "stream" || key.starts_with("dure_"))
            return;
        if (key == "max_tokens")
            older = value;
        else if (key == "max_completion_tokens")
            newer = value;
        else if (key == "stream_options")
            options = value;
        else if (key == "messages")
            write_messages(body, span, value, edits);
        else if (key == "response_format" && !schema.empty())
            body.member(key, any_json);
        else if (rules.repairs.drops(key) || (rules.single_model && key == "models"))
            notes.dropped.emplace_back(key);
        else
            body.span(span);
    });
    write_token_limit(body, older, newer, rules);
    if (request.stream && !rules.repairs.drops("stream")) {
        body.member("stream", "true");
        if (!rules.repairs.drops("stream_options"))
            body.member("stream_options", stream_options(options));
    }
    return body.finish();
}

std::string typed_body(const CompletionRequest& request, std::string_view upstream_model, bool stream,
                       const BodyRules& rules, BodyNotes& notes)
{
    DistinctWriter body(2048);
    const auto& repairs = rules.repairs;
    const auto add = [&](std::string_view name, const std::string& raw) {
        if (!repairs.drops(name))
            body.member(name, raw);
    };
    const auto extra = request.extra.is_object() ? dump(request.extra) : std::string("{}");
    const schema::JsonView more(extra);
    const auto schema = schema_to_tell(more, rules);
    notes.schema = schema;
    body.text_member("model", upstream_model);
    const auto messages = array_of(request.messages, write_message);
    if (schema.empty())
        body.member("messages", messages);
    else
        body.member("messages", edited_messages(messages, schema::JsonView(messages), {false, schema_in_words(schema)}));
    if (!request.tools.empty())
        body.member("tools", array_of(request.tools, write_tool));
    if (!request.tools.empty() && !request.tool_choice.is_null())
        body.member("tool_choice", dump(request.tool_choice));
    if (request.temperature)
        add("temperature", dump(OrderedJson(*request.temperature)));
    if (const auto most = request.max_tokens ? request.max_tokens : rules.answer_limit)
        add(token_limit_name(rules), std::to_string(*most));
    const bool streams = stream && !repairs.drops("stream");
    if (streams)
        body.member("stream", "true");
    if (streams && !repairs.drops("stream_options"))
        body.member("stream_options", stream_options(more.find("stream_options").value_or(schema::JsonView())));
    if (!schema.empty())
        body.member("response_format", any_json);
    more.for_each_member([&](std::string_view key, const schema::JsonView& value) {
        if (!body.has(key))
            add(key, std::string(value.raw()));
    });
    return body.finish();
}

}  // namespace dure::llm::openai
