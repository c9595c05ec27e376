// State and its small helpers; see state.hpp.
#include "dure/graph/state.hpp"

#include <algorithm>

#include "dure/base/error.hpp"

namespace dure::graph {

std::size_t State::index_of(std::string_view channel) const
{
    const auto at = std::lower_bound(names_->begin(), names_->end(), channel);
    return at != names_->end() && *at == channel ? static_cast<std::size_t>(at - names_->begin()) : unknown;
}

const Json* State::find(std::string_view channel) const
{
    const auto index = index_of(channel);
    return index == unknown ? nullptr : values_[index].get();
}

const Json& State::at(std::string_view channel) const
{
    if (const auto* value = find(channel))
        return *value;
    throw InvariantBroken("channel '" + std::string(channel) + "' is absent");
}

Json State::to_json() const
{
    auto all = Json::object();
    for (std::size_t i = 0; i < values_.size(); ++i)
        if (values_[i])
            all[(*names_)[i]] = *values_[i];
    return all;
}

Json overwrite(Json value)
{
    auto marked = Json::object();
    marked["__overwrite__"] = std::move(value);
    return marked;
}

}  // namespace dure::graph
