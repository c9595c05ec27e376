// RunScope: what expressions see while a node of a stage runs.
#pragma once

#include <deque>
#include <map>

#include "flows/compiler/stage.hpp"

namespace dure::flows {

class RunScope final : public Scope {
public:
    // All outlive the scope.
    RunScope(const Stage& stage, const graph::State& state, FlowRun& run, const Json& input)
        : stage_(stage), state_(state), run_(run), input_(input)
    {}

    const Json* find(Root root, std::string_view name) const override;
    // The time of this step; without it there is none.
    void tell_now(std::string now) { now_ = std::move(now); }
    // From now on in place of what is there: what this node has changed itself.
    void put(Root root, const std::string& name, Json value) { known_[{root, name}] = keep(std::move(value)); }
    // What was put and found: before the work begins again.
    void forget()
    {
        known_.clear();
        kept_.clear();
    }

private:
    const Json* keep(Json value) const
    {
        kept_.push_back(std::move(value));
        return &kept_.back();
    }
    const Json* look_up(Root root, std::string_view name) const;
    const Json* of_context(const char* part, std::string_view name) const;
    const Json* of_session(std::string_view name) const;
    const Json* of_run(Root root, std::string_view name) const;
    const Json* of_vault(Root root, std::string_view name) const;

    const Stage& stage_;
    const graph::State& state_;
    FlowRun& run_;
    const Json& input_;
    Json now_;
    mutable std::deque<Json> kept_;
    mutable std::map<std::pair<Root, std::string>, const Json*> known_;
};

}  // namespace dure::flows
