// What stands between a retry plan and the health of a model's targets: admissions now, and admitted attempts.
#pragma once

#include "llm/call_metrics.hpp"
#include "llm/catalog.hpp"
#include "llm/retry_plan.hpp"

namespace dure::llm {

// A model's targets in the order in which one request tries them, and their state as its retry plan sees it, now.
class ModelAdmissions final : public Admissions {
public:
    // It takes the time for `now` until look_at_clock().
    ModelAdmissions(const ModelEntry& model, Steady::time_point now) : model_(model), now_(now) {}
    // By rank and weight, where the model has them; else as configured.
    ModelAdmissions(const ModelEntry& model, Steady::time_point now, const std::vector<bool>& capable)
        : ModelAdmissions(model, now)
    {
        if (!model.shares)
            return;
        std::vector<TargetShares::Moment> moments;
        moments.reserve(model.targets.size());
        for (std::size_t i = 0; i < model.targets.size(); ++i) {
            const auto& health = *model.targets[i].health;
            moments.push_back({capable[i] && health.open(now_), health.running()});
        }
        order_ = model.shares->order(moments);
    }
    // The place of the candidate among the model's targets.
    std::size_t place_of(std::size_t candidate) const { return order_.empty() ? candidate : order_[candidate]; }
    const Target& target(std::size_t candidate) const { return model_.targets[place_of(candidate)]; }

    Steady::time_point now() const { return now_; }
    // Behind every wait.
    void look_at_clock() { now_ = Steady::now(); }

    Admission admit(std::size_t candidate, std::span<const std::size_t> tried_keys) override
    {
        return target(candidate).health->admit(now_, tried_keys);
    }
    bool may_retry(std::size_t candidate) override { return target(candidate).health->may_retry(); }

private:
    const ModelEntry& model_;
    Steady::time_point now_;
    std::vector<std::size_t> order_;
};

// An admitted attempt and what it tells: the metrics once it has gone out, its target's health. One that ends without an outcome
// (cancelled) gives a probe's place back.
class Admitted {
public:
    Admitted(const Target& target, std::size_t key, CallMetrics& metrics)
        : target_(target), metrics_(metrics), key_(key), began_(target.health->era())
    {
        target_.health->begins();
    }
    Admitted(const Admitted&) = delete;
    Admitted& operator=(const Admitted&) = delete;
    ~Admitted()
    {
        if (out_)
            metrics_.attempt(target_, Failure(FailureClass::cancelled, ""));
        if (!noted_)
            target_.health->abandoned(began_);
        target_.health->ends();
    }
    void goes_out() { out_ = true; }
    void ended(const MaybeFailure& failure, Steady::time_point now)
    {
        out_ = false;
        metrics_.attempt(target_, failure);
        if (failure && says_nothing_of_target(failure->kind))
            return;
        target_.health->note(key_, failure, now, began_);
        noted_ = true;
    }
    TargetHealth::Era began() const { return began_; }
    static bool says_nothing_of_target(FailureClass kind)
    {
        return kind == FailureClass::cancelled || kind == FailureClass::busy || kind == FailureClass::no_descriptors;
    }
    std::optional<Steady::duration> overtaken(Steady::time_point now) const
    {
        return target_.health->overtaken(key_, now, began_);
    }

private:
    const Target& target_;
    CallMetrics& metrics_;
    std::size_t key_;
    TargetHealth::Era began_;
    bool noted_ = false;
    bool out_ = false;
};

}  // namespace dure::llm
