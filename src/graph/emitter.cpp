// Emitter and what a NodeContext emits through it; see emitter.hpp.
#include "graph/emitter.hpp"

#include "dure/graph/node.hpp"

namespace dure::graph {

std::string_view name_of(Mode mode)
{
    switch (mode) {
    case Mode::values: return "values";
    case Mode::updates: return "updates";
    case Mode::messages: return "messages";
    case Mode::custom: return "custom";
    case Mode::tasks: return "tasks";
    }
    return "";
}

Task<Result<void>> Emitter::emit(Mode mode, Json data)
{
    while (busy_)
        co_await free_.wait();
    struct Turn {
        explicit Turn(Emitter& of) : emitter(of) { emitter.busy_ = true; }
        ~Turn()
        {
            emitter.busy_ = false;
            emitter.free_.notify();
        }
        Turn(const Turn&) = delete;
        Turn& operator=(const Turn&) = delete;
        Emitter& emitter;
    };
    const Turn turn(*this);
    const Event event(++last_, mode, std::move(data));
    auto told = co_await sink_->event(event);
    if (!told)
        co_return Error(Errc::cancelled, "Nobody listens to the run any more.").reason("CANCELLED").detail(told.error().message());
    co_return Result<void>();
}

Task<Result<void>> NodeContext::emit_message(Json chunk)
{
    if (!emitter_.wants(Mode::messages))
        co_return Result<void>();
    auto metadata = Json::object();
    metadata["node"] = node_;
    metadata["step"] = step_;
    metadata["ns"] = "";
    auto data = Json::array();
    data.push_back(std::move(chunk));
    data.push_back(std::move(metadata));
    co_return co_await emitter_.emit(Mode::messages, std::move(data));
}

Task<Result<void>> NodeContext::emit_custom(Json data)
{
    if (!emitter_.wants(Mode::custom))
        co_return Result<void>();
    co_return co_await emitter_.emit(Mode::custom, std::move(data));
}

}  // namespace dure::graph
