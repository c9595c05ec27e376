// See budget.hpp.
#include "executions/budget.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace dure::executions {

namespace {

std::int64_t whole_number(const Json& usage, const char* member)
{
    const auto found = usage.find(member);
    if (found == usage.end() || !found->is_number())
        return 0;
    return std::max<std::int64_t>(0, found->is_number_float() ? std::llround(found->get<double>())
                                                              : found->get<std::int64_t>());
}

void add(Used& sum, Used more)
{
    sum.tokens += more.tokens;
    sum.cost_nano += more.cost_nano;
}

Error limit_reached(const std::string& what)
{
    return Error(Errc::conflict, "The run has reached its limit of " + what + ".").reason("LIMIT_EXCEEDED");
}

}  // namespace

Used used_of(const Json& usage)
{
    Used used;
    if (!usage.is_object())
        return used;
    used.tokens = whole_number(usage, "input_tokens") + whole_number(usage, "output_tokens");
    if (const auto cost = usage.find("cost_usd"); cost != usage.end() && cost->is_number())
        used.cost_nano = std::max<std::int64_t>(0, std::llround(cost->get<double>() * 1e9));
    return used;
}

Result<void> Budget::check()
{
    const auto reached = [](std::int64_t used, std::int64_t limit) { return limit > 0 && used >= limit; };
    if (exceeded_)
        return *exceeded_;
    const auto now = used();
    if (reached(now.tokens, limits_.max_tokens))
        exceeded_ = limit_reached(std::to_string(limits_.max_tokens) + " tokens");
    else if (reached(now.cost_nano, limits_.max_cost_nano))
        exceeded_ = limit_reached("cost");
    else if (reached(model_calls_, limits_.max_model_calls))
        exceeded_ = limit_reached(std::to_string(limits_.max_model_calls) + " model calls");
    if (exceeded_)
        return *exceeded_;
    return {};
}

Result<void> Budget::hold(std::size_t bytes)
{
    held_bytes_ += bytes;
    if (!exceeded_ && held_bytes_ > most_held_bytes)
        exceeded_ = limit_reached(std::to_string(most_held_bytes >> 20) + " MiB of values");
    if (exceeded_)
        return *exceeded_;
    return {};
}

void Budget::count(const std::string& task, std::string_view call, const Json& usage)
{
    if (!usage.is_object() || (!call.empty() && !counted_.emplace(call).second))
        return;
    const auto more = used_of(usage);
    add(used_, more);
    if (const auto again = again_.find(task); again != again_.end())
        add(again->second.counted, more);
    model_calls_ += std::max<std::int64_t>(1, whole_number(usage, "model_calls"));
}

void Budget::begins_again(const std::string& task, Used before, std::shared_ptr<const flows::OpenTask> now)
{
    again_.try_emplace(task, Again{before, std::move(now), {}});
}

// Of a task that began again, only what goes beyond what it had used.
Used Budget::used() const
{
    auto used = used_;
    for (const auto& [task, again] : again_) {
        const auto now = used_of(again.now->usage());
        used.tokens += std::max<std::int64_t>(0, now.tokens - again.before.tokens) - again.counted.tokens;
        used.cost_nano += std::max<std::int64_t>(0, now.cost_nano - again.before.cost_nano) - again.counted.cost_nano;
    }
    return used;
}

namespace {

// Knows whether one node counts its calls by itself, and tells whoever counts for the node.
class CountingBudget final : public flows::CallBudget {
public:
    CountingBudget(Budget& budget, std::string task, flows::CallBudget* of_node)
        : budget_(budget), task_(std::move(task)), of_node_(of_node)
    {}
    Result<void> check() override { return budget_.check(); }
    void count(std::string_view call_name, const Json& usage) override
    {
        used_ = true;
        budget_.count(task_, call_name, usage);
        if (of_node_)
            of_node_->count(call_name, usage);
    }
    bool used() const { return used_; }

private:
    Budget& budget_;
    const std::string task_;
    flows::CallBudget* of_node_;
    bool used_ = false;
};

}  // namespace

Task<Result<Json>> MeteredServices::call(flows::NodeCall call)
{
    if (auto allowed = budget_.check(); !allowed) {
        if (on_exceeded_)
            std::exchange(on_exceeded_, nullptr)();
        co_return allowed.error();
    }
    // Services that make several model calls count each by itself; of others the output tells.
    const auto task = call.context.task_id();
    CountingBudget counted(budget_, task, call.budget);
    call.budget = &counted;
    auto output = co_await services_.call(std::move(call));
    if (budget_.exceeded() && !output && on_exceeded_)
        std::exchange(on_exceeded_, nullptr)();
    if (!counted.used() && output && output->is_object())
        if (const auto usage = output->find("usage"); usage != output->end())
            budget_.count(task, {}, *usage);
    co_return output;
}

}  // namespace dure::executions
