// DirectCalls; see calls.hpp.
#include "dure/agents/calls.hpp"

namespace dure::agents {

Task<Result<std::vector<std::string>>> Calls::refusals(std::string_view, const std::vector<model::ToolCall>& calls)
{
    co_return std::vector<std::string>(calls.size());
}

Task<Result<void>> DirectCalls::ask(std::string_view, const llm::CompletionRequest& request,
                                    const llm::CallContext& context, model::AnswerSink* sink, model::Completion& into)
{
    if (sink)
        co_return co_await gateway_.stream(request, context, *sink, into);
    co_return co_await gateway_.complete(request, context, into);
}

Task<Result<tools::Outcome>> DirectCalls::use(std::string_view, const model::ToolCall& call,
                                              const tools::Caller& caller)
{
    co_return co_await registry_.execute(call.name, call.arguments, caller);
}

}  // namespace dure::agents
