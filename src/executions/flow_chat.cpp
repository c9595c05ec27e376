// See flow_chat.hpp.
#include "dure/executions/flow_chat.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include "dure/base/text.hpp"
#include "executions/recorder.hpp"
#include "executions/service_state.hpp"
#include "executions/speech.hpp"

namespace dure::executions {

namespace {

constexpr auto first_silence = std::chrono::seconds(10), later_silence = std::chrono::seconds(15);
constexpr auto look_at_deadline = std::chrono::seconds(1);
constexpr auto patience_with_the_end = std::chrono::seconds(5);

Error no_such_model(const std::string& model)
{
    return Error(Errc::not_found, "The model `" + model + "` does not exist or you do not have access to it.")
        .reason("model_not_found")
        .param("model");
}

std::string label_of(const flows::Document& document, const std::string& node_id)
{
    const auto* node = document.find_node(node_id);
    if (node == nullptr || !node->raw.is_object())
        return node_id;
    const auto data = node->raw.find("data");
    const bool has_label =
        data != node->raw.end() && data->is_object() && data->contains("label") && (*data)["label"].is_string();
    return has_label ? (*data)["label"].get<std::string>() : node_id;
}

// What a tool would be called with, as a line of code: JSON has no line breaks, so that nothing in it ends the block.
std::string arguments_text(const Json& question)
{
    constexpr std::size_t longest = 4096;
    const auto arguments = question.find("arguments");
    if (arguments == question.end())
        return {};
    const auto text = dump(*arguments);
    return "    " + std::string(utf8_prefix(text, longest)) + (text.size() > longest ? "…" : "") + "\n\n";
}

// What a person is asked for, where an answer was expected.
std::string question_text(const Execution& execution)
{
    std::string text;
    for (const auto& question : execution.waiting.value_or(Json::array())) {
        const auto& value = question.at("value");
        const auto prompt = value.is_object() ? value.value("prompt", Json()) : Json();
        text += (prompt.is_string() ? prompt.get<std::string>() : "The flow waits for an answer.") + "\n\n";
        if (value.is_object() && value.value("kind", Json()) == "tool_approval")
            text += arguments_text(value);
    }
    return text + "(execution " + execution.id + ")";
}

std::string answer_text(const Execution& execution)
{
    const auto text = execution.output.value_or(Json::object()).value("text", Json());
    if (text.is_string())
        return text.get<std::string>();
    return text.is_null() ? std::string() : dump(text);
}

class Turn {
public:
    Turn(ExecutionService& service, const flows::Document& document, Execution execution, model::AnswerSink& sink,
         model::RelayRecord& answer)
        : service_(service), document_(document), execution_(std::move(execution)), sink_(sink), answer_(answer),
          speech_(document)
    {}

    Task<Result<void>> follow(Deadline deadline)
    {
        auto reader =
            co_await service_.read(execution_.id, execution_.owner_id, 0, {std::string(mode_tasks), "messages"});
        if (!reader)
            co_return reader.error();
        auto silent_until = Steady::now() + first_silence;
        for (;;) {
            const auto page = co_await service_.next_page(**reader, execution_.id, execution_.owner_id,
                                                          std::min(silent_until, Steady::now() + look_at_deadline));
            if (!page)
                co_return page.error();
            if (page->at_rest)
                co_return co_await end(*page->at_rest);
            if (deadline.passed())
                co_return Error(Errc::timeout, "The answer took too long.").reason("request_timeout");
            for (const auto& event : page->events)
                if (auto told = co_await tell(*event); !told)
                    co_return told;
            if (!page->events.empty())
                silent_until = Steady::now() + later_silence;
            if (Steady::now() < silent_until)
                continue;
            if (auto alive = co_await sink_.still_alive(); !alive)
                co_return alive;
            silent_until = Steady::now() + later_silence;
        }
    }

private:
    Task<Result<void>> tell(const runs::RunEvent& event)
    {
        if (event.mode == "messages") {
            const auto& chunk = event.data.at(0);
            const auto content = chunk.is_object() ? chunk.value("content", Json()) : Json();
            if (!content.is_string())
                co_return Result<void>();
            const auto node_id = event.data.at(1).value("node_id", "");
            const auto text = content.get<std::string>();
            co_return co_await say(chunk.value("reply", false) ? speech_.reply(node_id, text)
                                                               : speech_.piece(node_id, text));
        }
        if (const auto usage = event.data.find("usage"); usage != event.data.end()) {
            answer_.completion.usage.prompt_tokens += usage->value("input_tokens", std::int64_t{0});
            answer_.completion.usage.completion_tokens += usage->value("output_tokens", std::int64_t{0});
        }
        const auto node_id = event.data.at("node_id").get<std::string>();
        const bool done = event.data.at("event") == "end";
        if (!done)
            speech_.begins(node_id);
        else if (auto said = co_await say(speech_.ends(node_id)); !said)
            co_return said;
        co_return co_await sink_.progress({node_id, {}, label_of(document_, node_id), done});
    }

    Task<Result<void>> say(std::string text)
    {
        if (text.empty())
            co_return Result<void>();
        model::Piece piece;
        piece.text = std::move(text);
        answer_.completion.append(piece);
        answer_.output_started = true;
        co_return co_await sink_.piece(piece);
    }

    Task<Result<void>> end(const Execution& ended)
    {
        if (ended.status == Status::failed)
            co_return Error(Errc::upstream_failed,
                            ended.error.value_or(Json::object()).value("message", "The flow failed."))
                .reason(ended.error.value_or(Json::object()).value("code", "flow_failed"));
        if (ended.status == Status::cancelled)
            co_return Error(Errc::cancelled, "The execution was cancelled.");
        auto rest = ended.status == Status::waiting ? speech_.paragraph(question_text(ended))
                                                     : speech_.rest_of(answer_text(ended));
        if (auto said = co_await say(std::move(rest)); !said)
            co_return said;
        if (ended.status ==
            Status::succeeded)   // what was said live cannot be taken back; who reads it whole has the answer
            answer_.completion.text = answer_text(ended);
        answer_.completion.finish_reason = "stop";
        answer_.completion.usage.cost_nano = ended.cost_nano;
        answer_.completion.answered_by = "flow/" + ended.flow_slug + "@" + std::to_string(ended.flow_version);
        co_return Result<void>();
    }

    ExecutionService& service_;
    const flows::Document& document_;
    const Execution execution_;
    model::AnswerSink& sink_;
    model::RelayRecord& answer_;
    Speech speech_;
};

// A turn nobody saw the end of is one all the same, with what had been said; without a word only if it was its client who left.
Task<void> record_cut(ExecutionService& service, const Execution& begun, SessionMemory::Turn turn)
{
    auto* sessions = service.parts().sessions;
    if (sessions == nullptr || turn.session_id.empty())
        co_return;
    const auto ended = co_await service.wait(begun.id, begun.owner_id, Deadline::after(patience_with_the_end));
    if (!ended || !(ended->status == Status::cancelled || (ended->status == Status::failed && !turn.answer.empty())))
        co_return;   // what succeeded has recorded itself
    turn.owner = begun.owner_id;
    turn.execution_id = begun.id;
    turn.by = noted_actor(begun);
    turn.tokens = ended->tokens;
    turn.cost_nano = ended->cost_nano;
    turn.cut = true;
    if (auto recorded = co_await sessions->record(std::move(turn)); !recorded)
        service.parts().logger.warn("a cut turn of a flow was not recorded",
                                    {{"execution_id", begun.id}, {"cause", recorded.error().message()}});
}

}  // namespace

Task<Result<void>> FlowChat::complete(Caller caller, ChatTurn turn, model::AnswerSink& sink, model::RelayRecord& answer)
{
    const auto slug = turn.model.substr(std::min(turn.model.size(), flow_model_prefix.size()));
    const auto flow = turn.flow_id.empty() ? co_await service_.parts().flows.find(caller, slug, "published")
                                           : co_await service_.parts().flows.find(caller, turn.flow_id, {});
    if (!flow)
        co_return flow.error().code() == Errc::not_found ? no_such_model(turn.model) : flow.error();
    SessionMemory::Turn cut;
    cut.session_id = turn.session_id;
    cut.model = turn.model;
    cut.user_text = turn.message;
    cut.turn_key = turn.turn_key;
    StartRequest request;
    request.flow = flow->id;
    request.version = std::to_string(flow->version);
    request.message = std::move(turn.message);
    request.session_id = std::move(turn.session_id);
    request.history = std::move(turn.history);
    request.turn_key = std::move(turn.turn_key);
    request.owner_runs = turn.owner_runs;
    const auto started = co_await service_.start(caller, std::move(request));
    if (!started)
        co_return started.error();
    begun_ = started->execution;
    Turn following(service_, *flow->document, begun_, sink, answer);
    std::exception_ptr left;
    Result<void> outcome;
    try {
        outcome = co_await following.follow(turn.deadline);
    } catch (const boost::system::system_error& error) {
        if (error.code() != boost::asio::error::operation_aborted)
            throw;
        left = std::current_exception();
    }
    if (!left && outcome)
        co_return outcome;
    // Nobody waits for the rest of it.
    co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::disable_cancellation());
    (void)co_await service_.cancel(begun_.id, caller);
    cut.answer = answer.completion.text;
    co_await record_cut(service_, begun_, std::move(cut));
    if (left)
        std::rethrow_exception(left);
    co_return outcome;
}

Task<Result<std::int64_t>> FlowChat::recorded_turn() const
{
    auto* sessions = service_.parts().sessions;
    if (sessions == nullptr || begun_.session_id.empty())
        co_return std::int64_t{0};
    co_return co_await sessions->turn_of(begun_.owner_id, begun_.session_id, begun_.id);
}

}  // namespace dure::executions
