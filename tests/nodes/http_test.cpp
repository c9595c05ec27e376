// http nodes against a scripted server: what is sent, what is read, how failures are told apart, where secrets may go.
#include "nodes/fixture.hpp"

namespace dure::nodes {
namespace {

using namespace test;
using testing::HasSubstr;
using testing::Not;

class HttpNode : public NodeTest {
protected:
    HttpNode() { settings.flows.secrets.emplace("crm", SecretString("s3cr3t-of-crm")); }

    void far(int status, std::string type, std::string body, dure::test::Fields fields = {})
    {
        far_side.enqueue({dure::test::send(dure::test::http_answer(status, type, body, fields))});
    }
    // As the compiler does it: `config` is what the drawn one came out as.
    void request(Json config, const Json& as_drawn = nullptr)
    {
        config["url"] = far_side.base() + config.value("url", "/");
        node("http", config);
        if (!as_drawn.is_null())
            drawn.config = OrderedJson::parse(as_drawn.dump());
        options.thread = "thread-" + std::to_string(++number);
    }
    dure::test::RecordedRequest received() const { return far_side.requests().back(); }

    int number = 0;
};

TEST_F(HttpNode, GetsJsonWithTheKeyOfItsTask)
{
    far(200, "application/json", R"({"rain":[1,2]})", {{"X-Total", "2"}, {"Set-Cookie", "a=b"}});
    request({{"url", "/weather?a=1"},
             {"query", {{"city", "서울 & 부산"}, {"day", {1, 2}}, {"none", nullptr}}},
             {"headers", {{"X-From", "flow"}}}});
    const auto output = go();
    ASSERT_TRUE(output) << output.error().message();
    EXPECT_EQ((*output)["body"], Json::parse(R"({"rain":[1,2]})"));
    EXPECT_EQ((*output)["status"], 200);
    EXPECT_EQ((*output)["headers"]["x-total"], "2");
    EXPECT_FALSE((*output)["headers"].contains("set-cookie"));
    EXPECT_EQ(received().method, "GET");
    EXPECT_EQ(received().target, "/weather?a=1&city=%EC%84%9C%EC%9A%B8%20%26%20%EB%B6%80%EC%82%B0&day=1&day=2");
    EXPECT_EQ(received().header("x-from"), "flow");
    EXPECT_THAT(received().header("idempotency-key"), testing::EndsWith("/http"));
}

TEST_F(HttpNode, ARetryHasTheSameKey)
{
    far(500, "text/plain", "no");
    request({{"method", "POST"}});
    ASSERT_FALSE(go());
    far(200, "text/plain", "yes");
    ASSERT_TRUE(go(graph::RunInput::nothing()));
    const auto requests = far_side.requests();
    ASSERT_EQ(requests.size(), 2);
    EXPECT_EQ(requests[0].header("idempotency-key"), requests[1].header("idempotency-key"));
}

TEST_F(HttpNode, SendsEveryFormOfBody)
{
    struct Case {
        Json body;
        std::string type;
        std::string bytes;
    };
    for (const auto& one :
         {Case{{{"type", "json"}, {"value", {{"a", 1}}}}, "application/json", R"({"a":1})"},
          Case{{{"type", "json"}, {"data", "[1, 2]"}}, "application/json", "[1, 2]"},
          Case{{{"type", "json"}, {"value", "plain"}}, "application/json", "\"plain\""},
          Case{{{"type", "text"}, {"value", "안녕"}}, "text/plain; charset=utf-8", "안녕"},
          Case{{{"type", "text"}, {"text", "<a/>"}, {"content_type", "application/xml"}}, "application/xml", "<a/>"},
          Case{{{"type", "form"}, {"fields", {{"a", "x y"}, {"b", {1, 2}}}}},
               "application/x-www-form-urlencoded",
               "a=x%20y&b=1&b=2"},
          Case{{{"type", "none"}}, "", ""}}) {
        far(200, "text/plain", "ok");
        request({{"method", "POST"}, {"body", one.body}});
        const auto output = go();
        ASSERT_TRUE(output) << one.body << output.error().message();
        EXPECT_EQ(received().body, one.bytes);
        EXPECT_EQ(received().header("content-type"), one.type);
    }
}

TEST_F(HttpNode, SendsMultipartForms)
{
    far(200, "text/plain", "ok");
    request({{"method", "POST"}, {"body", {{"type", "multipart"}, {"fields", {{"na\"me", "값"}}}}}});
    ASSERT_TRUE(go());
    const auto type = received().header("content-type");
    ASSERT_THAT(type, testing::StartsWith("multipart/form-data; boundary="));
    const auto boundary = type.substr(type.find('=') + 1);
    EXPECT_EQ(received().body, "--" + boundary +
                                   "\r\nContent-Disposition: form-data; name=\"na%22me\"\r\nContent-Type: text/plain; "
                                   "charset=utf-8\r\n\r\n값\r\n--" +
                                   boundary + "--\r\n");
}

TEST_F(HttpNode, ReadsTheAnswerInTheFormThatIsAsked)
{
    struct Case {
        std::string form, type, bytes;
        Json body;
    };
    for (const auto& one :
         {Case{"auto", "application/problem+json; charset=utf-8", "{\"a\":1}", Json{{"a", 1}}},
          Case{"auto", "application/json", "{broken", "{broken"}, Case{"auto", "text/html", "<p>", "<p>"},
          Case{"auto", "image/png", "\x89PNG", "iVBORw=="}, Case{"json", "text/plain", "[1]", Json::array({1})},
          Case{"text", "application/json", "{}", "{}"}, Case{"text", "text/plain", "\xff", "\xef\xbf\xbd"},
          Case{"bytes", "text/plain", "ab", "YWI="}}) {
        far(200, one.type, one.bytes);
        request({{"response", one.form}});
        const auto output = go();
        ASSERT_TRUE(output) << one.form << output.error().message();
        EXPECT_EQ((*output)["body"], one.body) << one.form << one.type;
    }
    far(200, "text/plain", "no json");
    request({{"response", "json"}});
    const auto output = go();
    ASSERT_FALSE(output);
    EXPECT_EQ(output.error().reason(), "response_not_json");
}

TEST_F(HttpNode, TellsFailuresApart)
{
    struct Case {
        int status;
        Json expected;
        std::optional<Errc> code;   // nothing: it is fine
    };
    for (const auto& one : {Case{404, nullptr, Errc::invalid_argument}, Case{429, nullptr, Errc::rate_limited},
                            Case{500, nullptr, Errc::upstream_failed}, Case{504, nullptr, Errc::timeout},
                            Case{404, 404, {}}, Case{404, {200, "404"}, {}}, Case{503, "5xx", {}}, Case{503, "any", {}},
                            Case{204, "200-203", Errc::invalid_argument}, Case{200, "3xx", Errc::invalid_argument}}) {
        far(one.status, "text/plain", "", {{"Retry-After", "7"}});
        request(one.expected.is_null() ? Json::object() : Json{{"expect_status", one.expected}});
        const auto output = go();
        ASSERT_EQ(output.has_value(), !one.code) << one.status << one.expected;
        if (output)
            continue;
        EXPECT_EQ(output.error().code(), *one.code) << one.status;
        EXPECT_EQ(output.error().reason(), "http_status");
        EXPECT_EQ(output.error().extra().retry_after.has_value(), one.status == 429 || one.status >= 500);
    }
}

TEST_F(HttpNode, SecretsGoIntoTheRequestAndNowhereElse)
{
    struct Case {
        Json config, drawn_config;
        std::string header, value;
    };
    const auto given = "s3cr3t-of-crm";
    for (const auto& one : {Case{{{"auth", {{"type", "bearer"}, {"secret", given}}}},
                                 {{"auth", {{"type", "bearer"}, {"secret", "{{secrets.crm}}"}}}},
                                 "authorization",
                                 "Bearer s3cr3t-of-crm"},
                            Case{{{"auth", {{"type", "bearer"}, {"secret", "crm"}}}},
                                 {{"auth", {{"type", "bearer"}, {"secret", "crm"}}}},
                                 "authorization",
                                 "Bearer s3cr3t-of-crm"},
                            Case{{{"auth", {{"type", "basic"}, {"username", "u"}, {"secret", "crm"}}}},
                                 {{"auth", {{"type", "basic"}, {"username", "u"}, {"secret", "crm"}}}},
                                 "authorization",
                                 "Basic dTpzM2NyM3Qtb2YtY3Jt"},
                            Case{{{"auth", {{"type", "api_key"}, {"secret", "crm"}}}},
                                 {{"auth", {{"type", "api_key"}, {"secret", "crm"}}}},
                                 "x-api-key",
                                 "s3cr3t-of-crm"},
                            Case{{{"headers", {{"X-Key", given}}}},
                                 {{"headers", {{"X-Key", "{{ secrets.crm }}"}}}},
                                 "x-key",
                                 "s3cr3t-of-crm"}}) {
        far_side.handle([&](const auto& got) {
            return Script{dure::test::send(dure::test::http_answer(200, "application/json",
                                                                   Json{{"you_sent", got.header(one.header)}}.dump(),
                                                                   {{"X-Echo", got.header(one.header)}}))};
        });
        request(one.config, one.drawn_config);
        const auto output = go();
        ASSERT_TRUE(output) << one.config << output.error().message();
        EXPECT_EQ(received().header(one.header), one.value);
        EXPECT_THAT(output->dump(), Not(HasSubstr("s3cr3t")));
        EXPECT_THAT(output->dump(), Not(HasSubstr("dTpzM2NyM3Qtb2YtY3Jt")));
        EXPECT_THAT((*output)["body"]["you_sent"].get<std::string>(), HasSubstr("[secret]"));
    }
}

TEST_F(HttpNode, ASecretThatComesBackAsTheQueryHadItIsHidden)
{
    settings.flows.secrets["crm"] = SecretString("a key/with signs");
    far_side.handle([](const auto& got) {
        return Script{dure::test::send(dure::test::http_answer(200, "text/plain", got.target))};
    });
    request({{"auth", {{"type", "api_key"}, {"name", "key"}, {"in", "query"}, {"secret", "crm"}}}});
    const auto output = go();
    ASSERT_TRUE(output) << output.error().message();
    EXPECT_EQ(received().target, "/?key=a%20key%2Fwith%20signs");
    EXPECT_EQ((*output)["body"], "/?key=[secret]");
}

TEST_F(HttpNode, ASecretWithTheFilterUrlIsHiddenWhereTheQueryEscapesItAgain)
{
    settings.flows.secrets["crm"] = SecretString("a key/with signs");
    far_side.handle([](const auto& got) {
        return Script{dure::test::send(dure::test::http_answer(200, "text/plain", got.target))};
    });
    request({{"query", {{"key", "a%20key%2Fwith%20signs"}}}}, {{"query", {{"key", "{{secrets.crm | url}}"}}}});
    const auto output = go();
    ASSERT_TRUE(output) << output.error().message();
    EXPECT_EQ(received().target, "/?key=a%2520key%252Fwith%2520signs");
    EXPECT_EQ((*output)["body"], "/?key=[secret]");
}

TEST_F(HttpNode, ABoundSecretGoesToItsHostsAndNoOther)
{
    const Json as_auth{{"auth", {{"type", "bearer"}, {"secret", "crm"}}}};
    const Json as_drawn{{"headers", {{"X-Key", "{{ secrets.crm }}"}}}},
        as_header{{"headers", {{"X-Key", "s3cr3t-of-crm"}}}};
    for (const auto* hosts : {"api.crm.example", "0.0.1", "*.crm.example,7.0.0.1", "*.127.0.0.1"}) {
        settings.flows.secrets_env["crm"] = std::string("CRM_KEY@") + hosts;
        for (const bool drawn_in_header : {false, true}) {
            drawn_in_header ? request(as_header, as_drawn) : request(as_auth);
            const auto output = go();
            ASSERT_FALSE(output) << hosts;
            EXPECT_THAT(output.error().message(), HasSubstr("The secret crm may not be sent to this host")) << hosts;
        }
    }
    EXPECT_TRUE(far_side.requests().empty());
    for (const auto* hosts : {"127.0.0.1", "api.crm.example,127.0.0.1", "*.0.0.1"}) {
        settings.flows.secrets_env["crm"] = std::string("CRM_KEY@") + hosts;
        far(200, "text/plain", "yes");
        request(as_auth);
        EXPECT_TRUE(go()) << hosts;
        EXPECT_EQ(received().header("authorization"), "Bearer s3cr3t-of-crm");
    }
    settings.flows.secrets_env["crm"] = "CRM_KEY@api.crm.example";   // what has no secret in it goes anywhere
    far(200, "text/plain", "yes");
    request(Json::object());
    EXPECT_TRUE(go());
}

TEST_F(HttpNode, ABoundSecretDoesNotFollowARedirectToAnotherServer)
{
    dure::test::ScriptedUpstream elsewhere;
    also_reachable = {"127.0.0.1:" + std::to_string(elsewhere.port())};
    const Json as_drawn{{"headers", {{"Accept-Language", "{{ secrets.crm }}"}}}};
    const Json as_header{{"headers", {{"Accept-Language", "s3cr3t-of-crm"}}}};
    for (const bool bound : {true, false}) {
        settings.flows.secrets_env["crm"] = bound ? "CRM_KEY@127.0.0.1" : "CRM_KEY";
        far(302, "text/plain", "", {{"Location", elsewhere.base() + "/"}});
        elsewhere.enqueue({dure::test::send(dure::test::http_answer(200, "text/plain", "yes"))});
        request(as_header, as_drawn);
        ASSERT_TRUE(go()) << bound;
        EXPECT_EQ(elsewhere.requests().back().header("accept-language"), bound ? "" : "s3cr3t-of-crm");
    }
}

TEST_F(HttpNode, ASecretStandsInTheQueryButInNoError)
{
    far(500, "text/plain", "");
    request({{"auth", {{"type", "api_key"}, {"name", "key"}, {"in", "query"}, {"secret", "crm"}}}});
    const auto output = go();
    ASSERT_FALSE(output);
    EXPECT_EQ(received().target, "/?key=s3cr3t-of-crm");
    EXPECT_THAT(output.error().message() + output.error().detail(), Not(HasSubstr("s3cr3t")));
}

TEST_F(HttpNode, RefusesWhereItMayNotGo)
{
    node("http", {{"url", "http://127.0.0.1:1/x"}});
    const auto output = go();
    ASSERT_FALSE(output);
    EXPECT_EQ(output.error().code(), Errc::permission_denied);
    EXPECT_EQ(output.error().reason(), "egress");
}

TEST_F(HttpNode, NamesEveryFieldThatDoesNotFit)
{
    struct Case {
        Json config;
        std::string told;
    };
    for (const auto& one :
         {Case{{{"method", "BREW"}}, "'method'"}, Case{{{"headers", {{"Host", "x"}}}}, "'headers.Host'"},
          Case{{{"body", {{"type", "stone"}}}}, "'body.type'"}, Case{{{"body", {{"type", "form"}}}}, "'body.fields'"},
          Case{{{"auth", {{"type", "oauth"}}}}, "'auth.type'"},
          Case{{{"auth", {{"type", "bearer"}}}}, "'auth.secret' is missing"},
          Case{{{"auth", {{"type", "bearer"}, {"secret", "nobody"}}}}, "'auth.secret' names no secret"},
          Case{{{"max_bytes", 0}}, "'max_bytes'"}, Case{{{"response", "xml"}}, "'response'"},
          Case{{{"expect_status", "fine"}}, "'expect_status'"}}) {
        request(one.config);
        const auto output = go();
        ASSERT_FALSE(output) << one.config;
        EXPECT_EQ(output.error().code(), Errc::invalid_argument);
        EXPECT_THAT(output.error().message(), HasSubstr(one.told));
    }
    EXPECT_EQ(far_side.request_count(), 0);
}

TEST_F(HttpNode, RefusesHeadersThatBreakTheRequest)
{
    request({{"headers", {{"X-A", "a\r\nX-B: b"}}}});
    const auto output = go();
    ASSERT_FALSE(output);
    EXPECT_EQ(output.error().code(), Errc::invalid_argument);
    EXPECT_EQ(far_side.request_count(), 0);
}

TEST_F(HttpNode, BoundsTheAnswer)
{
    far(200, "text/plain", std::string(2000, 'x'));
    request({{"max_bytes", 1000}});
    const auto output = go();
    ASSERT_FALSE(output);
    EXPECT_EQ(output.error().code(), Errc::payload_too_large);
}

}  // namespace
}  // namespace dure::nodes
