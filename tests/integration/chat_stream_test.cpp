// The framing of a streamed chat on the wire (openai-clients §6), for the agent and for a proxied model, and what happens when
// the client leaves.
#include <gtest/gtest.h>

#include <algorithm>

#include "support/openai_script.hpp"
#include "support/raw_http.hpp"
#include "support/scripted_upstream.hpp"
#include "support/server_process.hpp"

namespace dure::test {
namespace chat_stream {

using namespace std::chrono_literals;

ServerProcess::Options configuration(const ScriptedUpstream& upstream)
{
    return {.configuration =
                "[log]\nlevel = \"warn\"\n[breaker]\nfailures = 0\n[[providers]]\nname = \"up\"\ndialect = \"openai\"\n"
                "base_url = \"" +
                upstream.base() +
                "/v1\"\nkeys_env = [\"UPSTREAM_TEST_KEY\"]\n"
                "[[model]]\nid = \"scripted\"\ntargets = [\"up/scripted\"]\n",
            .environment = {{"UPSTREAM_TEST_KEY", "upstream-key"}}};
}

std::string chat(std::string_view model, std::string_view text, bool stream, bool usage = false)
{
    Json body = {
        {"model", model}, {"stream", stream}, {"messages", Json::array({{{"role", "user"}, {"content", text}}})}};
    if (usage)
        body["stream_options"] = {{"include_usage", true}};
    return body.dump();
}

class ChatStream : public testing::Test {
protected:
    ScriptedUpstream upstream;
    ServerProcess server{configuration(upstream)};

    RawAnswer stream(std::string_view model, std::string_view text, bool usage = false) const
    {
        return fetch(server.port(),
                     raw_request("POST", "/v1/chat/completions", server.key(), chat(model, text, true, usage)));
    }

    void expect_it_stands_when_its_session_is_deleted(const std::string& request, std::string_view end)
    {
        upstream.enqueue({send(sse_head()), send(chunk(role_chunk())), send(chunk(text_chunk("처음"))), await_word(),
                          send(chunk(finish_chunk("stop")) + chunk(usage_chunk()) + chunk(done_event()) + last_chunk())});
        RawClient client(server.port());
        client.send(request);
        client.read_until("처음");
        const auto sessions = fetch(server.port(), raw_request("GET", "/api/chat/sessions", server.key())).json();
        const auto id = sessions.at("sessions").at(0).at("session_id").get<std::string>();
        EXPECT_EQ(fetch(server.port(), raw_request("DELETE", "/api/chat/sessions/" + id, server.key())).status, 204);
        upstream.go_on();
        const auto body = client.read_answer().body;
        EXPECT_NE(body.find(end), std::string::npos) << body;
        EXPECT_EQ(body.find("error"), std::string::npos) << body;
    }
};

// The data of every event; fails on anything that is not `data: …` and on events that are not whole in their chunk.
std::vector<std::string> events_of(const RawAnswer& answer)
{
    for (const auto& chunk : answer.chunks)
        EXPECT_TRUE(chunk.ends_with('\n')) << "an event is cut by its HTTP chunk: " << chunk;
    std::vector<std::string> events;
    std::string_view rest = answer.body;
    while (!rest.empty()) {
        const auto end = rest.find("\n\n");
        EXPECT_NE(end, std::string_view::npos) << "an event without an end: " << rest;
        if (end == std::string_view::npos)
            break;
        const auto event = rest.substr(0, end);
        EXPECT_TRUE(event.starts_with("data: ")) << event;
        EXPECT_EQ(event.find('\n'), std::string_view::npos) << event;
        EXPECT_EQ(event.find('\r'), std::string_view::npos) << event;
        events.emplace_back(event.substr(6));
        rest.remove_prefix(end + 2);
    }
    return events;
}

void expect_framing(const RawAnswer& answer, std::string_view model, bool usage)
{
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_TRUE(answer.header("content-type").starts_with("text/event-stream"));
    EXPECT_EQ(answer.header("cache-control"), "no-cache");
    EXPECT_EQ(answer.header("x-accel-buffering"), "no");
    EXPECT_EQ(answer.header("transfer-encoding"), "chunked");
    EXPECT_EQ(answer.header("content-encoding"), "");
    EXPECT_FALSE(answer.header("x-request-id").empty());
    auto events = events_of(answer);
    ASSERT_GE(events.size(), 3u);
    EXPECT_EQ(std::count(events.begin(), events.end(), "[DONE]"), 1);
    EXPECT_EQ(events.back(), "[DONE]");
    events.pop_back();
    int finishes = 0;
    int usages = 0;
    Json id;
    for (const auto& text : events) {
        const auto chunk = Json::parse(text);
        EXPECT_EQ(chunk.at("object"), "chat.completion.chunk");
        EXPECT_EQ(chunk.at("model"), model);
        ASSERT_TRUE(chunk.at("choices").is_array());
        EXPECT_FALSE(chunk.contains("error"));
        EXPECT_TRUE(id.is_null() || id == chunk.at("id"));
        id = chunk.at("id");
        usages += chunk.contains("usage") && !chunk.at("usage").is_null();
        if (!chunk.at("choices").empty())
            finishes += !chunk.at("choices").at(0).value("finish_reason", Json()).is_null();
    }
    EXPECT_EQ(Json::parse(events.front()).at("choices").at(0).at("delta").at("role"), "assistant");
    EXPECT_EQ(finishes, 1);
    EXPECT_EQ(usages, usage ? 1 : 0);
    if (usage)
        EXPECT_TRUE(Json::parse(events.back()).at("choices").empty());
}

TEST_F(ChatStream, AProxiedModelIsFramedAsTheContractSays)
{
    for (const bool usage : {false, true}) {
        upstream.enqueue(text_stream_script("안녕하세요 from the upstream 🎉"));
        const auto answer = stream("scripted", "hi", usage);
        expect_framing(answer, "scripted", usage);
        EXPECT_NE(answer.body.find("안녕하세요"), std::string::npos);
    }
}

// Of a session too, where [DONE] waits for the turn to be stored.
TEST_F(ChatStream, AnAnswerThatComesAtOnceGoesOutAtOnce)
{
    const auto whole = sse_head() + chunk(role_chunk()) + chunk(text_chunk("한번에")) + chunk(finish_chunk("stop")) +
                       chunk(usage_chunk()) + chunk(done_event()) + last_chunk();
    upstream.enqueue({send(whole)});
    const auto answer = stream("scripted", "hi", true);
    expect_framing(answer, "scripted", true);
    EXPECT_EQ(answer.chunks.size(), 1u);
    EXPECT_NE(answer.body.find("한번에"), std::string::npos);
    upstream.enqueue({send(whole)});
    const auto stored = fetch(server.port(), raw_request("POST", "/v1/chat/completions", server.key(),
                                                         chat("scripted", "hi", true, true), {{"X-OpenWebUI-Chat-Id", "one"}}));
    expect_framing(stored, "scripted", true);
    EXPECT_EQ(stored.chunks.size(), 2u);
    EXPECT_EQ(stored.chunks.back(), "data: [DONE]\n\n");
}

TEST_F(ChatStream, DoneIsNotKeptForAModelThatDoesNotEndItsBody)
{
    upstream.enqueue({send(sse_head() + chunk(role_chunk()) + chunk(text_chunk("fertig")) + chunk(finish_chunk("stop")) +
                           chunk(done_event())),
                      await_word(), send(last_chunk())});
    RawClient client(server.port());
    client.send(raw_request("POST", "/v1/chat/completions", server.key(), chat("scripted", "hi", true)));
    client.read_until("data: [DONE]");
    upstream.go_on();
    EXPECT_NE(client.read_answer().body.find("fertig"), std::string::npos);
}

TEST_F(ChatStream, TheAgentIsFramedAsTheContractSays)
{
    ServerProcess offline;
    for (const bool usage : {false, true}) {
        const auto answer =
            fetch(offline.port(), raw_request("POST", "/v1/chat/completions", offline.key(),
                                              chat("coe-agent-v1", "12 * (3 + 4)를 계산해 줘", true, usage)));
        expect_framing(answer, "coe-agent-v1", usage);
    }
}

TEST_F(ChatStream, TheConnectionServesTheNextRequestAfterAStream)
{
    upstream.enqueue(text_stream_script("one"));
    RawClient client(server.port());
    client.send(raw_request("POST", "/v1/chat/completions", server.key(), chat("scripted", "x", true)));
    EXPECT_EQ(client.read_answer().status, 200);
    EXPECT_TRUE(client.silent(50ms)) << "bytes behind the terminating chunk";
    client.send(raw_request("GET", "/healthz"));
    EXPECT_EQ(client.read_answer().status, 200);
}

TEST_F(ChatStream, CharactersCutByTheUpstreamAreWholeInEveryEvent)
{
    Script script{send(sse_head())};
    for (const auto& event : {role_chunk(), text_chunk("한"), text_chunk("글 👩‍👩‍👧‍👦"),
                              finish_chunk("stop"), done_event()})
        for (const char byte : event)
            script.push_back(send(chunk(std::string(1, byte))));
    script.push_back(send(last_chunk()));
    upstream.enqueue(script);
    const auto answer = stream("scripted", "x");
    expect_framing(answer, "scripted", false);
    std::string text;
    for (const auto& event : events_of(answer))
        if (event != "[DONE]")  // Json::parse refuses bytes that are not UTF-8
            text += Json::parse(event).at("choices").at(0).at("delta").value("content", "");
    EXPECT_EQ(text, "한글 👩‍👩‍👧‍👦");
}

TEST_F(ChatStream, AnUpstreamThatIsCutEndsInAnErrorFrameWithoutDone)
{
    upstream.enqueue(
        {send(sse_head()), send(chunk(role_chunk())), send(chunk(text_chunk("half"))), pause(50ms), reset()});
    const auto answer = stream("scripted", "x");
    ASSERT_EQ(answer.status, 200);
    const auto events = events_of(answer);
    ASSERT_FALSE(events.empty());
    const auto last = Json::parse(events.back());
    EXPECT_EQ(last.at("error").at("code"), "stream_interrupted");
    EXPECT_EQ(last.at("error").at("type"), "server_error");
    EXPECT_FALSE(last.contains("choices"));
    EXPECT_EQ(answer.body.find("[DONE]"), std::string::npos);
    EXPECT_NE(answer.body.find("half"), std::string::npos);
}

TEST_F(ChatStream, AnErrorBeforeTheFirstOutputIsAnHttpStatus)
{
    upstream.handle([](const RecordedRequest&) {
        return error_script(429, "slow down", "rate_limit_error", "rate_limit_exceeded", {{"Retry-After", "30"}});
    });
    const auto answer = stream("scripted", "x");
    EXPECT_EQ(answer.status, 429);
    EXPECT_FALSE(answer.header("retry-after").empty());
    EXPECT_EQ(answer.json().at("error").at("code"), "rate_limit_exceeded");
}

TEST_F(ChatStream, EachPieceReachesTheClientWhenItArrives)
{
    upstream.enqueue(
        {send(sse_head()), send(chunk(role_chunk())), send(chunk(text_chunk("first"))), await_peer_close(20s)});
    RawClient client(server.port());
    client.send(raw_request("POST", "/v1/chat/completions", server.key(), chat("scripted", "x", true)));
    EXPECT_NE(client.read_until("first").find("\"assistant\""), std::string::npos);  // the upstream has not gone on yet
}

struct Leaving {
    const char* name;
    bool stream;
    bool after_output;
};

TEST_F(ChatStream, TheUpstreamCallEndsWhenTheClientLeaves)
{
    for (const auto& one : {Leaving{"before the answer", false, false}, Leaving{"before the first token", true, false},
                            Leaving{"in the middle", true, true}}) {
        SCOPED_TRACE(one.name);
        const int seen = upstream.request_count();
        const auto closed_before = upstream.peer_closes().size();
        Script script;
        if (one.after_output)
            script = {send(sse_head()), send(chunk(role_chunk())), send(chunk(text_chunk("first")))};
        script.push_back(await_peer_close(10s));
        upstream.enqueue(script);
        RawClient client(server.port());
        client.send(raw_request("POST", "/v1/chat/completions", server.key(), chat("scripted", "x", one.stream)));
        ASSERT_TRUE(upstream.wait_until([&] { return upstream.request_count() > seen; }));
        if (one.after_output)
            client.read_until("first");
        const auto left = std::chrono::steady_clock::now();
        client.leave();
        ASSERT_TRUE(upstream.wait_until([&] { return upstream.peer_closes().size() > closed_before; }));
        const auto took = upstream.peer_closes().back().at - left;
        EXPECT_LE(std::chrono::duration_cast<std::chrono::milliseconds>(took).count(), 100);
    }
}

TEST_F(ChatStream, ACutAnswerOfASessionIsStoredAndMarked)
{
    upstream.enqueue(
        {send(sse_head()), send(chunk(role_chunk())), send(chunk(text_chunk("반쪽"))), await_peer_close(10s)});
    RawClient client(server.port());
    client.send(raw_request("POST", "/v1/chat/completions", server.key(), chat("scripted", "질문", true),
                            {{"X-OpenWebUI-Chat-Id", "cut-1"}}));
    client.read_until("반쪽");
    client.leave();
    Json messages;
    EXPECT_TRUE(eventually(
        [&] {
            const auto sessions =
                fetch(server.port(), raw_request("GET", "/api/chat/sessions", server.key())).json().at("sessions");
            if (sessions.empty())
                return false;
            const auto id = sessions.at(0).at("session_id").get<std::string>();
            messages =
                fetch(server.port(), raw_request("GET", "/api/chat/history/" + id, server.key())).json().at("messages");
            return messages.size() == 2;
        },
        10s));
    ASSERT_EQ(messages.size(), 2u);
    EXPECT_EQ(messages.at(1).at("content"), "반쪽");
    EXPECT_EQ(messages.at(1).at("metadata").at("status"), "cut");
}

// The client closes as soon as it has the last piece: storing the turn must not be given up half-way.
TEST_F(ChatStream, AnAnswerIsStoredAlthoughTheClientLeavesAtItsEnd)
{
    constexpr int conversations = 20;
    for (int i = 0; i < conversations; ++i) {
        upstream.enqueue(text_stream_script("끝"));
        RawClient client(server.port());
        client.send(raw_request("POST", "/v1/chat/completions", server.key(), chat("scripted", "질문", true),
                                {{"X-OpenWebUI-Chat-Id", "end-" + std::to_string(i)}}));
        client.read_until("끝");
        client.leave();
    }
    const auto stored = [&] {
        int turns = 0;
        const auto sessions =
            fetch(server.port(), raw_request("GET", "/api/chat/sessions", server.key())).json().at("sessions");
        for (const auto& session : sessions)
            turns += session.at("conversation_turns").get<int>();
        return turns;
    };
    EXPECT_TRUE(eventually([&] { return stored() == conversations; }, 10s)) << stored();
}

TEST_F(ChatStream, ATurnIsStoredWhenItsDoneIsRead)
{
    for (int i = 0; i < 20; ++i) {
        upstream.enqueue(text_stream_script("끝"));
        RawClient client(server.port());
        client.send(raw_request("POST", "/v1/chat/completions", server.key(), chat("scripted", "질문", true),
                                {{"X-OpenWebUI-Chat-Id", "done-" + std::to_string(i)}}));
        client.read_until("[DONE]");
        const auto sessions =
            fetch(server.port(), raw_request("GET", "/api/chat/sessions?limit=1", server.key())).json().at("sessions");
        EXPECT_EQ(sessions.at(0).at("client_chat_id"), "done-" + std::to_string(i));
        EXPECT_EQ(sessions.at(0).at("conversation_turns"), 1);
    }
}

TEST_F(ChatStream, AnAnswerStandsWhoseSessionWasDeletedMeanwhile)
{
    expect_it_stands_when_its_session_is_deleted(
        raw_request("POST", "/v1/chat/completions", server.key(), chat("scripted", "질문", true),
                    {{"X-OpenWebUI-Chat-Id", "deleted"}}),
        "[DONE]");
}

TEST_F(ChatStream, ANativeAnswerStandsWhoseSessionWasDeletedMeanwhile)
{
    const Json message = {{"message", "질문"}, {"model", "scripted"}};
    expect_it_stands_when_its_session_is_deleted(
        raw_request("POST", "/api/chat/message/stream", server.key(), message.dump()), "event: done");
}

TEST_F(ChatStream, AStreamThatCannotBeObeyedIsRefusedByItsStatus)
{
    const Json body = {{"model", "coe-agent-v1"},
                       {"stream", true},
                       {"tool_choice", "sometimes"},
                       {"messages", Json::array({{{"role", "user"}, {"content", "x"}}})}};
    const auto answer =
        fetch(server.port(), raw_request("POST", "/v1/chat/completions", server.key(), body.dump(),
                                         {{"X-OpenWebUI-Chat-Id", "refused"}}));
    EXPECT_EQ(answer.status, 400);
    EXPECT_EQ(answer.json().at("error").at("param"), "tool_choice");
    const auto sessions = fetch(server.port(), raw_request("GET", "/api/chat/sessions", server.key()));
    EXPECT_TRUE(sessions.json().at("sessions").empty()) << "a refused request has made a session";
}

}  // namespace chat_stream
}  // namespace dure::test
