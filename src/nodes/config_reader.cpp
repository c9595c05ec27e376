// See config_reader.hpp.
#include "nodes/config_reader.hpp"

#include <cmath>

#include "dure/flows/expression.hpp"

namespace dure::nodes {
namespace {

std::string shown_number(double value)
{
    return dump(std::floor(value) == value ? Json(static_cast<std::int64_t>(value)) : Json(value));
}

}  // namespace

const Json* ConfigReader::find(const char* field) const
{
    if (!config_.is_object())
        return nullptr;
    const auto found = config_.find(field);
    return found == config_.end() || found->is_null() ? nullptr : &*found;
}

std::string ConfigReader::text(const char* field) const
{
    const auto* value = find(field);
    return value ? flows::text_of(*value) : std::string();
}

std::optional<double> ConfigReader::number(const char* field, double least, double most)
{
    const auto* value = find(field);
    if (!value)
        return std::nullopt;
    if (value->is_number() && value->get<double>() >= least && value->get<double>() <= most)
        return value->get<double>();
    problem(field, "must be a number from " + shown_number(least) + " to " + shown_number(most));
    return std::nullopt;
}

std::optional<std::int64_t> ConfigReader::integer(const char* field, std::int64_t least, std::int64_t most)
{
    const auto* value = find(field);
    if (!value)
        return std::nullopt;
    // Out of range of int64 too: compared as double first.
    const bool whole = value->is_number() && std::floor(value->get<double>()) == value->get<double>();
    const auto near = whole ? value->get<double>() : 0;
    if (whole && near >= static_cast<double>(least) && near <= static_cast<double>(most))
        return static_cast<std::int64_t>(near);
    problem(field, "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most));
    return std::nullopt;
}

bool ConfigReader::boolean(const char* field, bool otherwise)
{
    const auto* value = find(field);
    if (!value)
        return otherwise;
    if (value->is_boolean())
        return value->get<bool>();
    problem(field, "must be true or false");
    return otherwise;
}

const Json* ConfigReader::object(const char* field)
{
    const auto* value = find(field);
    if (!value || value->is_object())
        return value;
    problem(field, "must be an object");
    return nullptr;
}

const Json* ConfigReader::list(const char* field)
{
    const auto* value = find(field);
    if (!value || value->is_array())
        return value;
    problem(field, "must be a list");
    return nullptr;
}

std::vector<std::string> ConfigReader::texts(const char* field)
{
    std::vector<std::string> all;
    const auto* value = list(field);
    for (std::size_t i = 0; value && i < value->size(); ++i) {
        if ((*value)[i].is_string())
            all.push_back((*value)[i].get<std::string>());
        else
            problem(std::string(field) + "[" + std::to_string(i) + "]", "must be a text");
    }
    return all;
}

void ConfigReader::problem(std::string field, std::string message)
{
    problems_.push_back({{std::move(field)}, std::move(message), "config_invalid"});
}

Result<void> ConfigReader::done() const
{
    if (problems_.empty())
        return {};
    std::string all;
    for (const auto& one : problems_)
        all += (all.empty() ? "'" : "; '") + one.location.front() + "' " + one.message;
    return Error(Errc::invalid_argument, "The config of the node does not fit: " + all + ".")
        .param(problems_.front().location.front())
        .reason("config_invalid")
        .problems(problems_);
}

}  // namespace dure::nodes
