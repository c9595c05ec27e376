// See inputs.hpp.
#include "dure/flows/inputs.hpp"

#include <algorithm>

namespace dure::flows {

bool value_type_allowed(std::string_view type)
{
    static const std::vector<std::string_view> plain{"any",  "text",    "number",   "integer",   "boolean", "object",
                                                     "list", "message", "messages", "documents", "file",    "image"};
    if (type.starts_with("list<") && type.ends_with(">"))
        return value_type_allowed(type.substr(5, type.size() - 6));
    return std::find(plain.begin(), plain.end(), type) != plain.end();
}

bool fits_type(const std::string& type, const Json& value)
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
    if (type == "list" || type == "messages" || type == "documents")
        return value.is_array();
    if (type.starts_with("list<") && type.ends_with(">")) {
        const auto inner = type.substr(5, type.size() - 6);
        return value.is_array() &&
               std::all_of(value.begin(), value.end(), [&](const Json& entry) { return fits_type(inner, entry); });
    }
    return true;   // any
}

bool is_offered(const Json& options, const Json& value)
{
    const auto one_of_them = [&](const Json& one) {
        return std::find(options.begin(), options.end(), one) != options.end();
    };
    return one_of_them(value) || (value.is_array() && std::all_of(value.begin(), value.end(), one_of_them));
}

bool can_go_on_from(const Json& declared, const Json& value)
{
    const auto reducer = declared.value("reducer", "last");
    return reducer == "append"  ? value.is_array()
           : reducer == "add"   ? value.is_number()
           : reducer == "merge" ? value.is_object()
                                : true;
}

bool fits_variable(const Json& declared, const Json& value)
{
    if (declared.value("reducer", "last") == "last" && value.is_null())
        return true;
    return can_go_on_from(declared, value) && fits_type(declared.value("type", "any"), value);
}

namespace {

FieldProblem input_problem(const std::string& name, std::string message, std::string type)
{
    return {{"body", "inputs", name}, std::move(message), std::move(type)};
}

// One declared input: taken over, defaulted, or a problem.
void check_one_input(const Json& declared, const Json& given, Json& taken, std::vector<FieldProblem>& problems)
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
        else if (found != given.end())
            taken[name] = nullptr;   // a value, not absence: what reads it finds it
        return;
    }
    const auto type = declared.value("type", "any");
    if (!fits_type(type, *found)) {
        problems.push_back(input_problem(name, "Input should be of type " + type, "input_type"));
        return;
    }
    const auto options = declared.find("options");
    if (options != declared.end() && options->is_array() && !options->empty() && !is_offered(*options, *found)) {
        problems.push_back(input_problem(name, "Input should be one of " + dump(*options), "enum"));
        return;
    }
    taken[name] = *found;
}

}  // namespace

Result<Json> check_inputs(const Json& declared, const Json& given)
{
    if (!declared.is_array() || declared.empty())
        return given;
    auto taken = Json::object();
    std::vector<FieldProblem> problems;
    std::vector<std::string> names;
    for (const auto& entry : declared) {
        names.push_back(entry.value("name", ""));
        check_one_input(entry, given, taken, problems);
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

}  // namespace dure::flows
