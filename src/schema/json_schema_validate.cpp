// JsonSchema::validate: walks value and nodes together; see json_schema.hpp. Work and depth are bounded: a schema whose
// references or alternatives multiply ends in a problem, not in a stalled thread.
#include <algorithm>
#include <cmath>
#include <limits>

#include "dure/base/text.hpp"
#include "schema/json_order.hpp"
#include "schema/json_schema_node.hpp"

namespace dure::schema {

namespace validating {

using Node = JsonSchema::Node;
using Problems = std::vector<FieldProblem>;

constexpr std::size_t most_work = 200000;  // nodes visited and values compared
constexpr std::size_t most_depth = 200;

bool has_type(const Json& value, std::string_view type)
{
    if (type == "integer")  // draft-7: 2.0 is one
        return value.is_number_integer() ||
               (value.is_number_float() && std::floor(value.get<double>()) == value.get<double>());
    return (type == "null" && value.is_null()) || (type == "boolean" && value.is_boolean()) ||
           (type == "number" && value.is_number()) || (type == "string" && value.is_string()) ||
           (type == "array" && value.is_array()) || (type == "object" && value.is_object());
}

bool same(const Json& a, const Json& b)
{
    return compare_values(a, b) == 0;
}

std::string joined(const std::vector<std::string>& names)
{
    std::string all;
    for (const auto& name : names)
        all += (all.empty() ? "" : " or ") + name;
    return all;
}

class Validator {
public:
    // Problems of `value` against `node`; true when there are none.
    bool check(const Node& node, const Json& value, Problems& problems)
    {
        if (exhausted_ || ++work_ > most_work || depth_ >= most_depth)
            return give_up(problems);
        ++depth_;
        const auto before = problems.size();
        if (node.reference)
            check(*node.reference, value, problems);
        else if (node.constant)
            expect(*node.constant, problems, "not_allowed", "This value is not allowed");
        else
            check_keywords(node, value, problems);
        --depth_;
        return problems.size() == before && !exhausted_;
    }

private:
    bool give_up(Problems& problems)
    {
        if (!exhausted_)
            add(problems, "too_complex", "Checking this value takes too much work");
        exhausted_ = true;
        return false;
    }

    void add(Problems& problems, std::string type, std::string message)
    {
        if (problems.size() < most_problems)
            problems.push_back({path_, std::move(message), std::move(type)});
    }

    void expect(bool fine, Problems& problems, std::string type, std::string message)
    {
        if (!fine)
            add(problems, std::move(type), std::move(message));
    }

    void check_at(std::string step, const Node& node, const Json& value, Problems& problems)
    {
        path_.push_back(std::move(step));
        check(node, value, problems);
        path_.pop_back();
    }

    bool passes(const Node& node, const Json& value)
    {
        Problems ignored;
        return check(node, value, ignored);
    }

    bool costs(std::size_t work, Problems& problems)
    {
        work_ += work;
        return work_ <= most_work || give_up(problems);
    }

    void check_keywords(const Node& node, const Json& value, Problems& problems)
    {
        if (!node.types.empty() && std::none_of(node.types.begin(), node.types.end(),
                                                [&](const auto& type) { return has_type(value, type); })) {
            add(problems, node.types.size() == 1 ? node.types.front() + "_type" : "type",
                "Input should be of type " + joined(node.types));
            return;  // what else fails follows from it
        }
        if (node.exact && !same(*node.exact, value))
            add(problems, "const", "Input should be " + shown(*node.exact, problems));
        if (node.choices && costs(node.choices->size(), problems) &&
            std::none_of(node.choices->begin(), node.choices->end(), [&](const Json& one) { return same(one, value); }))
            add(problems, "enum", "Input should be one of " + shown(Json(*node.choices), problems));
        if (value.is_number())
            check_number(node, value, problems);
        else if (value.is_string())
            check_string(node, value.get_ref<const std::string&>(), problems);
        else if (value.is_array())
            check_array(node, value, problems);
        else if (value.is_object())
            check_object(node, value, problems);
        check_combinations(node, value, problems);
    }

    // The whole of it is written out, however little is shown: that is work too, and there may be a problem for each node.
    std::string shown(const Json& value, Problems& problems)
    {
        if (problems.size() >= most_problems)
            return {};
        const auto text = dump(value);
        costs(text.size() / 64, problems);
        return text.size() <= 300 ? text : std::string(utf8_prefix(text, 300)) + " …";
    }

    void check_number(const Node& node, const Json& number, Problems& problems)
    {
        if (node.minimum)
            expect(compare_numbers(number, *node.minimum) >= 0, problems, "greater_than_equal",
                   "Input should be greater than or equal to " + dump(*node.minimum));
        if (node.maximum)
            expect(compare_numbers(number, *node.maximum) <= 0, problems, "less_than_equal",
                   "Input should be less than or equal to " + dump(*node.maximum));
        if (node.above)
            expect(compare_numbers(number, *node.above) > 0, problems, "greater_than",
                   "Input should be greater than " + dump(*node.above));
        if (node.below)
            expect(compare_numbers(number, *node.below) < 0, problems, "less_than",
                   "Input should be less than " + dump(*node.below));
        if (node.multiple_of)
            expect(is_multiple(number, *node.multiple_of), problems, "multiple_of",
                   "Input should be a multiple of " + dump(*node.multiple_of));
    }

    static bool is_multiple(const Json& number, const Json& step)
    {
        const auto whole = whole_if_possible(number);
        if (whole.is_number_integer() && step.is_number_integer())
            return divides(step, whole);
        const double steps = number.get<double>() / step.get<double>();
        // What the division of two doubles may be off: more would take 1000000000.5 for a multiple of 1.
        const double off = std::max(1e-9, 4 * std::numeric_limits<double>::epsilon() * std::fabs(steps));
        return std::isfinite(steps) && std::fabs(steps - std::round(steps)) <= off;
    }

    void check_string(const Node& node, const std::string& text, Problems& problems)
    {
        const auto length = node.min_length || node.max_length ? utf8_characters(text) : 0;
        if (node.min_length)
            expect(length >= *node.min_length, problems, "string_too_short",
                   "String should have at least " + std::to_string(*node.min_length) + " characters");
        if (node.max_length)
            expect(length <= *node.max_length, problems, "string_too_long",
                   "String should have at most " + std::to_string(*node.max_length) + " characters");
        if (node.pattern && costs(text.size() / 64, problems))
            expect(re2::RE2::PartialMatch(text, *node.pattern), problems, "string_pattern_mismatch",
                   "String should match pattern '" + node.pattern->pattern() + "'");
        if (!node.format.empty())
            expect(matches_format(node.format, text), problems, "format", "String should be in format " + node.format);
    }

    void check_array(const Node& node, const Json& array, Problems& problems)
    {
        if (node.min_items)
            expect(array.size() >= *node.min_items, problems, "too_short",
                   "List should have at least " + std::to_string(*node.min_items) + " items");
        if (node.max_items)
            expect(array.size() <= *node.max_items, problems, "too_long",
                   "List should have at most " + std::to_string(*node.max_items) + " items");
        for (std::size_t i = 0; i < array.size() && !exhausted_; ++i) {
            if (const auto* element = i < node.tuple.size() ? node.tuple[i] : node.items)
                check_at(std::to_string(i), *element, array[i], problems);
        }
        if (node.contains)
            expect(
                std::any_of(array.begin(), array.end(), [&](const Json& one) { return passes(*node.contains, one); }),
                problems, "contains", "List should contain an item of the described form");
        if (node.unique_items && costs(array.size(), problems))
            expect(all_different(array), problems, "unique_items", "List should not contain the same item twice");
    }

    static bool all_different(const Json& array)
    {
        std::vector<const Json*> sorted;
        for (const auto& one : array)
            sorted.push_back(&one);
        std::sort(sorted.begin(), sorted.end(),
                  [](const Json* a, const Json* b) { return compare_values(*a, *b) < 0; });
        return std::adjacent_find(sorted.begin(), sorted.end(),
                                  [](const Json* a, const Json* b) { return same(*a, *b); }) == sorted.end();
    }

    void check_object(const Node& node, const Json& object, Problems& problems)
    {
        for (const auto& name : node.required)
            if (!object.contains(name)) {
                path_.push_back(name);
                add(problems, "missing", "Field required");
                path_.pop_back();
            }
        if (node.min_properties)
            expect(object.size() >= *node.min_properties, problems, "too_short",
                   "Object should have at least " + std::to_string(*node.min_properties) + " fields");
        if (node.max_properties)
            expect(object.size() <= *node.max_properties, problems, "too_long",
                   "Object should have at most " + std::to_string(*node.max_properties) + " fields");
        for (auto member = object.begin(); member != object.end() && !exhausted_; ++member)
            check_member(node, member.key(), member.value(), problems);
        for (const auto& [name, needed] : node.dependent_keys)
            for (const auto& other : needed)
                expect(!object.contains(name) || object.contains(other), problems, "missing",
                       "Field " + other + " is required together with " + name);
        for (const auto& [name, schema] : node.dependent_schemas)
            if (object.contains(name))
                check(*schema, object, problems);
    }

    void check_member(const Node& node, const std::string& name, const Json& value, Problems& problems)
    {
        const auto step = std::string(utf8_prefix(name, 100));
        bool described = false;
        if (const auto property = node.properties.find(name); property != node.properties.end()) {
            described = true;
            check_at(step, *property->second, value, problems);
        }
        for (const auto& [pattern, schema] : node.pattern_properties) {
            if (!costs(1 + name.size() / 64, problems) || !re2::RE2::PartialMatch(name, *pattern))
                continue;
            described = true;
            check_at(step, *schema, value, problems);
        }
        if (node.property_names)
            check_at(step, *node.property_names, Json(name), problems);
        if (described || !node.additional_properties)
            return;
        path_.push_back(step);
        if (node.additional_properties->constant == false)
            add(problems, "extra_forbidden", "Extra inputs are not permitted");
        else
            check(*node.additional_properties, value, problems);
        path_.pop_back();
    }

    void check_combinations(const Node& node, const Json& value, Problems& problems)
    {
        for (const auto* one : node.all_of)
            check(*one, value, problems);
        if (!node.any_of.empty())
            check_alternatives(node.any_of, value, problems);
        if (!node.one_of.empty()) {
            const auto fitting = std::count_if(node.one_of.begin(), node.one_of.end(),
                                               [&](const Node* one) { return passes(*one, value); });
            if (fitting == 0)
                check_alternatives(node.one_of, value, problems);
            expect(fitting < 2, problems, "one_of", "Input should fit exactly one of the alternatives");
        }
        if (node.none_of)
            expect(!passes(*node.none_of, value), problems, "not", "Input has a form that is excluded");
        if (!node.condition)
            return;
        const auto* branch = passes(*node.condition, value) ? node.consequence : node.otherwise;
        if (branch)
            check(*branch, value, problems);
    }

    // None fitting, the problems of the alternative that came furthest are the ones that help.
    void check_alternatives(const std::vector<const Node*>& alternatives, const Json& value, Problems& problems)
    {
        Problems best;
        for (const auto* one : alternatives) {
            Problems found;
            if (check(*one, value, found))
                return;
            const auto depth = [](const Problems& list) { return list.empty() ? 0 : list.front().location.size(); };
            if (best.empty() || depth(found) > depth(best))
                best = std::move(found);
        }
        if (alternatives.size() == 1 || (!best.empty() && best.front().location.size() > path_.size()))
            problems.insert(problems.end(), best.begin(), best.end());
        else
            add(problems, "any_of", "Input should fit one of the alternatives");
    }

    std::vector<std::string> path_;
    std::size_t work_ = 0;
    std::size_t depth_ = 0;
    bool exhausted_ = false;
};

}  // namespace validating

std::vector<FieldProblem> JsonSchema::validate(const Json& value) const
{
    std::vector<FieldProblem> problems;
    validating::Validator validator;
    if (!validator.check(*state_->root, value, problems) && problems.empty())
        problems.push_back({{}, "Checking this value takes too much work", "too_complex"});
    if (problems.size() > most_problems)
        problems.resize(most_problems);
    return problems;
}

}  // namespace dure::schema
