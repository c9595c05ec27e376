// A demanded form (response_format json_object or json_schema): the demand is checked before anything runs, the answer
// before anything of it is shown.
#include <variant>

#include "agents/ask.hpp"
#include "dure/agents/answer_form.hpp"

namespace dure::agents {
namespace {

Error wrong_form(std::string message)
{
    return Error(Errc::invalid_argument, std::move(message)).param("response_format").reason("invalid_value");
}

// The schema of a json_schema demand; nothing for other demands and for one without a schema.
Result<std::optional<schema::JsonSchema>> demanded_schema(const AgentRequest& request)
{
    const auto& format = request.extra.at("response_format");
    if (format.value("type", OrderedJson()) != "json_schema")
        return std::optional<schema::JsonSchema>();
    const auto described = format.value("json_schema", OrderedJson());
    if (!described.is_object())
        return wrong_form("'response_format' of type json_schema needs 'json_schema'.");
    if (!described.contains("schema"))
        return std::optional<schema::JsonSchema>();
    auto compiled = schema::JsonSchema::compile(Json::parse(dump(described.at("schema"))));
    if (!compiled)
        return wrong_form("'response_format.json_schema.schema' cannot be used: " + compiled.error().message());
    return std::optional<schema::JsonSchema>(std::move(*compiled));
}

Task<Result<void>> show_whole(AgentRun& run, std::string text)
{
    AnswerTap out(run.sink, run.record, AnswerTap::Text::shown);
    model::Piece whole;
    whole.text = std::move(text);
    co_return co_await out.piece(whole);
}

}  // namespace

Result<void> check_response_format(const AgentRequest& request)
{
    if (!wants_json(request))
        return {};
    const auto type = request.extra.at("response_format").value("type", OrderedJson());
    if (type != "json_object" && type != "json_schema")
        return wrong_form("'response_format' must have the type text, json_object or json_schema.");
    if (auto schema = demanded_schema(request); !schema)
        return schema.error();
    return {};
}

Task<Result<void>> answer_in_form(AgentRun& run, const graph::State& state, const std::string& system)
{
    constexpr int attempts = 2;
    const auto schema = demanded_schema(run.request);
    if (!schema)
        co_return schema.error();
    auto request = answer_request(run, state, system, true);
    for (int attempt = 0; attempt < attempts; ++attempt) {
        AnswerTap tap(run.sink, run.record, AnswerTap::Text::hidden);
        model::Completion turn;
        if (auto asked = co_await ask_streamed(run, request, tap, turn); !asked)
            co_return asked;
        run.record.completion.finish_reason = turn.finish_reason;
        auto read = document_in(turn.text, *schema);
        if (auto* document = std::get_if<std::string>(&read))
            co_return co_await show_whole(run, std::move(*document));
        // An answer cut by its length limit or a filter is passed on as it is: the finish reason tells.
        if (turn.finish_reason != "stop")
            co_return co_await show_whole(run, std::move(turn.text));
        model::Message said;
        said.role = model::Role::assistant;
        said.content = std::move(turn.text);
        request.messages.push_back(std::move(said));
        model::Message correction;
        correction.role = model::Role::system;
        correction.content =
            fill(run.prompts.get(run.language, "form"), {{"problem", std::get<FormFault>(read).problem}});
        request.messages.push_back(std::move(correction));
    }
    co_return Error(Errc::upstream_failed, "The model did not answer in the demanded JSON form.")
        .reason("upstream_protocol_error");
}

}  // namespace dure::agents
