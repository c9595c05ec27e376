// Budget: what a run may still use of tokens, money and model calls (flow-format §1, threat-model §6), looked at before each
// call. MeteredServices stands between the nodes of a run and the real services. One run, one core: not thread-safe.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>

#include "dure/executions/execution.hpp"
#include "dure/flows/compiler.hpp"

namespace dure::executions {

// A run that multiplies what it was given, as a fan-out of a large message, fills the memory and the disk of everybody.
inline constexpr std::size_t most_held_bytes = 128u << 20;

// Of the `usage` a node gives.
struct Used {
    std::int64_t tokens = 0;
    std::int64_t cost_nano = 0;
};
Used used_of(const Json& usage);

class Budget {
public:
    // `before`: by the whole execution, until this process works on it.
    Budget(const Limits& limits, Used before) : limits_(limits), used_(before) {}

    // An error when a limit is reached; the first one stays in exceeded().
    Result<void> check();
    // By a task. `call` not empty: the same call counts once.
    void count(const std::string& task, std::string_view call, const Json& usage);
    // A task that was left open begins again: what it had used is among `before`, and part of it is counted once more when it comes
    // to calls whose answers are kept. `now` knows what it has used in all.
    void begins_again(const std::string& task, Used before, std::shared_ptr<const flows::OpenTask> now);
    // Of what nodes read and made since this process works on the run; an error as of check().
    Result<void> hold(std::size_t bytes);
    const std::optional<Error>& exceeded() const { return exceeded_; }

private:
    struct Again {
        Used before;
        std::shared_ptr<const flows::OpenTask> now;
        Used counted;
    };
    Used used() const;

    const Limits limits_;
    Used used_;
    std::map<std::string, Again> again_;   // by task
    std::int64_t model_calls_ = 0;
    std::size_t held_bytes_ = 0;
    std::optional<Error> exceeded_;
    std::set<std::string, std::less<>> counted_;  // calls with a name
};

class MeteredServices final : public flows::NodeServices {
public:
    // `on_exceeded`: the run is to stop; called once.
    MeteredServices(flows::NodeServices& services, Budget& budget, std::function<void()> on_exceeded)
        : services_(services), budget_(budget), on_exceeded_(std::move(on_exceeded))
    {}

    Task<Result<Json>> call(flows::NodeCall call) override;
    std::optional<Json> variable(std::string_view owner, std::string_view name) override
    {
        return services_.variable(owner, name);
    }
    std::optional<std::string> secret(std::string_view owner, std::string_view name) override
    {
        return services_.secret(owner, name);
    }

private:
    flows::NodeServices& services_;
    Budget& budget_;
    std::function<void()> on_exceeded_;
};

}  // namespace dure::executions
