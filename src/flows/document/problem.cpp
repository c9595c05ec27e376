// The form problems have in answers; see problem.hpp.
#include "dure/flows/problem.hpp"

namespace dure::flows {

OrderedJson problem_json(const Problem& problem)
{
    OrderedJson out{{"code", problem.code},
                    {"type", problem.code},
                    {"loc", problem.location},
                    {"msg", problem.message},
                    {"level", problem.level == Level::error ? "error" : "warn"}};
    if (!problem.node_id.empty())
        out["node_id"] = problem.node_id;
    if (!problem.edge_id.empty())
        out["edge_id"] = problem.edge_id;
    return out;
}

OrderedJson problems_json(const Problems& problems)
{
    auto out = OrderedJson::array();
    for (const auto& problem : problems.list())
        out.push_back(problem_json(problem));
    return out;
}

OrderedJson warnings_json(const Problems& problems)
{
    auto out = OrderedJson::array();
    for (const auto& problem : problems.list())
        if (problem.level == Level::warning)
            out.push_back(problem_json(problem));
    return out;
}

}  // namespace dure::flows
