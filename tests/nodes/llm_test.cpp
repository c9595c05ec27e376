// llm, extract and router against scripted models.
#include "nodes/fixture.hpp"

namespace dure::nodes {
namespace {

using namespace test;
using testing::HasSubstr;

class LlmNode : public NodeTest {};

TEST_F(LlmNode, AnswersAndStreamsItsWords)
{
    upstream.enqueue(dure::test::text_stream_script("It rains today"));
    node("llm", {{"system", "Be short."},
                 {"prompt", "Weather?"},
                 {"temperature", 0.5},
                 {"max_tokens", 20},
                 {"top_p", 0.9},
                 {"stop", {"END"}}});
    const auto output = go();
    ASSERT_TRUE(output) << output.error().message();
    EXPECT_EQ((*output)["text"], "It rains today");
    EXPECT_EQ((*output)["json"], nullptr);
    EXPECT_EQ((*output)["model"], "native");
    EXPECT_EQ((*output)["finish_reason"], "stop");
    EXPECT_EQ((*output)["tool_calls"], Json::array());
    EXPECT_EQ((*output)["messages"],
              Json::parse(R"([{"role":"user","text":"Weather?"},{"role":"assistant","text":"It rains today"}])"));
    EXPECT_EQ((*output)["usage"]["input_tokens"], 7);
    EXPECT_EQ((*output)["usage"]["output_tokens"], 5);
    EXPECT_EQ((*output)["usage"]["model_calls"], 1);
    EXPECT_DOUBLE_EQ((*output)["usage"]["cost_usd"].get<double>(), 0.017);
    EXPECT_EQ(events.text(), "It rains today");
    EXPECT_EQ(events.chunks.at(0)[0]["role"], "assistant");
    EXPECT_EQ(events.chunks.at(0)[1]["node"], "n");
    EXPECT_EQ(sent(0)["messages"],
              Json::parse(R"([{"role":"system","content":"Be short."},{"role":"user","content":"Weather?"}])"));
    EXPECT_EQ(sent(0)["temperature"], 0.5);
    EXPECT_EQ(sent(0)["top_p"], 0.9);
    EXPECT_EQ(sent(0)["stop"], Json::array({"END"}));
}

TEST_F(LlmNode, AsksNothingForAnOwnerWhoseAccountIsClosed)
{
    no_rights = Error(Errc::permission_denied, "closed").reason("owner_inactive");
    for (const auto& [kind, config] : std::map<std::string, Json>{
             {"llm", {{"prompt", "hi"}}}, {"agent", {{"prompt", "hi"}}}, {"http", {{"url", far_side.base() + "/"}}}}) {
        options.thread = "thread-" + kind;
        node(kind, config);
        const auto output = go();
        ASSERT_FALSE(output) << kind;
        EXPECT_EQ(output.error().reason(), "owner_inactive") << kind;
    }
    EXPECT_EQ(upstream.request_count(), 0);
    EXPECT_EQ(far_side.request_count(), 0);
}

TEST_F(LlmNode, AsksAModelWhileNobodyKnowsWhetherTheOwnerIsStillThere)
{
    no_rights = Error(Errc::unavailable, "The database is away.");
    upstream.enqueue(completion_script("hi"));
    node("llm", {{"prompt", "hi"}, {"stream", false}});
    const auto output = go();
    ASSERT_TRUE(output) << output.error().message();
    EXPECT_EQ((*output)["text"], "hi");
}

TEST_F(LlmNode, AsksOnlyModelsThatTheRunsKeyOpens)
{
    struct Case {
        Json config;
        std::vector<std::string> models;
        bool asks;
    };
    int number = 0;
    for (const auto& one :
         {Case{{{"model", "native"}}, {"native"}, true}, Case{{{"model", "native"}}, {"plain", "flow:x", ""}, false},
          Case{Json::object(), {""}, true}, Case{Json::object(), {"native"}, true},
          Case{Json::object(), {"plain"}, false}, Case{{{"provider", "up"}}, {"up/"}, true},
          Case{{{"provider", "up"}}, {"flow:x"}, false}, Case{Json::object(), {}, false}}) {
        options.thread = "thread-" + std::to_string(number++);
        facts.rights = flows::Rights{{}, one.models};
        if (one.asks)
            upstream.enqueue(completion_script("hi"));
        auto config = one.config;
        config["prompt"] = "x";
        config["stream"] = false;
        node("llm", config);
        const auto output = go();
        EXPECT_EQ(static_cast<bool>(output), one.asks) << config << number;
        if (!output) {
            EXPECT_EQ(output.error().reason(), "model_not_permitted");
            EXPECT_EQ(output.error().code(), Errc::permission_denied);
        }
    }
    EXPECT_EQ(upstream.request_count(), 4);
}

TEST_F(LlmNode, IsChargedToTheOwnerOfTheRun)
{
    facts.session_id = "session-1";
    upstream.enqueue(completion_script("hi"));
    node("llm", {{"prompt", "x"}, {"stream", false}});
    ASSERT_TRUE(go());
    EXPECT_TRUE(events.chunks.empty());
    ASSERT_EQ(usage.size(), 1);
    EXPECT_EQ(usage[0].user_id, "owner-1");
    EXPECT_EQ(usage[0].model, "native");
    EXPECT_EQ(usage[0].target, "up/native");
    EXPECT_EQ(usage[0].session_id, "session-1");
    EXPECT_EQ(usage[0].status, "ok");
    EXPECT_EQ(usage[0].prompt_tokens, 7);
    EXPECT_EQ(usage[0].cost_nano, 17'000'000);
    EXPECT_EQ(usage[0].request_id, "run-1");
}

TEST_F(LlmNode, AFailedCallIsChargedWithItsReasonAndKeepsItsCode)
{
    struct Case {
        int status;
        Errc code;
        std::string reason;
    };
    for (const auto& one :
         {Case{429, Errc::rate_limited, "rate_limit_exceeded"}, Case{500, Errc::upstream_failed, "upstream_error"},
          Case{400, Errc::invalid_argument, "bad_request"}}) {
        usage.clear();
        options.thread = "thread-" + std::to_string(one.status);
        upstream.handle([&](const auto&) { return dure::test::error_script(one.status, "no", "error"); });
        node("llm", {{"prompt", "x"}, {"model", one.status == 429 ? "plain" : "native"}});
        const auto output = go();
        ASSERT_FALSE(output);
        EXPECT_EQ(output.error().code(), one.code) << one.status;
        ASSERT_EQ(usage.size(), 1);
        EXPECT_EQ(usage[0].status, one.reason);
    }
}

TEST_F(LlmNode, CancellingTheRunClosesTheUpstreamAndIsCharged)
{
    upstream.enqueue({dure::test::send(dure::test::sse_head()),
                      dure::test::send(dure::test::chunk(dure::test::text_chunk("It"))),
                      dure::test::await_peer_close()});
    node("llm", {{"prompt", "x"}});
    go_until([&] { return upstream.request_count() == 1; });
    EXPECT_TRUE(upstream.wait_until([&] { return upstream.peer_closes().size() == 1; }));
    ASSERT_EQ(usage.size(), 1);
    EXPECT_EQ(usage[0].status, "cut");
}

TEST_F(LlmNode, TakesTheInputWhereNothingElseIsAsked)
{
    upstream.handle([](const auto&) { return completion_script("ok"); });
    node("llm", {{"stream", false}}, "안녕");
    ASSERT_TRUE(go());
    EXPECT_EQ(sent(0)["messages"], Json::parse(R"([{"role":"user","content":"안녕"}])"));
    options.thread = "other";
    node(
        "llm", {{"stream", false}, {"system", "S"}},
        Json::parse(
            R"([{"role":"system","text":"T"},{"role":"user","text":"q"},{"role":"assistant","content":"a"},{"role":"user","text":"r"}])"));
    ASSERT_TRUE(go());
    EXPECT_EQ(sent(1)["messages"], Json::parse(R"([{"role":"system","content":"S\nT"},{"role":"user","content":"q"},
        {"role":"assistant","content":"a"},{"role":"user","content":"r"}])"));
}

TEST_F(LlmNode, RemembersTheLastMessagesOfTheSession)
{
    facts.history = Json::parse(R"([{"role":"system","content":"summary so far"},{"role":"user","content":"1"},
        {"role":"assistant","content":"2"},{"role":"user","content":"3"},{"role":"assistant","content":"4"}])");
    upstream.handle([](const auto&) { return completion_script("ok"); });
    node("llm", {{"stream", false}, {"prompt", "5"}, {"memory", {{"type", "buffer"}, {"max_messages", 2}}}});
    ASSERT_TRUE(go());
    EXPECT_EQ(sent(0)["messages"], Json::parse(R"([{"role":"user","content":"3"},{"role":"assistant","content":"4"},
        {"role":"user","content":"5"}])"));
    options.thread = "other";
    node("llm", {{"stream", false}, {"prompt", "5"}, {"memory", {{"type", "summary"}, {"max_messages", 1}}}});
    ASSERT_TRUE(go());
    EXPECT_EQ(sent(1)["messages"], Json::parse(R"([{"role":"system","content":"summary so far"},
        {"role":"assistant","content":"4"},{"role":"user","content":"5"}])"));
}

TEST_F(LlmNode, ShowsImagesToTheModel)
{
    settings.model[0].vision = true;
    upstream.enqueue(completion_script("a cat"));
    node("llm", {{"stream", false},
                 {"prompt", "What?"},
                 {"images", {"https://example.com/a.png", {{"url", "data:image/png;base64,AA=="}}}}});
    const auto output = go();
    ASSERT_TRUE(output) << output.error().message();
    EXPECT_EQ(sent(0)["messages"][0]["content"], Json::parse(R"([{"type":"text","text":"What?"},
        {"type":"image_url","image_url":{"url":"https://example.com/a.png"}},
        {"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}])"));
}

TEST_F(LlmNode, HoldsTheAnswerAgainstItsSchemaAndCorrectsTheModelOnce)
{
    upstream.enqueue(completion_script("It is 21 degrees."));
    upstream.enqueue(completion_script("```json\n{\"degrees\": 21}\n```"));
    node("llm",
         {{"prompt", "Weather?"},
          {"output_schema",
           Json::parse(R"({"type":"object","properties":{"degrees":{"type":"number"}},"required":["degrees"]})")}});
    const auto output = go();
    ASSERT_TRUE(output) << output.error().message();
    EXPECT_EQ((*output)["json"], Json::parse(R"({"degrees":21})"));
    EXPECT_EQ((*output)["usage"]["input_tokens"], 14);
    EXPECT_EQ((*output)["usage"]["model_calls"], 2);
    EXPECT_TRUE(events.chunks.empty());
    EXPECT_THAT(system_of(0), HasSubstr("\"degrees\""));
    EXPECT_EQ(sent(0)["response_format"]["type"], "json_schema");
    EXPECT_THAT(sent(1)["messages"].back()["content"].get<std::string>(), HasSubstr("not a JSON document"));
}

TEST_F(LlmNode, FailsWhenTheAnswerNeverFitsItsSchema)
{
    upstream.handle([](const auto&) { return completion_script(R"({"degrees":"warm"})"); });
    node("llm", {{"prompt", "Weather?"},
                 {"output_schema", Json::parse(R"({"type":"object","properties":{"degrees":{"type":"number"}}})")}});
    const auto output = go();
    ASSERT_FALSE(output);
    EXPECT_EQ(output.error().code(), Errc::upstream_failed);
    EXPECT_EQ(output.error().reason(), "output_schema");
    EXPECT_EQ(upstream.request_count(), 2);
}

TEST_F(LlmNode, FindsItsModelByNameAndProvider)
{
    struct Case {
        Json config;
        std::string asked;   // empty: refused
    };
    upstream.handle([](const auto&) { return completion_script("ok"); });
    int number = 0;
    for (const auto& one :
         {Case{{{"model", "plain"}}, "plain"}, Case{{{"model", ""}, {"provider", ""}}, "native"},
          Case{{{"provider", "up"}}, "native"}, Case{{{"provider", "openai"}, {"model", "plain"}}, "plain"},
          Case{{{"model", "nobody"}}, ""}, Case{{{"provider", "nobody"}}, ""}}) {
        options.thread = "thread-" + std::to_string(number++);
        auto config = one.config;
        config["prompt"] = "x";
        config["stream"] = false;
        node("llm", config);
        const auto output = go();
        ASSERT_EQ(output.has_value(), !one.asked.empty()) << config;
        if (output)
            EXPECT_EQ((*output)["model"], one.asked);
        else
            EXPECT_EQ(output.error().reason(), "model_not_found");
    }
}

TEST_F(LlmNode, NamesEveryFieldThatDoesNotFit)
{
    struct Case {
        Json config;
        std::string told;
    };
    int number = 0;
    for (const auto& one :
         {Case{{{"prompt", "x"}, {"temperature", 3}, {"max_tokens", 1.5}},
               "'temperature' must be a number from 0 to 2; 'max_tokens'"},
          Case{Json::object(), "'prompt' is empty"},
          Case{{{"prompt", "x"}, {"stream", "yes"}}, "'stream' must be true or false"},
          Case{{{"prompt", "x"}, {"stop", {1}}}, "'stop[0]' must be a text"},
          Case{{{"messages", {{{"role", "robot"}, {"text", "x"}}}}}, "'messages[0]'"},
          Case{{{"prompt", "x"}, {"memory", {{"type", "vector"}}}}, "'memory.type' 'vector' is not available"},
          Case{{{"prompt", "x"}, {"knowledge", {{"ids", {"k"}}}}}, "'knowledge' is not available"},
          Case{{{"prompt", "x"}, {"images", {"file:///etc/passwd"}}}, "'images[0]' must be a URL"},
          Case{{{"prompt", "x"}, {"output_schema", {{"type", 5}}}}, "'output_schema' cannot be used"}}) {
        options.thread = "thread-" + std::to_string(number++);
        node("llm", one.config);
        const auto output = go();
        ASSERT_FALSE(output) << one.config;
        EXPECT_EQ(output.error().code(), Errc::invalid_argument);
        EXPECT_THAT(output.error().message(), HasSubstr(one.told));
    }
    EXPECT_EQ(upstream.request_count(), 0);
}

TEST_F(LlmNode, ExtractTakesWhatTheSchemaDescribes)
{
    upstream.enqueue(completion_script(R"({"name":"김민수","age":31})"));
    node(
        "extract",
        {{"schema",
          Json::parse(
              R"({"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer"}},"required":["name"]})")},
         {"instructions", "사람 정보만"}},
        "김민수, 서른한 살");
    const auto output = go();
    ASSERT_TRUE(output) << output.error().message();
    EXPECT_EQ((*output)["json"], Json::parse(R"({"name":"김민수","age":31})"));
    EXPECT_EQ((*output)["usage"]["output_tokens"], 5);
    EXPECT_THAT(system_of(0), HasSubstr("사람 정보만"));
    EXPECT_THAT(system_of(0), HasSubstr("뽑아내십시오"));
    EXPECT_EQ(sent(0)["messages"][1]["content"], "김민수, 서른한 살");
}

class RouterNode : public NodeTest {
protected:
    Json classes = Json::parse(
        R"([{"id":"refund","name":"Refunds","description":"money back"},{"id":"other","name":"Other things"}])");
};

TEST_F(RouterNode, ReadsTheClassHoweverTheModelWritesIt)
{
    int number = 0;
    for (const auto* said : {R"({"class":"refund"})", "```json\n{'class': 'Refund'}\n```", "refund", "\"Refunds\".",
                             R"({"class":"REFUNDS"})", R"({wants: money} {"class":"refund"})"}) {
        options.thread = "thread-" + std::to_string(number++);
        upstream.enqueue(completion_script(said));
        node("router", {{"classes", classes}, {"input", "give me my money"}});
        const auto output = go();
        ASSERT_TRUE(output) << said << ": " << output.error().message();
        EXPECT_EQ((*output)["class"], "refund") << said;
        EXPECT_EQ((*output)["class_name"], "Refunds");
    }
    EXPECT_THAT(system_of(0), HasSubstr("money back"));
}

TEST_F(RouterNode, IsCorrectedOnceThenFails)
{
    upstream.handle([](const auto&) { return completion_script("I would say it is about shipping"); });
    node("router", {{"classes", classes}}, "hello");
    const auto output = go();
    ASSERT_FALSE(output);
    EXPECT_EQ(output.error().reason(), "class_unknown");
    EXPECT_EQ(upstream.request_count(), 2);
}

TEST_F(RouterNode, GoesElsewhereWhereNoneIsAllowed)
{
    upstream.handle([](const auto&) { return completion_script(R"({"class":"else"})"); });
    node("router", {{"classes", classes}, {"allow_none", true}}, "hello");
    const auto output = go();
    ASSERT_TRUE(output) << output.error().message();
    EXPECT_EQ((*output)["class"], "else");
    EXPECT_EQ(upstream.request_count(), 1);
}

}  // namespace
}  // namespace dure::nodes
