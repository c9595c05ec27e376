// ConfigReader: the evaluated config of a node. Validation has seen the fields whose values were written down; those that came out
// of expressions are checked here. Problems are collected and come back as one error that names every field.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dure/base/error.hpp"
#include "dure/base/json.hpp"

namespace dure::nodes {

class ConfigReader {
public:
    explicit ConfigReader(const Json& config) : config_(config) {}

    // Null: absent or null.
    const Json* find(const char* field) const;
    // Any value as text, by the rule of expressions inside text; empty when absent.
    std::string text(const char* field) const;
    std::optional<double> number(const char* field, double least, double most);
    std::optional<std::int64_t> integer(const char* field, std::int64_t least, std::int64_t most);
    bool boolean(const char* field, bool otherwise);
    // Null when absent or not of that form (a problem then).
    const Json* object(const char* field);
    const Json* list(const char* field);
    std::vector<std::string> texts(const char* field);

    void problem(std::string field, std::string message);
    // invalid_argument, reason "config_invalid", with every problem so far.
    Result<void> done() const;

private:
    const Json& config_;
    std::vector<FieldProblem> problems_;
};

}  // namespace dure::nodes
