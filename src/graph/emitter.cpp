// Emitter; see emitter.hpp.
#include "graph/emitter.hpp"

#include <array>
#include <utility>

#include "dure/base/clock.hpp"

namespace dure::graph {
namespace {

constexpr std::array<std::pair<Mode, std::string_view>, 7> mode_names = {{{Mode::values, "values"},
                                                                          {Mode::updates, "updates"},
                                                                          {Mode::messages, "messages"},
                                                                          {Mode::custom, "custom"},
                                                                          {Mode::tasks, "tasks"},
                                                                          {Mode::checkpoints, "checkpoints"},
                                                                          {Mode::debug, "debug"}}};

}  // namespace

std::string_view name_of(Mode mode)
{
    for (const auto& [one, name] : mode_names)
        if (one == mode)
            return name;
    return "";
}

std::optional<Mode> mode_named(std::string_view wanted)
{
    for (const auto& [mode, name] : mode_names)
        if (name == wanted)
            return mode;
    return std::nullopt;
}

Task<Result<void>> Emitter::emit(Mode mode, const std::string& ns, Json data)
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
    const Event event(++last_, ns, mode, std::move(data));
    auto told = co_await sink_->event(event);
    if (!told)
        co_return Error(Errc::cancelled, "Nobody listens to the run any more.")
            .reason("CANCELLED")
            .detail(told.error().message());
    co_return Result<void>();
}

Task<Result<void>> Emitter::emit_with_debug(Mode mode, const std::string& ns, std::int64_t step, Json data)
{
    if (wants(Mode::debug, ns)) {
        auto wrapped = Json::object();
        wrapped["type"] = mode == Mode::checkpoints            ? "checkpoint"
                          : data.value("event", "") == "start" ? "task"
                                                               : "task_result";
        wrapped["step"] = step;
        wrapped["timestamp"] = rfc3339(SystemClock().now());
        wrapped["payload"] = data;
        if (auto told = co_await emit(Mode::debug, ns, std::move(wrapped)); !told)
            co_return told;
    }
    if (!wants(mode, ns))
        co_return Result<void>();
    co_return co_await emit(mode, ns, std::move(data));
}

}  // namespace dure::graph
