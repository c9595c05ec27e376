// Error forms, CORS, cursors, OpenAI chunks and answers, and the OpenAPI document.
#include <gtest/gtest.h>

#include <set>

#include "api/chat/openai_chunks.hpp"
#include "api/cors.hpp"
#include "api/cursor.hpp"
#include "api/errors.hpp"
#include "api/openapi_schemas.hpp"
#include "api/routes.hpp"
#include "dure/base/text.hpp"

namespace dure::api {
namespace {

TEST(Errors, TakeTheFormOfTheirRouteGroup)
{
    EXPECT_EQ(error_form_of("/v1/chat/completions"), ErrorForm::openai);
    EXPECT_EQ(error_form_of("/v1"), ErrorForm::openai);
    EXPECT_EQ(error_form_of("/v1x"), ErrorForm::problem);
    EXPECT_EQ(error_form_of("/api/chat/message"), ErrorForm::problem);
    EXPECT_EQ(error_form_of(""), ErrorForm::problem);
}

TEST(Errors, OpenAiFormHasExactlyItsFourMembers)
{
    const auto body = Json::parse(openai_error_json(Error(Errc::not_found, "no").reason("model_not_found").param("model")));
    EXPECT_EQ(body, Json::parse(R"({"error":{"message":"no","type":"invalid_request_error","param":"model","code":"model_not_found"}})"));
    const auto limited = Json::parse(openai_error_json(Error(Errc::rate_limited, "slow")));
    EXPECT_EQ(limited["error"]["type"], "rate_limit_error");
    EXPECT_TRUE(limited["error"]["param"].is_null());
}

TEST(Errors, ServerFaultsShowNothingOfThemselves)
{
    const auto response = render_error(ErrorForm::openai, Error(Errc::internal, "table users is broken").detail("x"), "r");
    EXPECT_EQ(response.status, 500);
    EXPECT_EQ(response.body.find("users"), std::string::npos);
}

TEST(Errors, ValidationIs422InTheProblemFormAnd400InOpenAis)
{
    const auto make = [] {
        return Error(Errc::invalid_argument, "wrong").problem({{"body", "message"}, "Field required", "missing"});
    };
    const auto problem = render_error(ErrorForm::problem, make(), "req-1");
    EXPECT_EQ(problem.status, 422);
    EXPECT_EQ(problem.content_type, "application/problem+json");
    const auto body = Json::parse(problem.body);
    EXPECT_EQ(body["detail"], "wrong");
    EXPECT_EQ(body["request_id"], "req-1");
    EXPECT_EQ(body["errors"], Json::parse(R"([{"loc":["body","message"],"msg":"Field required","type":"missing"}])"));
    EXPECT_EQ(render_error(ErrorForm::openai, make(), "").status, 400);
}

TEST(Errors, CarryTheHeadersOfTheirKind)
{
    const auto find = [](const http::Response& response, std::string_view name) {
        for (const auto& [key, value] : response.headers)
            if (key == name)
                return value;
        return std::string();
    };
    EXPECT_EQ(find(render_error(ErrorForm::openai, Error(Errc::unavailable, "x"), ""), "Retry-After"), "1");
    EXPECT_EQ(find(render_error(ErrorForm::openai, Error(Errc::rate_limited, "x").retry_after(std::chrono::seconds(7)), ""), "Retry-After"), "7");
    EXPECT_EQ(find(render_error(ErrorForm::problem, Error(Errc::method_not_allowed, "x").allowed_methods({"GET", "POST"}), ""), "Allow"), "GET, POST");
    EXPECT_EQ(find(render_error(ErrorForm::problem, Error(Errc::unauthenticated, "x"), ""), "WWW-Authenticate"), "Bearer");
}

http::RequestHead preflight_head(std::string_view origin)
{
    http::RequestHead head;
    head.method = http::Method::options;
    head.headers = {{"Origin", origin},
                    {"Access-Control-Request-Method", "POST"},
                    {"Access-Control-Request-Headers", "authorization, x-stainless-os, bad name, content-type"}};
    return head;
}

std::string joined(const http::Response& response)
{
    std::string all;
    for (const auto& [name, value] : response.headers)
        all += name + ": " + value + "\n";
    return all;
}

TEST(CrossOrigin, AnswersAPreflightForAConfiguredOriginAndEchoesValidNames)
{
    const Cors cors({"https://ui.example"});
    const auto head = preflight_head("https://ui.example");
    ASSERT_TRUE(cors.is_preflight(head));
    const auto response = cors.preflight(head);
    EXPECT_EQ(response.status, 204);
    const auto text = joined(response);
    EXPECT_NE(text.find("Access-Control-Allow-Origin: https://ui.example\n"), std::string::npos);
    EXPECT_NE(text.find("Access-Control-Allow-Headers: authorization, x-stainless-os, content-type\n"), std::string::npos);
    EXPECT_NE(text.find("Vary: Origin\n"), std::string::npos);
}

TEST(CrossOrigin, AConfiguredOriginIsTheOneThatABrowserSends)
{
    const Cors cors({"https://UI.example:443", "http://127.0.0.1:80", "http://[::1]:8080", "https://ui.example:80"});
    for (const std::string_view origin : {"https://ui.example", "http://127.0.0.1", "http://[::1]:8080", "https://ui.example:80"})
        EXPECT_NE(joined(cors.preflight(preflight_head(origin))).find("Allow-Origin"), std::string::npos) << origin;
    EXPECT_EQ(joined(cors.preflight(preflight_head("http://ui.example"))).find("Allow-Origin"), std::string::npos);
}

TEST(CrossOrigin, AllowsNobodyElse)
{
    for (const std::string_view origin : {"https://evil.example", "null", "https://ui.example.evil", "HTTPS://ui.example"}) {
        const Cors cors({"https://ui.example", "null"});
        EXPECT_EQ(joined(cors.preflight(preflight_head(origin))).find("Allow-Origin"), std::string::npos) << origin;
    }
    EXPECT_TRUE(Cors({}).answer_headers(preflight_head("https://ui.example")).empty());
}

// A browser keeps from its page what is not named.
TEST(CrossOrigin, LetsAPageReadEveryHeaderThatAnswersAreDocumentedToHave)
{
    const auto headers = Cors({"https://ui.example"}).answer_headers(preflight_head("https://ui.example"));
    std::string exposed;
    for (const auto& [name, value] : headers)
        if (name == "Access-Control-Expose-Headers")
            exposed = ", " + value + ", ";
    const auto is_exposed = [&](std::string_view name) {
        return exposed.find(", " + ascii_lower(name) + ", ") != std::string::npos;
    };
    for (const auto& route : routes(nullptr)) {
        for (const auto name : route.doc.answer_headers)
            EXPECT_TRUE(is_exposed(name)) << name;
        for (const auto& other : route.doc.others)
            for (const auto name : other.headers)
                EXPECT_TRUE(is_exposed(name)) << name;
    }
    for (const auto* name : {"x-dure-model", "x-dure-attempts", "x-dure-cache", "x-dure-fallback", "x-dure-dropped-params",
                             "x-should-retry", "retry-after"})
        EXPECT_TRUE(is_exposed(name)) << name;
}

TEST(CrossOrigin, KnowsItsOwnPagesByHostAndByPublicUrl)
{
    const auto is_foreign = [](const Cors& cors, std::string_view origin, std::string_view host) {
        auto head = preflight_head(origin);
        head.headers.push_back({"Host", host});
        return cors.is_foreign_page(head);
    };
    const Cors plain({"https://ui.example"});
    EXPECT_FALSE(is_foreign(plain, "http://127.0.0.1:8000", "127.0.0.1:8000"));
    EXPECT_FALSE(is_foreign(plain, "https://ui.example", "127.0.0.1:8000"));
    EXPECT_TRUE(is_foreign(plain, "https://dure.example", "127.0.0.1:8000"));
    const Cors behind_a_proxy({}, "https://Dure.example/some/path");
    EXPECT_FALSE(is_foreign(behind_a_proxy, "https://dure.example", "127.0.0.1:8000"));
    for (const std::string_view origin : {"http://dure.example", "https://dure.example:8443", "https://evil.example", "null", ""})
        EXPECT_TRUE(is_foreign(behind_a_proxy, origin, "127.0.0.1:8000")) << origin;
}

TEST(PageCursors, AreBoundToCallerAndListAndRefuseChanges)
{
    const Cursors cursors(SecretString("0123456789abcdef0123456789abcdef"));
    const auto cursor = cursors.write({1700000000123, "id-1"}, "u1", "sessions");
    const auto read = cursors.read(cursor, "u1", "sessions");
    ASSERT_TRUE(read);
    EXPECT_EQ(read->created_at, 1700000000123);
    EXPECT_EQ(read->id, "id-1");
    EXPECT_FALSE(cursors.read(cursor, "u2", "sessions"));
    EXPECT_FALSE(cursors.read(cursor, "u1", "history/x"));
    EXPECT_FALSE(Cursors(SecretString("another key of the same length!!")).read(cursor, "u1", "sessions"));
    auto changed = cursor;
    changed[0] = '2';
    EXPECT_FALSE(cursors.read(changed, "u1", "sessions"));
    for (const std::string_view broken : {"", ".", "..", "a", "a.b", "99999999999999999999.x.y"})
        EXPECT_FALSE(cursors.read(broken, "u1", "sessions")) << broken;
}

std::vector<Json> chunks_of(const std::string& text)
{
    std::vector<Json> all;
    std::size_t at = 0;
    while (at < text.size()) {
        const auto end = text.find("\n\n", at);
        EXPECT_NE(end, std::string::npos);
        EXPECT_EQ(text.compare(at, 6, "data: "), 0);
        all.push_back(Json::parse(text.substr(at + 6, end - at - 6)));
        at = end + 2;
    }
    return all;
}

TEST(Chunks, HaveTheSameHeadAndTheDeltasOfTheirPiece)
{
    const ChunkWriter writer("chatcmpl-1", 7, "m\"x");
    std::string out;
    writer.role(out);
    model::Piece piece;
    piece.text = "안\n녕";
    piece.reasoning = "hm";
    piece.tool_calls.push_back({0, "call_1", "f", ""});
    piece.tool_calls.push_back({0, "", "", "{\"a\":1}"});
    writer.piece(out, piece);
    writer.finish(out, "tool_calls");
    model::Usage usage;
    usage.prompt_tokens = 3;
    usage.completion_tokens = 4;
    writer.usage(out, usage);
    const auto chunks = chunks_of(out);
    ASSERT_EQ(chunks.size(), 7u);
    for (const auto& chunk : chunks) {
        EXPECT_EQ(chunk["id"], "chatcmpl-1");
        EXPECT_EQ(chunk["model"], "m\"x");
        EXPECT_EQ(chunk["created"], 7);
        EXPECT_TRUE(chunk["choices"].is_array());
    }
    EXPECT_EQ(chunks[0]["choices"][0]["delta"], Json::parse(R"({"role":"assistant","content":""})"));
    EXPECT_EQ(chunks[1]["choices"][0]["delta"], Json::parse(R"({"reasoning_content":"hm"})"));
    EXPECT_EQ(chunks[2]["choices"][0]["delta"]["content"], "안\n녕");
    EXPECT_EQ(chunks[3]["choices"][0]["delta"], Json::parse(R"({"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":""}}]})"));
    EXPECT_EQ(chunks[4]["choices"][0]["delta"], Json::parse(R"({"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":1}"}}]})"));
    EXPECT_EQ(chunks[5]["choices"][0]["finish_reason"], "tool_calls");
    EXPECT_TRUE(chunks[6]["choices"].empty());
    EXPECT_EQ(chunks[6]["usage"]["total_tokens"], 7);
}

TEST(Chunks, GiveWhatAProviderWantsBackOneByOne)
{
    const ChunkWriter writer("id", 7, "m");
    std::string out;
    writer.reasoning_details(out, OrderedJson());
    EXPECT_EQ(out, "");
    writer.reasoning_details(out, OrderedJson::array({{{"signature", "s"}}, {{"data", std::string(130 << 10, 'x')}}}));
    const auto chunks = chunks_of(out);
    ASSERT_EQ(chunks.size(), 2u);
    EXPECT_EQ(chunks[0]["choices"][0]["delta"], Json::parse(R"({"reasoning_details":[{"signature":"s"}]})"));
    EXPECT_EQ(chunks[1]["choices"][0]["delta"], Json::parse(R"({"dure_left_out":["reasoning_details"]})"))
        << "no line of a client's could hold it";
}

TEST(Chunks, AStatusIsAnEventWithoutAChoice)
{
    const ChunkWriter writer("id", 7, "m");
    std::string out;
    writer.status(out, {"\"x\" 실행 중", false, false});
    writer.status(out, {"x 사용", true, false});
    writer.status(out, {"생각", true, true});
    const auto chunks = chunks_of(out);
    ASSERT_EQ(chunks.size(), 3u);
    for (const auto& chunk : chunks) {
        EXPECT_EQ(chunk["choices"], Json::array());
        EXPECT_EQ(chunk["event"]["type"], "status");
    }
    EXPECT_EQ(chunks[0]["event"]["data"], (Json{{"description", "\"x\" 실행 중"}, {"done", false}}));
    EXPECT_EQ(chunks[1]["event"]["data"], (Json{{"description", "x 사용"}, {"done", true}}));
    EXPECT_EQ(chunks[2]["event"]["data"], (Json{{"description", "생각"}, {"done", true}, {"hidden", true}}));
}

TEST(Chunks, NoLineIsOver64KiBWhateverItHolds)
{
    const ChunkWriter writer("id", 7, "m");
    model::Piece piece;
    for (int i = 0; i < 60000; ++i)
        piece.text += i % 2 == 0 ? "\x01" : "가";
    std::string out;
    writer.piece(out, piece);
    std::string back;
    std::size_t at = 0;
    while (at < out.size()) {
        const auto end = out.find('\n', at);
        EXPECT_LE(end - at, 64u * 1024);
        at = end + 2;
    }
    for (const auto& chunk : chunks_of(out))
        back += chunk["choices"][0]["delta"]["content"].get<std::string>();
    EXPECT_EQ(back, piece.text);
}

TEST(WholeAnswers, HaveNullContentOnlyBesideToolCalls)
{
    model::Completion completion;
    completion.finish_reason = "tool_calls";
    completion.tool_calls.push_back({"call_1", "f", ""});
    auto body = Json::parse(completion_json("id", 7, "m", completion));
    EXPECT_TRUE(body["choices"][0]["message"]["content"].is_null());
    EXPECT_EQ(body["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"], "{}");
    EXPECT_FALSE(body.contains("error"));
    completion.tool_calls.clear();
    completion.finish_reason = "stop";
    body = Json::parse(completion_json("id", 7, "m", completion));
    EXPECT_EQ(body["choices"][0]["message"]["content"], "");
}

TEST(OpenApi, NamesEveryRouteOnceAndEverySchemaItUses)
{
    const auto table = routes(nullptr);
    const auto document = openapi_document(table, "1.2.3");
    EXPECT_EQ(document["openapi"], "3.1.0");
    std::set<std::string> operations;
    std::size_t count = 0;
    for (const auto& [path, item] : document["paths"].items())
        for (const auto& [method, operation] : item.items()) {
            ++count;
            EXPECT_TRUE(operations.insert(operation["operationId"].get<std::string>()).second) << path << ' ' << method;
        }
    EXPECT_EQ(count, table.size());
    const auto text = document.dump();
    const auto& schemas = document["components"]["schemas"];
    const std::string mark = "#/components/schemas/";
    for (std::size_t at = 0; (at = text.find(mark, at)) != std::string::npos; at += mark.size()) {
        const auto start = at + mark.size();
        EXPECT_TRUE(schemas.contains(text.substr(start, text.find('"', start) - start)));
    }
}

TEST(OpenApi, EveryPathParameterIsDeclared)
{
    const auto document = openapi_document(routes(nullptr), "1");
    const auto& parameters = document["paths"]["/v1/models/{model}"]["get"]["parameters"];
    ASSERT_EQ(parameters.size(), 1u);
    EXPECT_EQ(parameters[0]["name"], "model");
    EXPECT_EQ(parameters[0]["required"], true);
}

TEST(RouteTable, OnlyTheSystemRoutesAndTheWayInAreOpen)
{
    std::set<std::string> open;
    for (const auto& route : routes(nullptr))
        if (route.access.is_open)
            open.insert(std::string(route.pattern));
    EXPECT_EQ(open, (std::set<std::string>{"/", "/healthz", "/readyz", "/openapi.json", "/auth/register", "/auth/jwt/login",
                                           "/auth/forgot-password", "/auth/reset-password", "/auth/request-verify-token",
                                           "/auth/verify"}));
}

}  // namespace
}  // namespace dure::api
