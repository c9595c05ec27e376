// What stands between a retry plan and the health of a model's targets: admissions now, and admitted attempts.
#pragma once

#include "llm/catalog.hpp"
#include "llm/retry_plan.hpp"

namespace dure::llm {

// The state of a model's targets as a retry plan sees it, now.
class ModelAdmissions final : public Admissions {
public:
    explicit ModelAdmissions(const ModelEntry& model) : model_(model) {}
    Admission admit(std::size_t target, std::span<const std::size_t> tried_keys) override
    {
        return model_.targets[target].health->admit(Steady::now(), tried_keys);
    }
    bool may_retry(std::size_t target) override { return model_.targets[target].health->may_retry(Steady::now()); }

private:
    const ModelEntry& model_;
};

// An admitted attempt; one that ends without an outcome (cancelled) gives a probe's place back.
class Admitted {
public:
    Admitted(TargetHealth& health, std::size_t key) : health_(health), key_(key) {}
    Admitted(const Admitted&) = delete;
    Admitted& operator=(const Admitted&) = delete;
    ~Admitted()
    {
        if (!noted_)
            health_.abandoned();
    }
    void ended(const MaybeFailure& failure)
    {
        if (failure && (failure->kind == FailureClass::cancelled || failure->kind == FailureClass::busy))
            return;
        health_.note(key_, failure, Steady::now());
        noted_ = true;
    }

private:
    TargetHealth& health_;
    std::size_t key_;
    bool noted_ = false;
};

}  // namespace dure::llm
