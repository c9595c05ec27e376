// The table of kinds. A field is "form", "form!" when it is required; numbers have "least..most", choices their words.
#include "dure/flows/kinds.hpp"

#include <algorithm>
#include <array>
#include <map>

#include "dure/base/error.hpp"
#include "flows/document/fields.hpp"

namespace dure::flows {

namespace {

// "model" in `groups` brings the fields every kind that asks a model shares.
constexpr std::string_view kind_table = R"json({
"start": {"in":[],"out":["out"],"main":"message","outputs":["inputs","files","user_id"],"config":{"trigger":"choice chat|form|webhook|schedule","cron":"text","timezone":"text"}},
"prompt": {"main":"text","outputs":["messages"],"config":{"messages":"list","text":"text"}},
"template": {"main":"text","outputs":["json"],"config":{"text":"text!","as":"choice text|json"}},
"llm": {"error":true,"groups":["model"],"main":"text","outputs":["json","messages","tool_calls","usage","model","finish_reason"],"config":{}},
"agent": {"error":true,"in":["in","tools","worker"],"groups":["model"],"main":"text","outputs":["json","steps","usage"],"config":{"instructions":"text","tools":"list","strategy":"text","max_iterations":"integer 1..100","require_approval":"texts"}},
"supervisor": {"out":["out","workers"],"groups":["model"],"main":"text","outputs":["route","results","usage"],"config":{"max_iterations":"integer 1..100","decision_strategy":"choice llm_based|rule_based|round_robin","finish_when":"any"}},
"tool": {"error":true,"main":"result","outputs":[],"config":{"tool":"text!","arguments":"object"}},
"http": {"error":true,"main":"body","outputs":["status","headers"],"config":{"method":"choice GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS","url":"text!","headers":"object","query":"object","auth":"object","body":"object","expect_status":"any","response":"choice auto|json|text|bytes","max_bytes":"integer 1..4194304"}},
"condition": {"out":["else"],"cases":"cases","main":"case","outputs":[],"config":{"cases":"list!"}},
"router": {"out":["else"],"cases":"classes","main":"class","outputs":["class_name"],"groups":["model"],"config":{"classes":"list!","input":"any","instructions":"text","allow_none":"boolean"}},
"join": {"main":"value","outputs":[],"config":{"wait":"choice all|first|n","n":"integer 1..500","merge":"choice object|list|text|last"}},
"aggregate": {"later":true,"open":true,"main":"value","outputs":[],"config":{"groups":"list!"}},
"set": {"main":"input","outputs":[],"open":true,"config":{"ops":"list!"}},
"iteration": {"error":true,"container":true,"main":"items","outputs":["errors","count"],"config":{"items":"any","parallel":"integer 1..32","on_item_error":"choice fail|skip|null","output":"any","flatten":"boolean","max_items":"integer 1..100000"}},
"loop": {"error":true,"container":true,"main":"vars","outputs":["rounds"],"config":{"until":"conditions","max_rounds":"integer 1..1000","vars":"list","on_exhausted":"choice continue|fail"}},
"loop_back": {"later":true,"out":[],"main":"rounds","outputs":[],"config":{"target":"text!","max_rounds":"integer 1..1000","on_exhausted":"choice continue|fail","message":"text"}},
"subflow": {"error":true,"main":"text","outputs":["outputs","execution_id"],"config":{"flow":"text!","version":"any","message":"text","inputs":"object","wait":"boolean"}},
"human_input": {"out":["timeout"],"cases":"actions","main":"action","outputs":["feedback","fields","by"],"config":{"prompt":"text!","fields":"list","actions":"list","feedback":"boolean","timeout_ms":"integer 1000..31536000000","assignee":"text"}},
"retriever": {"later":true,"error":true,"main":"documents","outputs":["text"],"config":{"knowledgebase_ids":"texts","query":"text","strategy":"choice vector|keyword|hybrid","top_k":"integer 1..50","min_score":"number 0..1","filter":"object"}},
"extract": {"error":true,"groups":["model"],"main":"json","outputs":[],"config":{"input":"any","schema":"object!","instructions":"text"}},
"history": {"later":true,"main":"text","outputs":["messages"],"config":{"max_messages":"integer 1..1000","format":"text"}},
"document": {"later":true,"error":true,"main":"text","outputs":["documents"],"config":{"files":"any"}},
"list": {"later":true,"main":"items","outputs":["first","last"],"config":{"items":"any","filter":"conditions","sort":"any","limit":"integer 1..100000","pick":"any"}},
"reply": {"main":"text","outputs":[],"config":{"text":"text","files":"any"}},
"end": {"out":[],"main":"outputs","outputs":[],"open":true,"config":{"outputs":"object"}},
"note": {"in":[],"out":[],"main":"","outputs":[],"config":{"text":"text","color":"text"}},
"unsupported": {"main":"","outputs":[],"open":true,"config":{"source_format":"text","source_type":"text","reason":"text","original":"any"}}
})json";

constexpr std::string_view model_fields =
    R"json({"provider":"text","model":"text","system":"text","prompt":"text","messages":"list",
"temperature":"number 0..2","max_tokens":"integer 1..1000000","top_p":"number 0..1","stop":"texts","output_schema":"object",
"memory":"object","knowledge":"object","images":"any","stream":"boolean"})json";

FieldForm form_named(std::string_view name)
{
    constexpr std::array<std::string_view, 10> names{"any",    "text",   "texts", "boolean", "integer",
                                                     "number", "choice", "list",  "object",  "conditions"};
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end())
        throw InvariantBroken("no form of a field: " + std::string(name));
    return static_cast<FieldForm>(found - names.begin());
}

ConfigField field_from(std::string name, std::string text)
{
    ConfigField field;
    field.name = std::move(name);
    if (text.ends_with('!')) {
        field.required = true;
        text.pop_back();
    }
    const auto space = text.find(' ');
    field.form = form_named(std::string_view(text).substr(0, space));
    if (space == std::string::npos)
        return field;
    const auto rule = text.substr(space + 1);
    if (field.form == FieldForm::choice) {
        for (std::size_t from = 0; from <= rule.size();) {
            const auto bar = std::min(rule.find('|', from), rule.size());
            field.allowed.push_back(rule.substr(from, bar - from));
            from = bar + 1;
        }
        return field;
    }
    const auto dots = rule.find("..");
    field.least = std::stod(rule.substr(0, dots));
    field.most = std::stod(rule.substr(dots + 2));
    return field;
}

std::map<std::string, Kind, std::less<>> read_table()
{
    std::map<std::string, Kind, std::less<>> all;
    const auto model = OrderedJson::parse(model_fields);
    const auto table = OrderedJson::parse(kind_table);
    for (const auto& [name, row] : table.items()) {
        auto& kind = all[name];
        kind.name = name;
        kind.available = !row.value("later", false);
        kind.in = row.value("in", std::vector<std::string>{"in"});
        kind.out = row.value("out", std::vector<std::string>{"out"});
        kind.cases = row.value("cases", "");
        kind.may_branch_on_error = row.value("error", false);
        kind.container = row.value("container", false);
        kind.open_outputs = row.value("open", false);
        kind.outputs = row.at("outputs").get<std::vector<std::string>>();
        kind.main_output = row.at("main").get<std::string>();
        if (!kind.main_output.empty())
            kind.outputs.push_back(kind.main_output);
        if (row.contains("groups"))
            for (const auto& [field, text] : model.items())
                kind.config.push_back(field_from(field, text.get<std::string>()));
        for (const auto& [field, text] : row.at("config").items())
            kind.config.push_back(field_from(field, text.get<std::string>()));
    }
    return all;
}

const auto& kinds()
{
    static const auto table = read_table();
    return table;
}

}  // namespace

const Kind* find_kind(std::string_view name)
{
    const auto found = kinds().find(name);
    return found == kinds().end() ? nullptr : &found->second;
}

std::vector<const Kind*> all_kinds()
{
    std::vector<const Kind*> all;
    for (const auto& [name, kind] : kinds())
        all.push_back(&kind);
    return all;
}

std::vector<std::string> source_handles(const Kind& kind, const Node& node)
{
    std::vector<std::string> handles;
    const auto* list = kind.cases.empty() ? nullptr : member(node.config, kind.cases);
    if (list && list->is_array())
        for (const auto& entry : *list)
            if (const auto* id = member(entry, "id"); id && id->is_string())
                handles.push_back(id->get<std::string>());
    if (kind.name == "human_input" && !list)
        handles = {"approve", "reject"};
    const auto* allow_none = member(node.config, "allow_none");
    if (kind.name != "router" || (allow_none && *allow_none == true))
        handles.insert(handles.end(), kind.out.begin(), kind.out.end());
    const auto* on_error = member(node.policy, "on_error");
    if (kind.may_branch_on_error && on_error && *on_error == "branch")
        handles.emplace_back("error");
    return handles;
}

}  // namespace dure::flows
