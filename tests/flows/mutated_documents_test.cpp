// Every value of every example flow, one at a time, left out or put in another form: checking such a document ends, and what
// leaves it without an error also compiles or is refused.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "dure/flows/compiler.hpp"
#include "dure/flows/validation.hpp"

namespace dure::flows {
namespace mutated_documents_test {

using Pointer = OrderedJson::json_pointer;

void collect(const OrderedJson& value, const Pointer& at, std::vector<Pointer>& into)
{
    into.push_back(at);
    if (value.is_object())
        for (const auto& [key, inner] : value.items())
            collect(inner, at / key, into);
    else if (value.is_array())
        for (std::size_t i = 0; i < value.size(); ++i)
            collect(value[i], at / i, into);
}

const std::vector<OrderedJson>& other_forms()
{
    static const std::vector<OrderedJson> forms{nullptr,
                                                true,
                                                -1,
                                                1.5,
                                                1e300,
                                                "",
                                                "start",
                                                "두레",
                                                "{{",
                                                std::string(129, 'a'),
                                                OrderedJson::array(),
                                                OrderedJson::array({nullptr}),
                                                OrderedJson::object(),
                                                OrderedJson{{"", nullptr}}};
    return forms;
}

// "/nodes/3/data/config/text" of a template -> "template/data/config/text": places that mean the same are tried once.
std::string meaning(const OrderedJson& document, const Pointer& place)
{
    std::vector<std::string> steps;
    for (auto at = place; !at.empty(); at = at.parent_pointer()) {
        const bool index = document.at(at.parent_pointer()).is_array();
        const auto& value = document.at(at);
        steps.push_back(!index ? at.back() : value.is_object() ? value.value("type", OrderedJson()).dump() : "#");
    }
    std::string text;
    for (auto step = steps.rbegin(); step != steps.rend(); ++step)
        text += "/" + *step;
    return text;
}

void check(const OrderedJson& tree)
{
    auto reading = read_tree(tree);
    check_document(reading.document, reading.problems);
    if (!reading.problems.has_errors())
        static_cast<void>(compile_flow(reading.document, [](auto, auto) -> const Document* { return nullptr; }));
}

TEST(MutatedDocuments, AreRefusedOrCompiledWhateverIsMissingOrOfAnotherForm)
{
    std::size_t checked = 0;
    std::set<std::string> tried;
    for (const auto& file :
         std::filesystem::directory_iterator(std::filesystem::path(DURE_SOURCE_DIR) / "examples/flows")) {
        if (file.path().extension() != ".json")
            continue;
        std::ifstream stream(file.path());
        const auto original = OrderedJson::parse(stream);
        std::vector<Pointer> places;
        collect(original, Pointer(), places);
        for (const auto& place : places) {
            if (!tried.insert(meaning(original, place)).second)
                continue;
            SCOPED_TRACE(file.path().filename().string() + " " + place.to_string());
            for (const auto& form : other_forms()) {
                auto changed = original;
                changed[place] = form;
                EXPECT_NO_THROW(check(changed)) << form.dump();
                ++checked;
            }
            if (place.empty())
                continue;
            auto without = original;
            auto& parent = without[place.parent_pointer()];
            if (parent.is_array())
                parent.erase(std::stoul(place.back()));
            else
                parent.erase(place.back());
            EXPECT_NO_THROW(check(without));
            ++checked;
        }
    }
    EXPECT_GT(checked, 3000u);
}

TEST(MutatedDocuments, AnEdgeWithoutAnEndIsNamed)
{
    for (const auto* edge : {R"({"source":"s"})", R"({"target":"r"})", R"({"source":"s","target":""})",
                             R"({"source":"s","target":5})", R"({"source":"","target":"r"})"}) {
        auto reading = read_document(
            std::string(
                R"({"flow_type":"agentflow","name":"n","nodes":[{"id":"s","type":"start"},{"id":"r","type":"reply"}],"edges":[)") +
            edge + "]}");
        check_document(reading.document, reading.problems);
        ASSERT_TRUE(reading.problems.has_errors()) << edge;
        for (const auto& problem : reading.problems.list())
            EXPECT_EQ(problem.location.front(), "edges") << edge;
    }
}

TEST(MutatedDocuments, AStartOrABodyWithoutAnIdIsNamed)
{
    for (
        const auto* nodes :
        {R"({"type":"start"},{"id":"r","type":"reply"})",
         R"({"id":"s","type":"start"},{"id":"i","type":"iteration","data":{"config":{"items":[1]}}},{"type":"reply","parentId":"i"})"}) {
        auto reading = read_document(std::string(R"({"flow_type":"agentflow","name":"n","nodes":[)") + nodes +
                                     R"(],"edges":[{"source":"s","target":"i"}]})");
        check_document(reading.document, reading.problems);
        EXPECT_TRUE(reading.problems.has_errors()) << nodes;
    }
}

std::vector<std::string> codes(const std::string& nodes, const std::string& more = "")
{
    auto reading = read_document(
        R"({"flow_type":"agentflow","name":"n","nodes":[{"id":"s","type":"start"},)" + nodes +
        R"(,{"id":"r","type":"reply","data":{"config":{"text":"t"}}}],"edges":[{"source":"s","target":"x"},{"source":"x","target":"r"}])" +
        more + "}");
    check_document(reading.document, reading.problems);
    std::vector<std::string> found;
    for (const auto& problem : reading.problems.list())
        if (problem.level == Level::error)
            found.push_back(problem.code);
    return found;
}

TEST(ShapesInConfigs, AreChecked)
{
    struct Case {
        const char* kind;
        const char* config;
        std::vector<std::string> codes;
    };
    const std::string loop_body = R"(,{"id":"b","type":"template","parentId":"x","data":{"config":{"text":"t"}}})";
    for (const auto& one : std::vector<Case>{
             {"set", R"({"ops":[{"target":"session.a","op":"set","value":null}]})", {"expression_unknown"}},
             {"set", R"({"ops":[{"target":"loop","op":"zz","value":1}]})", {"field_range", "expression_unknown"}},
             {"set", R"({"ops":[{"op":"set","value":1}]})", {"field_missing"}},
             {"set", R"({"ops":[{"target":"state.v","value":1}]})", {"field_missing"}},
             {"set", R"({"ops":[{"target":"state.v","op":"set"}]})", {"field_missing"}},
             {"set", R"({"ops":[{"target":"state.v","op":"clear"}]})", {}},
             {"set", R"({"ops":[{"target":"state.v","op":"set","value":null}]})", {}},
             {"set", R"({"ops":[{"target":"state.v","op":"set","valeu":1,"value":1}]})", {"field_unknown"}},
             {"set", R"({"ops":[null,5,"x"]})", {"field_type", "field_type", "field_type"}},
             {"set", R"({"ops":"{{start.inputs}}"})", {"field_type"}},
             {"set", R"({"ops":["{{start.inputs}}"]})", {"field_type"}},
             {"loop", R"({"vars":"{{start.inputs}}"})", {"field_type"}},
             {"loop", R"({"vars":[{"name":"a","value":1},{"name":"a","value":2}]})", {"id_duplicate"}},
             {"loop", R"({"vars":[{"value":1}]})", {"field_missing"}},
             {"loop", R"({"vars":[{"name":5}]})", {"field_type"}},
             {"human_input", R"({"prompt":"?","fields":[{"label":"사유"}]})", {"handle_unknown", "field_missing"}},
             {"human_input",
              R"({"prompt":"?","fields":[{"name":"a","type":"colour"},{"name":"b","placeholder":"?"},
                  {"name":"c","type":"integer","default":"x"},{"name":"d","options":"a"}]})",
              {"handle_unknown", "field_range", "field_unknown", "field_type", "field_type"}},
             {"human_input",
              R"({"prompt":"?","fields":[{"name":"a","type":"list<text>","label":"A","required":true,"options":["x"],
                  "default":["x"]},{"name":"b","type":"{{start.message}}","options":"{{start.inputs.o}}",
                  "default":"{{start.message}}"},{"name":"c","type":"integer","default":"{{start.inputs.n}}"},
                  "{{start.inputs.field}}"]})",
              {"handle_unknown"}},
             {"prompt", R"({"messages":[{"role":"robot","text":"t"}]})", {"field_range"}},
             {"prompt", R"({"messages":[{"role":"user","txt":"t"}]})", {"field_unknown"}},
             {"prompt", R"({"messages":[7]})", {"field_type"}},
             {"prompt", R"({"messages":[{"role":"{{start.message}}","text":"t"}]})", {}},
             {"join", R"({"wait":"n"})", {"field_missing"}},
             {"join", R"({"wait":"n","n":1})", {}},
             {"http", R"({"url":"https://a.example","auth":{"type":"beerer","secret":"s"}})", {"field_range"}},
             {"http",
              R"({"url":"https://a.example","auth":{"type":"bearer","secrt":"s"}})",
              {"field_unknown", "field_missing"}},
             {"http", R"({"url":"https://a.example","body":{"type":"yaml"}})", {"field_range"}},
             {"http", R"({"url":"https://a.example","body":{"typ":"json"}})", {"field_unknown"}},
             {"http", R"({"url":"https://a.example","body":{"type":"json","value":null}})", {}},
             {"llm", R"({"prompt":"p","memory":{"type":"elephant"}})", {"field_range"}},
             {"llm", R"({"prompt":"p","memory":{"size":3}})", {"field_unknown"}},
             {"llm", R"({"prompt":"p","model":null,"temperature":null,"memory":null})", {}},
         }) {
        const std::string body = std::string(one.kind) == "loop" ? loop_body : "";
        auto found =
            codes(std::string(R"({"id":"x","type":")") + one.kind + R"(","data":{"config":)" + one.config + "}}" + body,
                  R"(,"state":[{"name":"v","type":"any","reducer":null}])");
        EXPECT_EQ(found, one.codes) << one.kind << " " << one.config;
    }
}

TEST(DefaultsOfInputsAndState, FitTheirTypesAndReducers)
{
    const std::string node = R"({"id":"x","type":"template","data":{"config":{"text":"t"}}})";
    const std::vector<std::string> wrong{"field_type"};
    for (const auto* list : {R"("inputs":[{"name":"a","type":"integer","default":"x"}])",
                             R"("inputs":[{"name":"a","type":"list<text>","default":[1]}])",
                             R"("state":[{"name":"a","type":"text","default":5}])",
                             R"("state":[{"name":"a","reducer":"append","default":"x"}])",
                             R"("state":[{"name":"a","reducer":"add","default":[]}])",
                             R"("state":[{"name":"a","reducer":"merge","default":[]}])"})
        EXPECT_EQ(codes(node, std::string(",") + list), wrong) << list;
    for (const auto* list : {R"("inputs":[{"name":"a","type":"integer","default":5,"required":null,"options":null}])",
                             R"("state":[{"name":"a","type":"list<text>","reducer":"append","default":[]}])",
                             R"("state":[{"name":"a","type":"text","default":null}])"})
        EXPECT_TRUE(codes(node, std::string(",") + list).empty()) << list;
}

TEST(ValuesInConfigs, ThatEveryRunWouldRefuseAreFoundWhenTheFlowIsSaved)
{
    struct Case {
        const char* kind;
        std::string wrong;
        const char* code;
        std::vector<std::string> place;
    };
    const auto far = [](const std::string& more) { return R"("url":"https://a.example",)" + more; };
    for (const auto& one : std::vector<Case>{
             {"agent", R"("tools":[5])", "field_type", {"tools", "0"}},
             {"agent", R"("tools":["calculator",null])", "field_type", {"tools", "1"}},
             {"agent", R"("tools":[""])", "field_type", {"tools", "0"}},
             {"agent", R"("tools":[{}])", "field_missing", {"tools", "0", "name"}},
             {"agent", R"("tools":[{"name":""}])", "field_range", {"tools", "0", "name"}},
             {"agent", R"("tools":[{"name":"calculator","foo":1}])", "field_unknown", {"tools", "0", "foo"}},
             {"agent", R"("strategy":"zz")", "field_range", {"strategy"}},
             {"agent", R"("memory":{"max_messages":0})", "field_range", {"memory", "max_messages"}},
             {"llm", R"("memory":{"max_messages":-1})", "field_range", {"memory", "max_messages"}},
             {"llm", R"("memory":{"max_messages":"x"})", "field_type", {"memory", "max_messages"}},
             {"llm", R"("images":5)", "field_range", {"images"}},
             {"llm", R"("images":["https://a.example/a.png","a.png"])", "field_range", {"images", "1"}},
             {"llm", R"("output_schema":{"type":"zz"})", "field_range", {"output_schema"}},
             {"extract", R"("schema":{"type":"zz"})", "field_range", {"schema"}},
             {"http", R"("url":"ftp://x")", "field_range", {"url"}},
             {"http", R"("url":"")", "field_range", {"url"}},
             {"http", far(R"("expect_status":"zz")"), "field_range", {"expect_status"}},
             {"http", far(R"("expect_status":[200,700])"), "field_range", {"expect_status"}},
             {"http", far(R"("expect_status":[])"), "field_range", {"expect_status"}},
             {"http", far(R"("headers":{"Host":"a"})"), "field_range", {"headers", "Host"}},
             {"http", far(R"("headers":{"content-Length":"{{input}}"})"), "field_range", {"headers", "content-Length"}},
             {"http", far(R"("auth":{"type":"bearer"})"), "field_missing", {"auth", "secret"}},
             {"http", far(R"("auth":{"type":"basic","username":"u"})"), "field_missing", {"auth", "secret"}},
         }) {
        auto reading = read_document(std::string(R"({"flow_type":"agentflow","name":"n","nodes":[{"id":"x","type":")") +
                                     one.kind + R"(","data":{"config":{)" + one.wrong + "}}}]}");
        check_configs(reading.document, reading.problems);
        ASSERT_EQ(reading.problems.list().size(), 1u) << one.wrong << problems_json(reading.problems).dump();
        const auto& problem = reading.problems.list().front();
        EXPECT_EQ(problem.code, one.code) << one.wrong;
        std::vector<std::string> place{"nodes", "0", "data", "config"};
        place.insert(place.end(), one.place.begin(), one.place.end());
        EXPECT_EQ(problem.location, place) << one.wrong;
    }
}

TEST(ValuesInConfigs, ThatARunTakesOrComputesAreFine)
{
    for (const auto& [kind, config] : std::vector<std::pair<std::string, std::string>>{
             {"agent",
              R"("tools":["calculator",{"name":"search"},{"tool":"search"},"{{vars.tool}}",{"name":"{{vars.tool}}"}])"},
             {"agent", R"("strategy":"")"},
             {"agent", R"("strategy":"ReAct","tools":"{{vars.tools}}")"},
             {"agent", R"("strategy":"{{vars.strategy}}")"},
             {"llm", R"("images":false,"memory":{"max_messages":"{{start.inputs.most}}"})"},
             {"llm", R"("images":"{{start.files}}","memory":{"type":"summary","max_messages":1000})"},
             {"llm", R"("images":["data:image/png;base64,AA==",{"url":"https://a.example"},"{{start.files[0]}}"])"},
             {"llm", R"("output_schema":{"type":"object","properties":{"a":{"type":"string"}}})"},
             {"http", R"("url":"{{vars.base}}/x","expect_status":"any","auth":{"type":"none"})"},
             {"http", R"("url":"HTTPS://{{vars.host}}/x","expect_status":[200,"2xx","300-399"," any "],"auth":{})"},
             {"http", R"("url":"http://a.example","expect_status":"{{vars.status}}","headers":"{{vars.headers}}")"},
             {"http", R"("url":"http://a.example","auth":{"type":"{{vars.type}}"},"expect_status":204)"},
             {"http", R"("url":"http://a.example","auth":{"type":"bearer","secret":"{{secrets.crm}}"})"},
         }) {
        auto reading =
            read_tree(OrderedJson::parse(R"({"flow_type":"agentflow","name":"n","nodes":[{"id":"x","type":")" + kind +
                                         R"(","data":{"config":{)" + config + "}}}]}"));
        check_configs(reading.document, reading.problems);
        EXPECT_TRUE(reading.problems.empty()) << config << problems_json(reading.problems).dump();
    }
}

TEST(TypesOfState, AreThoseThatTheReducerMakes)
{
    const std::string node = R"({"id":"x","type":"template","data":{"config":{"text":"t"}}})";
    const auto state = [](const char* type, const char* reducer) {
        return std::string(R"(,"state":[{"name":"a","type":")") + type + R"(","reducer":")" + reducer + R"("}])";
    };
    const std::vector<std::string> wrong{"field_type"};
    for (const auto& [type, reducer] : std::vector<std::pair<const char*, const char*>>{{"text", "append"},
                                                                                        {"text", "add"},
                                                                                        {"list<text>", "merge"},
                                                                                        {"list<number>", "add"},
                                                                                        {"object", "append"},
                                                                                        {"integer", "merge"},
                                                                                        {"boolean", "add"}})
        EXPECT_EQ(codes(node, state(type, reducer)), wrong) << type << " " << reducer;
    for (const auto& [type, reducer] : std::vector<std::pair<const char*, const char*>>{{"any", "append"},
                                                                                        {"any", "add"},
                                                                                        {"any", "merge"},
                                                                                        {"list", "append"},
                                                                                        {"list<list<text>>", "append"},
                                                                                        {"messages", "append"},
                                                                                        {"documents", "append"},
                                                                                        {"number", "add"},
                                                                                        {"integer", "add"},
                                                                                        {"object", "merge"},
                                                                                        {"text", "last"}})
        EXPECT_TRUE(codes(node, state(type, reducer)).empty()) << type << " " << reducer;
}

TEST(SecretsInConditions, AreMisplaced)
{
    const std::string secret = R"([{"left":"{{secrets.token}}","op":"starts_with","right":"a"}])";
    const std::vector<std::string> wrong{"secret_misplaced"};
    EXPECT_EQ(codes(R"({"id":"x","type":"condition","data":{"config":{"cases":[{"id":"out","all":)" + secret + "}]}}}"),
              wrong);
    EXPECT_EQ(codes(R"({"id":"x","type":"loop","data":{"config":{"until":{"any":)" + secret +
                    R"(}}}},{"id":"b","type":"template","parentId":"x","data":{"config":{"text":"t"}}})"),
              wrong);
}

TEST(DrawnWords, NameTheNodesOfTheDrawing)
{
    EXPECT_EQ(in_drawn_words("Node 'n.ask~1' took too long."), "Node 'ask:1' took too long.");
    EXPECT_EQ(in_drawn_words("Node 'd.loop' failed: Node 'n.x' failed."), "Node 'loop' failed: Node 'n.x' failed.");
    for (const auto* plain : {"", "Node ", "Node '", "Node 'ask' failed.", "The run took too long.", "Channel 's.x'",
                              "The update of 's.x'", "The update of 's.x' by 'n.a"})
        EXPECT_EQ(in_drawn_words(plain), plain);
}

TEST(DrawnWords, NameWhatTheNodesChange)
{
    EXPECT_EQ(in_drawn_words("The update of 's.x' by 'd.each' was refused: no 'text'."),
              "State 'x': the update by 'each' was refused: no 'text'.");
    EXPECT_EQ(in_drawn_words("The update of 'v.n' by 'n.a~1' must be a number."),
              "Loop variable 'n': the update by 'a:1' must be a number.");
    EXPECT_EQ(in_drawn_words("Channel 'n.a' was written more than once in one superstep, by: n.a."),
              "The output of 'a' was set by several nodes at the same time: a.");
}

}  // namespace mutated_documents_test
}  // namespace dure::flows
