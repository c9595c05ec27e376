// EvaluationWork: see evaluation_work.hpp. The figures are measured ones of a release build, rounded up.
#include "dure/flows/evaluation_work.hpp"

namespace dure::flows {

bool EvaluationWork::step(std::size_t units)
{
    if (steps_ == 0) {
        spent_ = true;
        return false;
    }
    --steps_;
    return spend(units);
}

bool EvaluationWork::spend(std::size_t units)
{
    if (spent_ || units > units_ || (stopped_ != nullptr && stopped_->load(std::memory_order_relaxed))) {
        spent_ = true;
        return false;
    }
    units_ -= units;
    return true;
}

std::size_t cost_of(Pass pass, const Json& value, std::size_t enough)
{
    const auto of_text = [&pass](const std::string& text) { return pass.of_eight_bytes * (text.size() + 7) / 8; };
    auto cost = pass.of_a_value;
    if (value.is_string())
        return cost + of_text(value.get_ref<const std::string&>());
    if (value.is_object())
        for (auto member = value.begin(); member != value.end() && cost <= enough; ++member)
            cost += pass.of_a_value + of_text(member.key()) + cost_of(pass, *member, enough - cost);
    else if (value.is_array())
        for (auto entry = value.begin(); entry != value.end() && cost <= enough; ++entry)
            cost += cost_of(pass, *entry, enough - cost);
    return cost;
}

Error too_much_work()
{
    return Error(Errc::invalid_argument, "The expressions of a node may take " +
                                             std::to_string(EvaluationWork::most_steps) +
                                             " steps together, and fewer over large values.")
        .reason("expression_too_large");
}

}  // namespace dure::flows
