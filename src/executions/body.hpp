// The body of an execution, as a worker runs it (runs::RunBody): row → pinned documents → compiled graph (cached) → graph run
// under the flow's limits → result in the words of the flow. What it leaves on its way is stored by the Recorder.
#pragma once

#include "dure/executions/service.hpp"
#include "dure/flows/compiler.hpp"
#include "dure/flows/evaluations.hpp"
#include "dure/runs/worker.hpp"
#include "executions/flow_cache.hpp"
#include "executions/owner_places.hpp"

namespace dure::executions {

struct BodyParts {
    ExecutionService& executions;
    flows::NodeServices& services;
    FlowCache& cache;
    OwnerPlaces& places;
    flows::Evaluations& evaluations;
};

// All of the parts outlive every run.
runs::RunBody execution_body(BodyParts parts);

// The compiled flow of an execution, from the cache or made anew.
Task<Result<std::shared_ptr<const flows::CompiledFlow>>> compiled_flow(const ExecutionService::Parts& parts,
                                                                       FlowCache& cache, Execution execution);
flows::RunFacts facts_of(const Execution& execution);

// What every run of an execution is started with (runs/graph_body.hpp).
Json run_options();

}  // namespace dure::executions
