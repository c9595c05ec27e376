// The engine behind declared fields: one walk over a body or query, every problem collected; see fields.hpp.
#include "dure/schema/fields.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "dure/base/text.hpp"
#include "dure/schema/json_check.hpp"
#include "dure/schema/json_schema.hpp"

namespace dure::schema::detail {

namespace engine {

using Path = std::vector<std::string>;
using Problems = std::vector<FieldProblem>;

void add(Problems& problems, const Path& path, std::string type, std::string message)
{
    if (problems.size() < most_problems)
        problems.push_back({path, std::move(message), std::move(type)});
}

// A step down the path for the time of one field.
class Step {
public:
    Step(Path& path, std::string name) : path_(path) { path_.push_back(std::move(name)); }
    ~Step() { path_.pop_back(); }
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;

private:
    Path& path_;
};

std::string plain(double number)
{
    if (std::floor(number) == number && std::fabs(number) < 1e15)
        return std::to_string(static_cast<long long>(number));
    auto text = std::to_string(number);
    text.erase(text.find_last_not_of('0') + 1);
    return text;
}

std::string count_of(std::size_t count, const char* what)
{
    return std::to_string(count) + ' ' + what + (count == 1 ? "" : "s");
}

std::string choices(const std::vector<std::string>& allowed)
{
    std::string all;
    for (std::size_t i = 0; i < allowed.size(); ++i)
        all += (i == 0 ? "" : i + 1 == allowed.size() ? " or " : ", ") + ("'" + allowed[i] + "'");
    return all;
}

std::string cut(std::string_view name)
{
    return to_valid_utf8(utf8_prefix(name, 100));
}

void check_range(const Field& field, double number, const Path& path, Problems& problems)
{
    if (field.least && number < *field.least)
        add(problems, path, "greater_than_equal", "Input should be greater than or equal to " + plain(*field.least));
    if (field.most && number > *field.most)
        add(problems, path, "less_than_equal", "Input should be less than or equal to " + plain(*field.most));
}

void check_choice(const Field& field, const std::string& text, const Path& path, Problems& problems)
{
    if (!field.allowed.empty() && std::find(field.allowed.begin(), field.allowed.end(), text) == field.allowed.end())
        add(problems, path, "enum", "Input should be " + choices(field.allowed));
    if (text.find('\0') != std::string::npos)
        add(problems, path, "value_error", "The character U+0000 is not allowed");
}

void check_text(const Field& field, const std::string& text, const Path& path, Problems& problems)
{
    const auto length = utf8_characters(text);
    if (field.shortest && length < *field.shortest)
        add(problems, path, "string_too_short",
            "String should have at least " + count_of(*field.shortest, "character"));
    if (field.longest && length > *field.longest)
        add(problems, path, "string_too_long", "String should have at most " + count_of(*field.longest, "character"));
    check_choice(field, text, path, problems);
}

void check_count(const Field& field, std::size_t count, const Path& path, Problems& problems)
{
    if (field.shortest && count < *field.shortest)
        add(problems, path, "too_short", "List should have at least " + count_of(*field.shortest, "item"));
    if (field.longest && count > *field.longest)
        add(problems, path, "too_long", "List should have at most " + count_of(*field.longest, "item"));
}

// The texts of an array, each checked by the field's choices.
std::vector<std::string> read_texts(const Field& field, const JsonView& value, Path& path, Problems& problems)
{
    std::vector<std::string> texts;
    std::size_t index = 0;
    value.for_each_element([&](const JsonView& element) {
        const Step step(path, std::to_string(index++));
        if (!element.is_string()) {
            add(problems, path, "string_type", "Input should be a valid string");
            return;
        }
        texts.push_back(element.string());
        check_choice(field, texts.back(), path, problems);
    });
    check_count(field, index, path, problems);
    return texts;
}

// Empty when the value has the wrong type; the problem is noted.
std::optional<FieldValue> read_value(const Field& field, const JsonView& value, Path& path, Problems& problems)
{
    const auto wrong = [&](const char* type, const char* message) {
        add(problems, path, type, message);
        return std::nullopt;
    };
    switch (field.type) {
    case FieldType::boolean:
        if (const auto yes = value.as_bool())
            return FieldValue(*yes);
        return wrong("bool_type", "Input should be a valid boolean");
    case FieldType::integer:
        if (const auto number = value.as_int64()) {
            check_range(field, static_cast<double>(*number), path, problems);
            return FieldValue(*number);
        }
        return wrong("int_type", "Input should be a valid integer");
    case FieldType::number:
        if (const auto number = value.as_double()) {
            check_range(field, *number, path, problems);
            return FieldValue(*number);
        }
        return wrong("float_type", "Input should be a valid number");
    case FieldType::text: {
        if (!value.is_string())
            return wrong("string_type", "Input should be a valid string");
        auto text = value.string();
        check_text(field, text, path, problems);
        return FieldValue(std::move(text));
    }
    case FieldType::texts:
        if (!value.is_array())
            return wrong("list_type", "Input should be a valid list");
        return FieldValue(read_texts(field, value, path, problems));
    case FieldType::document: return FieldValue(Json::parse(value.raw()));
    case FieldType::ordered_document: return FieldValue(OrderedJson::parse(value.raw()));
    case FieldType::nested:
    case FieldType::list: break;
    }
    throw InvariantBroken("a field of structs has no single value");
}

// As read_value, from a text of the query string.
std::optional<FieldValue> parse_value(const Field& field, const std::string& text, Path& path, Problems& problems)
{
    const auto* end = text.data() + text.size();
    if (field.type == FieldType::text) {
        check_text(field, text, path, problems);
        return FieldValue(text);
    }
    if (field.type == FieldType::boolean) {
        const auto word = ascii_lower(text);   // Python writes True
        if (word == "true" || word == "1" || word == "false" || word == "0")
            return FieldValue(word == "true" || word == "1");
        add(problems, path, "bool_parsing", "Input should be a valid boolean, unable to interpret input");
        return std::nullopt;
    }
    if (field.type == FieldType::integer) {
        std::int64_t number = 0;
        const auto [stopped, error] = std::from_chars(text.data(), end, number);
        if (text.empty() || error != std::errc() || stopped != end) {
            add(problems, path, "int_parsing", "Input should be a valid integer, unable to parse string as an integer");
            return std::nullopt;
        }
        check_range(field, static_cast<double>(number), path, problems);
        return FieldValue(number);
    }
    if (field.type != FieldType::number)
        throw InvariantBroken("query field " + field.name + " has a type that only bodies can have");
    const auto number = JsonView(text).as_double();
    if (!number) {
        add(problems, path, "float_parsing", "Input should be a valid number, unable to parse string as a number");
        return std::nullopt;
    }
    check_range(field, *number, path, problems);
    return FieldValue(*number);
}

}  // namespace engine

void FieldTable::add(Field field)
{
    if (find(field.name))
        throw InvariantBroken("field " + field.name + " is declared twice");
    fields_.push_back(std::move(field));
}

const Field* FieldTable::find(std::string_view name) const
{
    for (const auto& field : fields_)
        if (field.name == name || std::find(field.aliases.begin(), field.aliases.end(), name) != field.aliases.end())
            return &field;
    return nullptr;
}

void FieldTable::read_object(const JsonView& body, void* target, std::vector<std::string>& path,
                             std::vector<FieldProblem>& problems) const
{
    if (!body.is_object()) {
        engine::add(problems, path, "dict_type", "Input should be a valid object");
        return;
    }
    const JsonIndex members(body);
    for (const auto& field : fields_) {
        auto value = members.find(field.name);
        for (std::size_t i = 0; i < field.aliases.size() && (!value || value->is_null()); ++i)
            value = members.find(field.aliases[i]);
        const engine::Step step(path, field.name);
        if (value && !value->is_null())
            read_field(field, *value, target, path, problems);
        else if (field.required)
            engine::add(problems, path, "missing", "Field required");
    }
    if (!refuses_unknown())
        return;
    body.for_each_member([&](std::string_view key, const JsonView&) {
        if (find(key))
            return;
        const engine::Step step(path, engine::cut(key));
        engine::add(problems, path, "extra_forbidden", "Extra inputs are not permitted");
    });
}

void FieldTable::read_field(const Field& field, const JsonView& value, void* target, std::vector<std::string>& path,
                            std::vector<FieldProblem>& problems) const
{
    if (field.type == FieldType::nested) {
        if (value.is_object())
            field.inner->read_object(value, field.inner_target(target), path, problems);
        else
            engine::add(problems, path, "dict_type", "Input should be a valid object");
        return;
    }
    if (field.type == FieldType::list) {
        read_list(field, value, target, path, problems);
        return;
    }
    if (auto read = engine::read_value(field, value, path, problems))
        field.store(target, std::move(*read));
}

void FieldTable::read_list(const Field& field, const JsonView& value, void* target, std::vector<std::string>& path,
                           std::vector<FieldProblem>& problems) const
{
    if (!value.is_array()) {
        engine::add(problems, path, "list_type", "Input should be a valid list");
        return;
    }
    const auto count = value.size();
    engine::check_count(field, count, path, problems);
    if (field.longest && count > *field.longest)
        return;
    std::size_t index = 0;
    value.for_each_element([&](const JsonView& element) {
        const engine::Step step(path, std::to_string(index++));
        field.inner->read_object(element, field.inner_target(target), path, problems);
    });
}

void FieldTable::read_query(const QueryPairs& query, void* target, std::vector<FieldProblem>& problems) const
{
    std::vector<std::string> path{"query"};
    std::vector<const Field*> seen;
    std::vector<std::vector<std::string>> lists(fields_.size());
    for (const auto& [name, text] : query) {
        const auto* field = find(name);
        const engine::Step step(path, engine::cut(name));
        if (!field) {
            if (refuses_unknown())
                engine::add(problems, path, "extra_forbidden", "Extra inputs are not permitted");
            continue;
        }
        const bool repeated = std::find(seen.begin(), seen.end(), field) != seen.end();
        seen.push_back(field);
        if (field->type == FieldType::texts) {
            engine::check_choice(*field, text, path, problems);
            lists[static_cast<std::size_t>(field - fields_.data())].push_back(text);
        } else if (repeated) {
            engine::add(problems, path, "value_error", "The parameter is given twice");
        } else if (auto value = engine::parse_value(*field, text, path, problems)) {
            field->store(target, std::move(*value));
        }
    }
    for (std::size_t i = 0; i < fields_.size(); ++i) {
        const auto& field = fields_[i];
        const engine::Step step(path, field.name);
        if (field.type == FieldType::texts && !lists[i].empty()) {
            engine::check_count(field, lists[i].size(), path, problems);
            field.store(target, FieldValue(std::move(lists[i])));
        }
        if (field.required && std::find(seen.begin(), seen.end(), &field) == seen.end())
            engine::add(problems, path, "missing", "Field required");
    }
}

Error wrong_fields(std::vector<FieldProblem> problems)
{
    const auto& first = problems.front();
    std::string param;
    for (std::size_t i = 1; i < first.location.size(); ++i)
        param += (i > 1 ? "." : "") + first.location[i];
    const auto message = param.empty() ? first.message + "." : param + ": " + first.message + ".";
    const auto* reason = first.type == "missing" ? "missing_required_parameter" : "invalid_value";
    return Error(Errc::invalid_argument, message).reason(reason).param(param).problems(std::move(problems));
}

Result<JsonView> body_object(std::string_view text)
{
    if (auto checked = check_json(text); !checked)
        return checked.error();
    return JsonView(text);
}

}  // namespace dure::schema::detail
