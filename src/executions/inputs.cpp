// See inputs.hpp.
#include "dure/executions/inputs.hpp"

#include <algorithm>

namespace dure::executions {

namespace {

bool fits(const std::string& type, const Json& value)
{
    if (type == "text")
        return value.is_string();
    if (type == "number")
        return value.is_number();
    if (type == "integer")
        return value.is_number_integer();
    if (type == "boolean")
        return value.is_boolean();
    if (type == "object" || type == "message" || type == "file")
        return value.is_object();
    if (type == "messages" || type == "documents")
        return value.is_array();
    if (type.starts_with("list<") && type.ends_with(">")) {
        const auto inner = type.substr(5, type.size() - 6);
        return value.is_array() &&
               std::all_of(value.begin(), value.end(), [&](const Json& entry) { return fits(inner, entry); });
    }
    return true;   // any
}

FieldProblem input_problem(const std::string& name, std::string message, std::string type)
{
    return {{"body", "inputs", name}, std::move(message), std::move(type)};
}

// One declared input: taken over, defaulted, or a problem.
void check_one(const Json& declared, const Json& given, Json& taken, std::vector<FieldProblem>& problems)
{
    const auto name = declared.value("name", "");
    const auto found = given.find(name);
    const bool absent = found == given.end() || found->is_null();
    if (absent) {
        const auto otherwise = declared.find("default");
        if (otherwise != declared.end() && !otherwise->is_null())
            taken[name] = *otherwise;
        else if (declared.value("required", false))
            problems.push_back(input_problem(name, "Field required", "missing"));
        return;
    }
    const auto type = declared.value("type", "any");
    if (!fits(type, *found)) {
        problems.push_back(input_problem(name, "Input should be of type " + type, "input_type"));
        return;
    }
    const auto options = declared.find("options");
    if (options != declared.end() && options->is_array() && !options->empty() &&
        std::find(options->begin(), options->end(), *found) == options->end()) {
        problems.push_back(input_problem(name, "Input should be one of " + dump(*options), "enum"));
        return;
    }
    taken[name] = *found;
}

}  // namespace

Result<Json> check_inputs(const flows::Document& document, const Json& given)
{
    if (!document.inputs.is_array() || document.inputs.empty())
        return given;
    auto taken = Json::object();
    std::vector<FieldProblem> problems;
    std::vector<std::string> names;
    for (const auto& entry : document.inputs) {
        const auto declared = Json(entry);
        names.push_back(declared.value("name", ""));
        check_one(declared, given, taken, problems);
    }
    for (const auto& [name, value] : given.items())
        if (std::find(names.begin(), names.end(), name) == names.end())
            problems.push_back(input_problem(name, "The flow has no such input", "extra_forbidden"));
    if (!problems.empty())
        return Error(Errc::invalid_argument, "The inputs do not fit the flow.")
            .param("inputs")
            .problems(std::move(problems));
    return taken;
}

}  // namespace dure::executions
