// POST /v1/chat/completions
// body -> CompletionCall -> ChatService::complete -> chunks or one object. Client leaving: the run is cancelled (upstream
// closed within 100 ms), what had come is stored as cut.
#include "api/chat/completions.hpp"

#include "api/caller.hpp"
#include "api/chat/chat_metrics.hpp"
#include "api/chat/completion_input.hpp"
#include "api/chat/flow_completions.hpp"
#include "api/chat/openai_chunks.hpp"
#include "api/chat/openai_stream.hpp"
#include "api/errors.hpp"
#include "api/stopping.hpp"
#include "api/stream_places.hpp"
#include "api/time_limit.hpp"

namespace dure::api {

namespace {

class Completions {
public:
    explicit Completions(const ApiParts& parts)
        : parts_(parts),
          chat_(parts.chat),
          limits_(parts.settings.server.limits),
          places_(parts),
          metrics_(parts.metrics, "/v1/chat/completions")
    {
    }

    Task<Result<void>> handle(RequestContext& context);

private:
    struct Asked {
        RequestContext& context;
        const chat::CompletionCall& call;
        const chat::Caller& caller;
        const chat::RequestInfo& info;
        bool by_agent;
        std::optional<Steady::time_point>& first_output_at;
    };
    // No coroutine: a stream keeps no frame for it.
    Task<Result<void>> by_model(const Asked& asked) { return asked.call.stream ? streamed(asked) : whole(asked); }
    Task<Result<void>> beside_flow(const Asked& asked);
    Task<Result<void>> streamed(const Asked& asked);
    Task<Result<void>> whole(const Asked& asked);

    const ApiParts& parts_;
    chat::ChatService& chat_;
    const config::ServerLimits& limits_;
    StreamPlaces places_;
    ChatMetrics metrics_;
};

Task<Result<void>> Completions::handle(RequestContext& context)
{
    schema::JsonIndex members;
    const auto body = co_await context.json_body(static_cast<std::size_t>(limits_.chat_body), &members);
    if (!body)
        co_return body.error();
    auto call = read_completion(*body, std::move(members));
    if (!call)
        co_return call.error();
    call->hints = read_hints(context);
    Result<std::unique_ptr<auth::StreamPlace>> place = nullptr;
    if (call->stream)
        place = co_await places_.take(context, true);
    if (!place)
        co_return place.error();
    const auto caller = caller_of(context);
    const chat::RequestInfo info{context.request_id(), "/v1/chat/completions", Deadline::after(limits_.chat_request),
                                 context.head().client_address};
    const auto kind = chat_.kind_of(call->model, caller);
    const bool of_flow = is_flow_model(call->model);
    const bool by_flow = of_flow && !chat::ChatService::is_background(*call);
    const std::string_view known_model = of_flow                              ? std::string_view("flow")
                                         : kind == chat::ModelKind::unknown ? std::string_view("other")
                                                                            : call->model;
    // Observed on every way out; a cancellation unwinds through here.
    struct Observe {
        ChatMetrics& metrics;
        std::string_view model;
        Steady::time_point since;
        std::optional<Steady::time_point> first_output_at{};
        int status = 499;
        ~Observe()
        {
            metrics.observe(model, status, Steady::now() - since,
                            first_output_at ? std::optional(*first_output_at - since) : std::nullopt);
        }
    } observe{metrics_, known_model, context.exchange().began()};
    context.counts_chat = true;
    context.exchange().on_client_gone(http::OnClientGone::cancel);
    const Asked asked{context, *call, caller, info, of_flow || kind == chat::ModelKind::agent, observe.first_output_at};
    auto outcome = co_await (by_flow   ? complete_by_flow(parts_, context, *call, info.deadline)
                             : of_flow ? beside_flow(asked)
                                       : by_model(asked));
    observe.status = outcome ? 200 : http_status(outcome.error(), ErrorForm::openai);
    co_return outcome;
}

// What a client asks for beside a chat with a flow, as a title of it: the agent answers, for who may use the flow.
Task<Result<void>> Completions::beside_flow(const Asked& asked)
{
    if (auto flow = co_await find_flow_model(parts_, asked.context, asked.call.model); !flow)
        co_return flow.error();
    co_return co_await by_model(asked);
}

Task<Result<void>> Completions::streamed(const Asked& asked)
{
    auto& context = asked.context;
    chat::Answer answer;
    OpenAiStream stream(context, answer, asked.call.model, asked.call.hints.open_webui);
    struct Told {   // also when it is cancelled
        const OpenAiStream& stream;
        std::optional<Steady::time_point>& at;
        ~Told() { at = stream.first_output_at(); }
    } told{stream, asked.first_output_at};
    auto outcome =
        co_await or_told_of_stop(context, chat_.complete(asked.call, asked.caller, asked.info, stream, answer));
    if (outcome)
        co_return co_await stream.finish(asked.call.include_usage);
    if (stream.started() && outcome.error().code() != Errc::cancelled)
        co_await stream.fail(outcome.error());
    co_return outcome;
}

Task<Result<void>> Completions::whole(const Asked& asked)
{
    auto& context = asked.context;
    chat::Answer answer;
    model::NoSink nobody;
    auto work = chat_.complete(asked.call, asked.caller, asked.info, nobody, answer);
    if (asked.by_agent)  // a relay keeps the time by itself; the agent asks models several times
        work = in_time(std::move(work), asked.info.deadline);
    if (auto outcome = co_await or_told_of_stop(context, std::move(work)); !outcome)
        co_return outcome;
    auto text = !answer.body.empty() ? std::move(answer.body)
                                     : completion_json(new_completion_id(), SystemClock().now() / 1000,
                                                       asked.call.model, answer.completion);
    co_return co_await context.respond_json_text(200, std::move(text), answer_headers(answer));
}

}  // namespace

Handler create_completion(const ApiParts& parts)
{
    return [completions = std::make_shared<Completions>(parts)](RequestContext& context) {
        return completions->handle(context);
    };
}

}  // namespace dure::api
