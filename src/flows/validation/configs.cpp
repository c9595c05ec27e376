// check_configs(): fields by the table of kinds, then what single kinds ask, then every text as an expression.
#include <algorithm>
#include <set>

#include "dure/flows/condition.hpp"
#include "dure/flows/kinds.hpp"
#include "dure/flows/validation.hpp"
#include "flows/document/fields.hpp"
#include "flows/validation/shapes.hpp"

namespace dure::flows {

namespace {

class ConfigCheck {
public:
    ConfigCheck(const Node& node, const Kind& kind, Problems& problems)
        : node_(node), kind_(kind), problems_(problems), data_(Location{"nodes", std::to_string(node.index), "data"}),
          fields_(node.config, data_ / "config", problems, node.id)
    {}

    void run()
    {
        check_fields();
        check_shapes(node_, data_ / "config", problems_);
        check_cases();
        check_trigger();
        check_wait();
        check_policy();
        for (const auto& [key, value] : node_.config.items())
            check_texts(key, value, data_ / "config" / key, secrets_at(key));
    }

private:
    void problem(std::string code, Location place, std::string message)
    {
        problems_.add({std::move(code), std::move(place), std::move(message), Level::error, node_.id});
    }

    void check_fields()
    {
        std::vector<std::string_view> known;
        for (const auto& field : kind_.config) {
            known.push_back(field.name);
            check_field(field);
        }
        fields_.only(known);
    }

    // Where a value of another type may stand, an expression may: its value is known when it runs.
    static bool is_expression(const OrderedJson* value)
    {
        return value && value->is_string() && value->get_ref<const std::string&>().find("{{") != std::string::npos;
    }

    void check_field(const ConfigField& field)
    {
        if (field.required)
            fields_.required(field.name);
        const auto* value = member(node_.config, field.name);
        if (!value)
            return;
        const bool computed = is_expression(value);
        switch (field.form) {
        case FieldForm::any: break;
        case FieldForm::text: fields_.text(field.name, 0, 1u << 20); break;
        case FieldForm::choice: fields_.one_of(field.name, field.allowed); break;
        case FieldForm::boolean:
            if (!computed)
                fields_.boolean(field.name);
            break;
        case FieldForm::integer: fields_.integer(field.name, field.least, field.most); break;
        case FieldForm::number: fields_.number(field.name, field.least, field.most); break;
        case FieldForm::object:
            if (!computed)
                fields_.object(field.name);
            break;
        case FieldForm::list:
            if (!computed)
                fields_.array(field.name);
            break;
        case FieldForm::texts:
            if (const auto* list = computed ? nullptr : fields_.array(field.name))
                for (std::size_t i = 0; i < list->size(); ++i)
                    if (!(*list)[i].is_string())
                        problem("field_type", data_ / "config" / field.name / i, "must be a text");
            break;
        case FieldForm::conditions:
            ConditionGroup::compile(*value, data_ / "config" / field.name, node_.id, problems_);
            break;
        }
    }

    // Cases, classes and actions make handles of their ids.
    void check_cases()
    {
        const auto* list = kind_.cases.empty() ? nullptr : member(node_.config, kind_.cases);
        const auto place = data_ / "config" / kind_.cases;
        if (is_expression(list))
            problem("field_type", place, "must be a list: its ids are the handles of the node");
        if (!list || !list->is_array())
            return;
        if (list->empty())
            problem("case_empty", place, "needs at least one entry");
        std::set<std::string> ids(kind_.out.begin(), kind_.out.end());
        for (std::size_t i = 0; i < list->size(); ++i) {
            const auto& entry = (*list)[i];
            if (!entry.is_object()) {
                problem("field_type", place / i, "must be an object");
                continue;
            }
            const FieldReader fields(entry, place / i, problems_, node_.id);
            fields.required("id");
            if (const auto id = fields.text("id", 1, 128); id && !ids.insert(*id).second)
                fields.problem("case_duplicate", "id", "the handle " + in_quotes(*id) + " exists already");
            if (kind_.name == "condition")
                check_condition_case(entry, place / i, fields);
            else
                fields.only({"id", "label", "name", "description"});
        }
    }

    void check_condition_case(const OrderedJson& entry, const Location& place, const FieldReader& fields)
    {
        fields.only({"id", "label", "all", "any"});
        fields.text("label", 0, 200);
        ConditionGroup::compile(entry, place, node_.id, problems_);
    }

    void check_trigger()
    {
        const auto* trigger = kind_.name == "start" ? member(node_.config, "trigger") : nullptr;
        if (trigger && (*trigger == "webhook" || *trigger == "schedule"))
            problem("kind_not_available", data_ / "config" / "trigger",
                    "the trigger " + trigger->get<std::string>() + " is not available in this server");
    }

    void check_wait()
    {
        const auto* wait = kind_.name == "subflow" ? member(node_.config, "wait") : nullptr;
        if (wait && *wait == false)
            problem("kind_not_available", data_ / "config" / "wait",
                    "wait: false is not available in this server, a flow waits for its sub-flows");
    }

    void check_policy()
    {
        if (node_.policy.is_null())
            return;
        if (!kind_.may_branch_on_error) {
            problem("field_unknown", data_ / "policy", "nodes of the kind " + kind_.name + " take no policy");
            return;
        }
        const FieldReader policy(node_.policy, data_ / "policy", problems_, node_.id);
        policy.only({"timeout_ms", "retry", "on_error", "default", "on_crash"});
        policy.integer("timeout_ms", 1, 900000);
        policy.one_of("on_crash", {"retry", "wait", "fail"});
        const auto on_error = policy.one_of("on_error", {"fail", "branch", "default", "continue"});
        const auto* fallback = policy.object("default");
        if (on_error == "default" && !member(node_.policy, "default"))
            policy.required("default");
        if (fallback && !kind_.open_outputs)
            for (const auto& [key, value] : fallback->items())
                check_default(key, value, data_ / "policy" / "default" / key);
        if (const auto* retry = policy.object("retry"))
            check_retry(*retry, data_ / "policy" / "retry");
    }

    // §7: a default fits the types of the output. What is not listed may be anything.
    void check_default(const std::string& key, const OrderedJson& value, Location place)
    {
        static const std::set<std::string_view> texts{"text", "model", "finish_reason", "execution_id"},
            lists{"messages", "tool_calls", "steps", "items", "errors"}, objects{"usage", "headers", "vars", "outputs"},
            integers{"status", "count", "rounds"};
        if (std::find(kind_.outputs.begin(), kind_.outputs.end(), key) == kind_.outputs.end())
            return problem("field_unknown", std::move(place), "the output has no field " + in_quotes(key));
        const auto wrong = [&](const std::set<std::string_view>& names, bool fits, const char* form) {
            if (names.contains(key) && !fits)
                problem("field_type", place, std::string("must be ") + form);
        };
        wrong(texts, value.is_string(), "a text");
        wrong(lists, value.is_array(), "a list");
        wrong(objects, value.is_object(), "an object");
        wrong(integers, value.is_number_integer(), "a whole number");
    }

    void check_retry(const OrderedJson& retry, const Location& place)
    {
        const FieldReader fields(retry, place, problems_, node_.id);
        fields.only({"max_attempts", "backoff_ms", "factor", "max_backoff_ms", "jitter", "on"});
        fields.integer("max_attempts", 1, 10);
        fields.integer("backoff_ms", 0, 900000);
        fields.number("factor", 1, 100);
        fields.integer("max_backoff_ms", 0, 900000);
        fields.boolean("jitter");
        const auto* on = fields.array("on");
        for (std::size_t i = 0; on && i < on->size(); ++i) {
            const auto& word = (*on)[i];
            if (word != "timeout" && word != "rate_limit" && word != "upstream" && word != "any")
                problem("field_range", place / "on" / i, "must be one of: timeout, rate_limit, upstream, any");
        }
    }

    // §4.4: secrets go into requests only.
    Secrets secrets_at(std::string_view key) const
    {
        const bool request = kind_.name == "http" && (key == "headers" || key == "auth" || key == "query");
        return request ? Secrets::allowed : Secrets::refused;
    }

    void check_texts(const std::string& key, const OrderedJson& value, Location place, Secrets secrets)
    {
        if (kind_.name == "note" || kind_.name == "unsupported" || (kind_.name == "condition" && key == "cases") ||
            key == "until")   // conditions are compiled above
            return;
        if (value.is_array() || value.is_object()) {
            std::size_t index = 0;
            for (const auto& [inner_key, inner] : value.items())
                check_texts(key, inner, value.is_array() ? place / index++ : place / inner_key, secrets);
            return;
        }
        if (!value.is_string())
            return;
        const auto text = Template::parse(value.get_ref<const std::string&>());
        if (!text)
            problem(text.error().reason(), std::move(place), text.error().message());
        else if (secrets == Secrets::refused && text->uses_secrets())
            problem("secret_misplaced", std::move(place), "secrets can be used in http headers, auth and query only");
    }

    const Node& node_;
    const Kind& kind_;
    Problems& problems_;
    const Location data_;
    const FieldReader fields_;
};

}  // namespace

void check_configs(const Document& document, Problems& problems)
{
    for (const auto& node : document.nodes)
        if (const auto* kind = find_kind(node.kind))
            ConfigCheck(node, *kind, problems).run();
}

}  // namespace dure::flows
