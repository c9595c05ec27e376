// What stands between a retry plan and the health of a model's targets: admissions now, and admitted attempts.
#pragma once

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
    bool may_retry(std::size_t candidate) override { return target(candidate).health->may_retry(now_); }

private:
    const ModelEntry& model_;
    Steady::time_point now_;
    std::vector<std::size_t> order_;
};

// An admitted attempt; one that ends without an outcome (cancelled) gives a probe's place back.
class Admitted {
public:
    Admitted(TargetHealth& health, std::size_t key) : health_(health), key_(key) { health_.begins(); }
    Admitted(const Admitted&) = delete;
    Admitted& operator=(const Admitted&) = delete;
    ~Admitted()
    {
        if (!noted_)
            health_.abandoned();
        health_.ends();
    }
    void ended(const MaybeFailure& failure, Steady::time_point now)
    {
        if (failure && (failure->kind == FailureClass::cancelled || failure->kind == FailureClass::busy))
            return;
        health_.note(key_, failure, now);
        noted_ = true;
    }

private:
    TargetHealth& health_;
    std::size_t key_;
    bool noted_ = false;
};

}  // namespace dure::llm
