// evaluate_over(): where the expressions of a node are evaluated. Most are done in microseconds on the core that runs the flow; what
// turns out to be more begins again on the threads for that (evaluations.hpp).
#pragma once

#include "dure/flows/compiler.hpp"
#include "dure/flows/evaluations.hpp"
#include "flows/compiler/run_scope.hpp"

namespace dure::flows {

// work() returns a Result, looks at the scope and changes nothing but that.
template <class Work>
Task<std::invoke_result_t<Work>> evaluate_over(FlowRun& run, RunScope& scope, Work work)
{
    constexpr std::size_t quick_steps = 500;
    constexpr std::size_t quick_units = 1u << 20;  // about a millisecond
    if (run.evaluations == nullptr)
        co_return work();
    scope.work().allow(quick_steps, quick_units);
    auto result = work();
    if (!scope.work().is_spent())
        co_return result;
    scope.forget();
    co_return co_await run.evaluations->run(scope.work(), std::move(work));
}

}  // namespace dure::flows
