// OpenAPI documents as tools: names, one schema of arguments, requests; what cannot become a tool is listed.
#include "tools/http/openapi.hpp"

#include <gmock/gmock.h>

#include "dure/schema/json_schema.hpp"
#include "dure/tools/registry.hpp"

namespace dure::tools {
namespace {

using testing::ElementsAre;

Json document_with(const char* paths, const char* components = "{}")
{
    return {
        {"openapi", "3.0.3"},
        {"info", {{"title", "t"}, {"version", "1"}}},
        {"servers", {{{"url", "https://{region}.example.com/v2"}, {"variables", {{"region", {{"default", "eu"}}}}}}}},
        {"paths", Json::parse(paths)},
        {"components", Json::parse(components)}};
}

OpenApiTools read(const Json& document, const OpenApiImport& import = {})
{
    return read_openapi(document, import, "openapi:test.json");
}

std::vector<std::string> names(const OpenApiTools& tools)
{
    std::vector<std::string> all;
    for (const auto& tool : tools.tools)
        all.push_back(tool.definition.name);
    return all;
}

constexpr const char* pets = R"json({
  "/pets/{petId}": {
    "parameters": [{"$ref": "#/components/parameters/PetId"}, {"name": "lang", "in": "query", "schema": {"type": "string"}}],
    "get": {"operationId": "getPet", "summary": "One pet", "parameters": [
      {"name": "lang", "in": "query", "schema": {"type": "string", "enum": ["ko", "en"]}},
      {"name": "fields", "in": "query", "explode": false, "schema": {"type": "array", "items": {"type": "string"}}},
      {"name": "filter", "in": "query", "style": "deepObject", "schema": {"type": "object"}},
      {"name": "where", "in": "query", "content": {"application/json": {"schema": {"type": "object"}}}},
      {"name": "X-Trace", "in": "header", "schema": {"type": "string"}},
      {"name": "Authorization", "in": "header", "schema": {"type": "string"}},
      {"name": "session", "in": "cookie", "schema": {"type": "string"}}]},
    "put": {"operationId": "put pet!", "requestBody": {"$ref": "#/components/requestBodies/Pet"}}
  }})json";

constexpr const char* pet_components = R"json({
  "parameters": {"PetId": {"name": "petId", "in": "path", "description": "Its number", "schema": {"type": "integer", "minimum": 0, "exclusiveMinimum": true}}},
  "requestBodies": {"Pet": {"required": true, "content": {"application/xml": {}, "application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}}},
  "schemas": {
    "Pet": {"type": "object", "required": ["id", "name"], "properties": {
      "id": {"type": "integer", "readOnly": true},
      "name": {"type": "string", "nullable": true},
      "parent": {"$ref": "#/components/schemas/Pet"},
      "tags": {"type": "array", "items": {"$ref": "#/components/schemas/Tag"}}}},
    "Tag": {"type": "object", "properties": {"pet": {"$ref": "#/components/schemas/Pet"}}}}})json";

TEST(OpenApi, OneArgumentSchemaFromPathQueryHeaderAndBody)
{
    const auto tools = read(document_with(pets, pet_components));
    ASSERT_TRUE(tools.problems.empty()) << tools.problems[0].message;
    ASSERT_THAT(names(tools), ElementsAre("getPet", "put_pet"));
    const auto& schema = tools.tools[0].definition.parameters;
    EXPECT_EQ(schema["required"], Json::array({"petId"}));
    EXPECT_EQ(schema["properties"]["petId"],
              Json::parse(R"({"type":"integer","exclusiveMinimum":0,"description":"Its number"})"));
    EXPECT_EQ(schema["properties"]["lang"]["enum"],
              Json::array({"ko", "en"}));   // the operation's own replaces the path's
    EXPECT_FALSE(schema["properties"].contains("Authorization"));
    EXPECT_FALSE(schema["properties"].contains("session"));
    const auto request = http_tool_request(
        tools.tools[0],
        Json::parse(R"({"petId":7,"lang":"ko","fields":["a b","c"],"filter":{"k":"v"},"where":{"x":1},"X-Trace":"t"})"),
        {});
    ASSERT_TRUE(request);
    EXPECT_EQ(request->url,
              "https://eu.example.com:443/v2/pets/7?lang=ko&fields=a%20b,c&filter%5Bk%5D=v&where=%7B%22x%22%3A1%7D");
    EXPECT_THAT(request->headers, ElementsAre(testing::Pair("X-Trace", "t")));
}

TEST(OpenApi, RecursiveSchemasStayFiniteAndValidate)
{
    const auto tools = read(document_with(pets, pet_components));
    const auto& schema = tools.tools.at(1).definition.parameters;
    const auto compiled = schema::JsonSchema::compile(schema);
    ASSERT_TRUE(compiled) << compiled.error().message();
    EXPECT_TRUE(compiled->unknown_keywords().empty());
    EXPECT_TRUE(compiled
                    ->validate(Json::parse(
                        R"({"petId":1,"body":{"name":null,"parent":{"name":"a","tags":[{"pet":{"name":"b"}}]}}})"))
                    .empty());
    EXPECT_FALSE(compiled->validate(Json::parse(R"({"petId":1,"body":{"name":"a","parent":{"name":5}}})")).empty());
    EXPECT_FALSE(compiled->validate(Json::parse(R"({"petId":1})")).empty());
    const auto request = http_tool_request(tools.tools[1], Json::parse(R"({"petId":1,"body":{"name":"나비"}})"), {});
    EXPECT_EQ(request->body, R"({"name":"나비"})");
}

// The argument `v` of the one operation whose parameter has this schema.
schema::JsonSchema argument_schema(const char* version, const char* schema)
{
    auto document = document_with("{}", R"({"schemas":{
        "Short":{"type":"string","maxLength":3}, "Point":{"type":"object","required":["x"],"properties":{"x":{"type":"integer"}}}}})");
    document["openapi"] = version;
    document["paths"]["/a"]["get"]["parameters"] = {{{"name", "v"}, {"in", "query"}, {"schema", Json::parse(schema)}}};
    const auto tools = read(document);
    EXPECT_TRUE(tools.problems.empty());
    auto compiled = schema::JsonSchema::compile(tools.tools.at(0).definition.parameters);
    EXPECT_TRUE(compiled && compiled->unknown_keywords().empty()) << tools.tools.at(0).definition.parameters.dump();
    return *compiled;
}

TEST(OpenApi, BesideAReferenceBothApplyFromVersion31)
{
    struct Case {
        const char* schema;
        const char* value;
        bool in_30, in_31;
    };
    const Case cases[] = {
        {R"({"$ref":"#/components/schemas/Short","minLength":2})", R"("ab")", true, true},
        {R"({"$ref":"#/components/schemas/Short","minLength":2})", R"("a")", true, false},
        {R"({"$ref":"#/components/schemas/Short","minLength":2})", R"("abcd")", false, false},
        {R"({"$ref":"#/components/schemas/Short","description":"d"})", R"("abcd")", false, false},
        {R"({"$ref":"#/components/schemas/Short","allOf":[{"minLength":2}]})", R"("a")", true, false},
        {R"({"$ref":"#/components/schemas/Short","allOf":[{"minLength":2}]})", R"("abcd")", false, false},
        {R"({"$ref":"#/components/schemas/Point","properties":{"y":{"$ref":"#/components/schemas/Short","const":"a"}}})",
         R"({"x":1,"y":"b"})", true, false},
        {R"({"$ref":"#/components/schemas/Point","properties":{"y":{"$ref":"#/components/schemas/Short","const":"a"}}})",
         R"({"x":"1","y":"a"})", false, false},
    };
    for (const auto& [schema, value, in_30, in_31] : cases) {
        const Json arguments{{"v", Json::parse(value)}};
        EXPECT_EQ(argument_schema("3.0.3", schema).validate(arguments).empty(), in_30) << schema << value;
        EXPECT_EQ(argument_schema("3.1.0", schema).validate(arguments).empty(), in_31) << schema << value;
    }
}

TEST(OpenApi, TheFirstItemsHaveSchemasOfTheirOwn)
{
    const auto pair = argument_schema(
        "3.1.0",
        R"({"type":"array","prefixItems":[{"$ref":"#/components/schemas/Short"},{"type":"integer"}],"items":false})");
    EXPECT_TRUE(pair.validate(Json::parse(R"({"v":["ab",1]})")).empty());
    for (const auto* bad : {R"({"v":["abcd",1]})", R"({"v":["ab","1"]})", R"({"v":["ab",1,2]})"})
        EXPECT_FALSE(pair.validate(Json::parse(bad)).empty()) << bad;
}

// Models read descriptions: where there is nothing to check beside a reference they stay next to it.
TEST(OpenApi, WhatIsSaidOfAReferenceStaysBesideIt)
{
    auto document = document_with(R"({"/a":{"post":{"requestBody":{"content":{"application/json":{"schema":
        {"$ref":"#/components/schemas/S","description":"the one","readOnly":false}}}}}}})",
                                  R"({"schemas":{"S":{}}})");
    document["openapi"] = "3.1.0";
    EXPECT_EQ(read(document).tools.at(0).definition.parameters["properties"]["body"],
              Json::parse(R"({"$ref":"#/$defs/S","description":"the one"})"));
}

TEST(OpenApi, NamesAreLegalAndUnique)
{
    const std::string long_id(100, 'a');
    auto document = document_with(
        R"({"/a":{"get":{"operationId":"same"},"post":{"operationId":"same"},"put":{"operationId":"same!"}},
        "/도시/{x}":{"get":{"parameters":[{"name":"x","in":"path"}]}}, "/b":{"get":{"operationId":"날씨 조회"}}})");
    document["paths"]["/c"]["get"]["operationId"] = long_id;
    document["paths"]["/d"]["get"]["operationId"] = long_id + "b";
    const auto tools = read(document);
    std::set<std::string> unique;
    for (const auto& name : names(tools)) {
        EXPECT_TRUE(is_function_name(name)) << name;
        EXPECT_TRUE(unique.insert(name).second) << name;
    }
    EXPECT_EQ(unique.size(), 7u);
    EXPECT_TRUE(unique.contains("same") && unique.contains("same_2") && unique.contains("same_3"));
}

TEST(OpenApi, SameNamesInDifferentPlacesBecomeDifferentArguments)
{
    const auto tools = read(document_with(
        R"({"/a/{id}":{"post":{"operationId":"x","parameters":[{"name":"id","in":"path"},{"name":"id","in":"query"},
        {"name":"body","in":"query"}],"requestBody":{"content":{"application/json":{"schema":{"type":"string"}}}}}}})"));
    ASSERT_TRUE(tools.problems.empty()) << tools.problems[0].message;
    const auto request = http_tool_request(tools.tools.at(0),
                                           Json::parse(R"({"id":1,"id_query":2,"body":3,"body_content":"text"})"), {});
    ASSERT_TRUE(request);
    EXPECT_EQ(request->url, "https://eu.example.com:443/v2/a/1?id=2&body=3");
    EXPECT_EQ(request->body, "\"text\"");
}

// The table of styles in OpenAPI's chapter on parameters, which are those of RFC 6570; members of objects come by name.
TEST(OpenApi, ParametersAreWrittenInTheirStyle)
{
    const Json list{"blue", "a,b"};
    const Json object{{"G", 200}, {"R", 100}};
    struct Case {
        const char* style;
        bool explode;
        Json value;
        const char* written;
    };
    const Case in_path[] = {
        {"simple", false, 5, "5"},
        {"simple", false, list, "blue,a%2Cb"},
        {"simple", true, list, "blue,a%2Cb"},
        {"simple", false, object, "G,200,R,100"},
        {"simple", true, object, "G=200,R=100"},
        {"label", false, 5, ".5"},
        {"label", false, list, ".blue,a%2Cb"},
        {"label", true, list, ".blue.a%2Cb"},
        {"label", true, object, ".G=200.R=100"},
        {"matrix", false, 5, ";p=5"},
        {"matrix", false, list, ";p=blue,a%2Cb"},
        {"matrix", true, list, ";p=blue;p=a%2Cb"},
        {"matrix", false, object, ";p=G,200,R,100"},
        {"matrix", true, object, ";G=200;R=100"},
        {"simple", false, Json::array(), nullptr},
        {"simple", true, Json::object(), nullptr},
        {"label", false, ".", nullptr},  // would be ".."
    };
    for (const auto& one : in_path) {
        auto document =
            document_with(R"({"/a/{p}":{"get":{"operationId":"x","parameters":[{"name":"p","in":"path"}]}}})");
        auto& parameter = document["paths"]["/a/{p}"]["get"]["parameters"][0];
        parameter["style"] = one.style;
        parameter["explode"] = one.explode;
        const auto request = http_tool_request(read(document).tools.at(0), {{"p", one.value}}, {});
        EXPECT_EQ(request.has_value(), one.written != nullptr) << one.style << dump(one.value);
        if (request && one.written)
            EXPECT_EQ(request->url, "https://eu.example.com:443/v2/a/" + std::string(one.written));
    }
    const auto tools = read(document_with(R"({"/a":{"get":{"operationId":"x","parameters":[
        {"name":"X-List","in":"header"}, {"name":"X-Object","in":"header"}, {"name":"X-Pairs","in":"header","explode":true},
        {"name":"q","in":"query","explode":false}]}}})"));
    const auto request = http_tool_request(
        tools.tools.at(0), {{"X-List", {"a", "b"}}, {"X-Object", object}, {"X-Pairs", object}, {"q", object}}, {});
    ASSERT_TRUE(request);
    EXPECT_EQ(request->url, "https://eu.example.com:443/v2/a?q=G,200,R,100");
    EXPECT_THAT(request->headers, ElementsAre(testing::Pair("X-List", "a,b"), testing::Pair("X-Object", "G,200,R,100"),
                                              testing::Pair("X-Pairs", "G=200,R=100")));
}

TEST(OpenApi, PathsOutsideOfAsciiAreEscaped)
{
    const auto tools = read(
        document_with(R"({"/날씨 지도/%20/{x}":{"get":{"operationId":"x","parameters":[{"name":"x","in":"path"}]}}})"));
    const auto request = http_tool_request(tools.tools.at(0), {{"x", "서울"}}, {});
    ASSERT_TRUE(request);
    EXPECT_EQ(request->url,
              "https://eu.example.com:443/v2/%EB%82%A0%EC%94%A8%20%EC%A7%80%EB%8F%84/%20/%EC%84%9C%EC%9A%B8");
}

TEST(OpenApi, WhatCannotBecomeAToolIsListedAndTheRestWorks)
{
    const char* const broken[] = {
        R"({"parameters":[{"name":"c","in":"cookie","required":true}]})",
        R"({"parameters":[{"name":"c","in":"body"}]})",
        R"({"parameters":[{"in":"query"}]})",
        R"({"parameters":[{"name":"X Bad","in":"header","required":true}]})",
        R"({"parameters":[{"$ref":"#/components/parameters/None"}]})",
        R"({"parameters":[{"$ref":"https://evil.example/x.json"}]})",
        R"({"parameters":[{"$ref":"#/components/parameters/Loop"}]})",
        R"({"parameters":[{"name":"q","in":"query","schema":{"$ref":"other.json#/X"}}]})",
        R"({"parameters":[{"name":"q","in":"query","schema":5}]})",
        R"({"requestBody":{"required":true,"content":{"multipart/form-data":{}}}})",
        R"({"servers":[{"url":"/relative"}]})",
    };
    for (const char* operation : broken) {
        auto document = document_with(R"({"/fine":{"get":{"operationId":"fine"}}})",
                                      R"({"parameters":{"Loop":{"$ref":"#/components/parameters/Loop"}}})");
        document["paths"]["/broken"]["post"] = Json::parse(operation);
        document["paths"]["/broken"]["post"]["operationId"] = "broken";
        const auto tools = read(document);
        EXPECT_THAT(names(tools), ElementsAre("fine")) << operation;
        ASSERT_EQ(tools.problems.size(), 1u) << operation;
        EXPECT_EQ(tools.problems[0].name, "broken");
    }
    EXPECT_EQ(read(document_with(R"({"/a/{id}":{"get":{"operationId":"x"}}})")).problems.size(), 1u);
    for (const char* text : {"{}", R"({"openapi":"2.0"})", R"({"swagger":"2.0"})", "[]", "1", R"({"openapi":3})"})
        EXPECT_EQ(read(Json::parse(text)).problems.size(), 1u) << text;
}

// As with cookies: a call without it is a call.
TEST(OpenApi, AHeaderThatIsNotSentIsLeftOutWhereItMayBe)
{
    const auto tools = read(document_with(
        R"({"/a":{"get":{"operationId":"x","parameters":[{"name":"Host","in":"header"},{"name":"X-A","in":"header"}]}}})"));
    ASSERT_EQ(tools.tools.size(), 1u);
    const auto& properties = tools.tools[0].definition.parameters.at("properties");
    EXPECT_FALSE(properties.contains("Host"));
    EXPECT_TRUE(properties.contains("X-A"));
}

TEST(OpenApi, CredentialsComeFromTheImport)
{
    auto document =
        document_with(R"({"/a":{"get":{"operationId":"closed"}},"/b":{"get":{"operationId":"open","security":[]}},
        "/c":{"get":{"operationId":"either","security":[{"key":[]},{}]}}})");
    document["security"] = Json::parse(R"([{"key":[]}])");
    auto tools = read(document);
    EXPECT_NE(tools.tools.at(0).unavailable, "");
    EXPECT_EQ(tools.tools.at(1).unavailable, "");
    EXPECT_EQ(tools.tools.at(2).unavailable, "");
    OpenApiImport import;
    import.secret_headers.emplace_back("X-Key", SecretString("k"));
    tools = read(document, import);
    EXPECT_EQ(tools.tools.at(0).unavailable, "");
    EXPECT_THAT(http_tool_request(tools.tools.at(0), Json::object(), {})->headers,
                ElementsAre(testing::Pair("X-Key", "k")));
}

TEST(OpenApi, AnImportChoosesAndRenames)
{
    OpenApiImport import;
    import.base_url = "http://127.0.0.1:9090/api/";
    import.prefix = "pets_";
    import.include = {"pets_get*", "post"};
    import.exclude = {"getSecret"};
    import.approval = true;
    const auto tools = read(
        document_with(R"({"/a":{"get":{"operationId":"getA"},"post":{"operationId":"post"},"put":{"operationId":"put"}},
        "/b":{"get":{"operationId":"getSecret"}}})"),
        import);
    EXPECT_THAT(names(tools), ElementsAre("pets_getA", "pets_post"));
    EXPECT_FALSE(tools.tools[0].acts);
    EXPECT_TRUE(tools.tools[1].acts);
    EXPECT_EQ(http_tool_request(tools.tools[0], Json::object(), {})->url, "http://127.0.0.1:9090/api/a");
}

TEST(OpenApi, WorkIsBounded)
{
    // Twenty schemas that each refer twice to the next: written out they would be a million.
    auto document = document_with(
        R"({"/a":{"post":{"operationId":"x","requestBody":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/S0"}}}}}}})");
    for (int i = 0; i < 20; ++i) {
        const Json next{{"$ref", "#/components/schemas/S" + std::to_string(i + 1)}};
        document["components"]["schemas"]["S" + std::to_string(i)] = {{"properties", {{"a", next}, {"b", next}}}};
    }
    document["components"]["schemas"]["S20"] = {{"type", "string"}};
    const auto tools = read(document);
    ASSERT_EQ(tools.tools.size(), 1u);
    EXPECT_LT(dump(tools.tools[0].definition.parameters).size(), 10000u);
    Json deep = {{"type", "string"}};
    for (int i = 0; i < 55; ++i)
        deep = {{"type", "array"}, {"items", deep}};
    document["components"]["schemas"]["S20"] = deep;
    EXPECT_EQ(read(document).problems.size(), 1u);
}

}  // namespace
}  // namespace dure::tools
