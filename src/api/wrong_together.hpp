// One answer names every wrong field (A7): those that a table of fields finds, and those that only the route can judge.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dure/base/error.hpp"
#include "dure/schema/fields.hpp"

namespace dure::api {

// The first error, with the problems of those behind it; of a field the first one counts. An error that names no field (a
// body that cannot be read) stands alone. Nothing: all hold.
template <class... Values>
std::optional<Error> wrong_together(const Result<Values>&... read)
{
    std::optional<Error> first;
    std::vector<FieldProblem> all;
    const auto gather = [&first, &all](const auto& part) {
        if (part)
            return;
        if (!first)
            first = part.error();
        for (const auto& one : part.error().extra().problems)
            if (std::none_of(all.begin(), all.end(),
                             [&one](const FieldProblem& known) { return known.location == one.location; }))
                all.push_back(one);
    };
    (gather(read), ...);
    if (!first || first->extra().problems.empty())
        return first;
    return Error(*first).problems(std::move(all));
}

// A parameter as it was sent, also where the table of the query refused another one; empty: it was not.
inline std::string parameter_of(const schema::QueryPairs& query, std::string_view name)
{
    const auto found = std::find_if(query.begin(), query.end(), [name](const auto& one) { return one.first == name; });
    return found == query.end() ? std::string() : found->second;
}

}  // namespace dure::api
