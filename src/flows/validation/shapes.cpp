// See shapes.hpp.
#include "flows/validation/shapes.hpp"

#include <algorithm>
#include <set>

#include "dure/flows/config_values.hpp"
#include "dure/flows/inputs.hpp"
#include "dure/schema/json_schema.hpp"

namespace dure::flows {

namespace {

bool computed(const OrderedJson& value)
{
    return value.is_string() && value.get_ref<const std::string&>().find("{{") != std::string::npos;
}

class ShapeCheck {
public:
    ShapeCheck(const Node& node, const Location& config, Problems& problems)
        : node_(node), config_(config), problems_(problems)
    {}

    void run()
    {
        if (node_.kind == "set")
            each("ops", &ShapeCheck::operation, Written::here);
        if (node_.kind == "loop")
            each("vars", &ShapeCheck::variable, Written::here);
        if (node_.kind == "human_input")
            each("fields", &ShapeCheck::form_field, Written::or_computed);
        if (node_.kind != "history")
            each("messages", &ShapeCheck::message, Written::or_computed);
        if (node_.kind == "join")
            join();
        if (node_.kind == "http")
            request();
        if (node_.kind == "agent")
            agent();
        memory();
        images();
        schema_of("output_schema");
        if (node_.kind == "extract")
            schema_of("schema");
        within("knowledge", {"ids", "strategy", "top_k"}, {{"strategy", {"vector", "keyword", "hybrid"}}});
    }

private:
    using Entry = void (ShapeCheck::*)(const FieldReader&, const OrderedJson&);
    enum class Written { here, or_computed };   // here: the drawing is compiled from it
    struct Choice {
        std::string_view key;
        std::vector<std::string> allowed;
    };

    void each(std::string_view key, Entry check, Written written)
    {
        names_.clear();
        const auto* list = member(node_.config, key);
        if (list && computed(*list) && written == Written::here)
            problems_.add({"field_type", config_ / key, "must be a list", Level::error, node_.id});
        for (std::size_t i = 0; list && list->is_array() && i < list->size(); ++i) {
            const auto& entry = (*list)[i];
            if (entry.is_object())
                (this->*check)(FieldReader(entry, config_ / key / i, problems_, node_.id), entry);
            else if (!computed(entry) || written == Written::here)
                problems_.add({"field_type", config_ / key / i, "must be an object", Level::error, node_.id});
        }
    }

    void within(std::string_view key, const std::vector<std::string_view>& known, const std::vector<Choice>& choices)
    {
        const auto* object = member(node_.config, key);
        if (!object || !object->is_object())
            return;
        const FieldReader fields(*object, config_ / key, problems_, node_.id);
        fields.only(known);
        for (const auto& choice : choices)
            if (const auto* value = member(*object, choice.key); value && !computed(*value))
                fields.one_of(choice.key, choice.allowed);
    }

    void name_of_entry(const FieldReader& fields)
    {
        fields.required("name");
        if (const auto name = fields.text("name", 1, 100); name && !names_.insert(*name).second)
            fields.problem("id_duplicate", "name", "there is another one with the name " + in_quotes(*name));
    }

    void operation(const FieldReader& fields, const OrderedJson& entry)
    {
        fields.only({"target", "op", "value"});
        fields.required("target");
        fields.text("target", 1, 200);
        fields.required("op");
        const auto op = fields.one_of("op", {"set", "clear", "append", "extend", "add", "subtract", "multiply",
                                             "divide", "remove_first", "remove_last"});
        const bool alone = op == "clear" || op == "remove_first" || op == "remove_last";
        if (op && !alone && !entry.contains("value"))   // null is a value
            fields.required("value");
    }

    void variable(const FieldReader& fields, const OrderedJson& entry)
    {
        fields.only({"name", "type", "value"});
        name_of_entry(fields);
        value_of_type(fields, entry, "value");
    }

    void value_of_type(const FieldReader& fields, const OrderedJson& entry, std::string_view key)
    {
        const auto type = fields.text("type", 1, 100);
        if (type && !value_type_allowed(*type))
            return fields.problem("field_range", "type", "there is no type " + in_quotes(*type));
        const auto* value = member(entry, key);
        const bool known_now = value && value->dump().find("{{") == std::string::npos;
        if (type && known_now && !fits_type(*type, Json(*value)))
            fields.problem("field_type", key, "must be of the type " + *type);
    }

    // What is computed is looked at when the question is asked.
    void form_field(const FieldReader& fields, const OrderedJson& entry)
    {
        fields.only({"name", "type", "label", "required", "default", "options"});   // as the inputs of a flow
        name_of_entry(fields);
        fields.text("label", 0, 10000);
        if (const auto* options = member(entry, "options"); options && !computed(*options))
            fields.array("options");
        if (const auto* needed = member(entry, "required"); needed && !computed(*needed))
            fields.boolean("required");
        if (const auto* type = member(entry, "type"); !type || !computed(*type))
            value_of_type(fields, entry, "default");
    }

    void message(const FieldReader& fields, const OrderedJson& entry)
    {
        fields.only({"role", "text", "content"});
        if (const auto* role = member(entry, "role"); role && !computed(*role))
            fields.one_of("role", {"system", "user", "assistant"});
    }

    void join()
    {
        const FieldReader fields(node_.config, config_, problems_, node_.id);
        if (const auto* wait = member(node_.config, "wait"); wait && *wait == "n")
            fields.required("n");
    }

    // Problems of what is written as it is; what is computed is looked at when the node runs.
    void problem(const char* code, Location place, std::string message)
    {
        problems_.add({code, std::move(place), std::move(message), Level::error, node_.id});
    }

    const std::string* written_text(std::string_view key) const
    {
        const auto* value = member(node_.config, key);
        return value && value->is_string() && !computed(*value) ? &value->get_ref<const std::string&>() : nullptr;
    }

    void request()
    {
        if (const auto* url = written_text("url"); url && !is_web_address(*url))
            problem("field_range", config_ / "url", "must begin with http:// or https://");
        if (const auto* headers = member(node_.config, "headers"); headers && headers->is_object())
            for (const auto& [name, value] : headers->items())
                if (!is_header_of_flows(name))
                    problem("field_range", config_ / "headers" / name, "cannot be set by a flow");
        expected_statuses();
        within("auth", {"type", "secret", "username", "name", "in"},
               {{"type", {"none", "bearer", "basic", "api_key"}}, {"in", {"header", "query"}}});
        if (const auto* auth = member(node_.config, "auth"); auth && auth->is_object())
            if (const auto* type = member(*auth, "type"); type && !computed(*type) && *type != "none")
                FieldReader(*auth, config_ / "auth", problems_, node_.id).required("secret");
        within("body", {"type", "value", "data", "fields", "json", "text", "form", "multipart", "content_type"},
               {{"type", {"none", "json", "text", "form", "multipart"}}});
    }

    void expected_statuses()
    {
        const auto* expected = member(node_.config, "expect_status");
        if (!expected)
            return;
        const auto list = expected->is_array() ? *expected : OrderedJson::array({*expected});
        const bool wrong = std::any_of(list.begin(), list.end(), [](const OrderedJson& one) {
            return !computed(one) && !is_expected_status(Json(one));
        });
        if (wrong || list.empty())
            problem("field_range", config_ / "expect_status", expected_status_forms);
    }

    void agent()
    {
        if (const auto* strategy = written_text("strategy"); strategy && !is_agent_strategy(*strategy))
            problem("field_range", config_ / "strategy", agent_strategies);
        const auto* tools = member(node_.config, "tools");
        for (std::size_t i = 0; tools && tools->is_array() && i < tools->size(); ++i) {
            const auto& entry = (*tools)[i];
            if (entry.is_object())
                tool(FieldReader(entry, config_ / "tools" / i, problems_, node_.id), entry);
            else if (!entry.is_string() || entry == "")
                problem("field_type", config_ / "tools" / i, "must be the name of a tool");
        }
    }

    void tool(const FieldReader& fields, const OrderedJson& entry)
    {
        fields.only({"name", "tool"});
        fields.text("name", 1, 200);
        fields.text("tool", 1, 200);
        if (!member(entry, "tool"))
            fields.required("name");
    }

    void memory()
    {
        within("memory", {"type", "max_messages"}, {{"type", {"buffer", "summary", "vector", "hybrid"}}});
        const auto* object = member(node_.config, "memory");
        if (const auto* most = object ? member(*object, "max_messages") : nullptr; most && !computed(*most))
            FieldReader(*object, config_ / "memory", problems_, node_.id).integer("max_messages", 1, 1000);
    }

    // False means none. An object has its address in a member, which may be any of several.
    void images()
    {
        const auto* images = member(node_.config, "images");
        if (!images || *images == false)
            return;
        const auto list = images->is_array() ? *images : OrderedJson::array({*images});
        for (std::size_t i = 0; i < list.size(); ++i) {
            const auto& one = list[i];
            const bool fine = one.is_object() || computed(one) ||
                              (one.is_string() && is_image_address(one.get_ref<const std::string&>()));
            if (!fine)
                problem("field_range", images->is_array() ? config_ / "images" / i : config_ / "images",
                        "must be a URL of an image (https, http or data)");
        }
    }

    void schema_of(std::string_view key)
    {
        const auto* written = member(node_.config, key);
        if (!written || !written->is_object())
            return;
        if (auto compiled = schema::JsonSchema::compile(Json(*written)); !compiled)
            problem("field_range", config_ / key, "cannot be used: " + compiled.error().message());
    }

    const Node& node_;
    const Location& config_;
    Problems& problems_;
    std::set<std::string> names_;
};

}  // namespace

void check_shapes(const Node& node, const Location& config, Problems& problems)
{
    if (node.kind != "unsupported" && node.kind != "note")
        ShapeCheck(node, config, problems).run();
}

}  // namespace dure::flows
