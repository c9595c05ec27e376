// What issue 5 wants seen of the gateway over the wire: a client that leaves at any moment, and sixteen callers among eight
// kinds of fault. Counted on the upstream's side.
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "support/openai_script.hpp"
#include "support/raw_http.hpp"
#include "support/scripted_upstream.hpp"
#include "support/server_process.hpp"

namespace dure::test {
namespace upstream_load {

using namespace std::chrono_literals;

std::string provider_at(const ScriptedUpstream& upstream, const std::string& name, const std::string& timeouts = {})
{
    return "[[providers]]\nname = \"" + name + "\"\nbase_url = \"" + upstream.base() +
           "/v1\"\nkeys_env = [\"UPSTREAM_TEST_KEY\"]\n" +
           (timeouts.empty() ? "" : "[providers.timeouts]\n" + timeouts);
}

std::string model_at(const std::string& id, const std::string& target)
{
    return "[[model]]\nid = \"" + id + "\"\ntargets = [\"" + target +
           "\"]\nprices = {input = \"1.00\", output = \"2.00\"}\n";
}

std::string ask_model(const ServerProcess& server, const std::string& model, bool stream, const std::string& chat = {})
{
    const auto body = dump(Json{{"model", model},
                                {"stream", stream},
                                {"messages", Json::array({{{"role", "user"}, {"content", "a question"}}})}});
    return chat.empty()
               ? raw_request("POST", "/v1/chat/completions", server.key(), body)
               : raw_request("POST", "/v1/chat/completions", server.key(), body, {{"X-OpenWebUI-Chat-Id", chat}});
}

// The value of the one line that begins so; 0 when there is none.
double metric(const ServerProcess& server, const std::string& begin)
{
    const auto text = fetch(server.port(), raw_request("GET", "/metrics", server.key())).body;
    const auto at = text.find("\n" + begin);
    if (at == std::string::npos)
        return 0;
    const auto line = text.substr(at + 1, text.find('\n', at + 1) - at - 1);
    return std::stod(line.substr(line.rfind(' ') + 1));
}

Json usage_of_all(const ServerProcess& server)
{
    return fetch(server.port(), raw_request("GET", "/api/usage", server.key())).json();
}

std::size_t resident_kilobytes(pid_t pid)
{
    std::ifstream status("/proc/" + std::to_string(pid) + "/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("VmRSS:"))
            return std::stoul(line.substr(6));
    throw std::runtime_error("no VmRSS");
}

struct Moment {
    const char* name;
    bool stream;
    Script before_leaving;
    const char* seen_first;  // the client leaves when it has this; null: when the upstream has the request
};

// The answers in all sessions, with what became of each: {text, status}, sorted.
Json answers_on_record(const ServerProcess& server)
{
    const auto ask = [&](const std::string& path) {
        return fetch(server.port(), raw_request("GET", path, server.key())).json();
    };
    std::vector<Json> answers;
    const auto sessions = ask("/api/chat/sessions");
    for (const auto& session : sessions.at("sessions")) {
        const auto history = ask("/api/chat/history/" + session.at("session_id").get<std::string>());
        for (const auto& message : history.at("messages"))
            if (message.at("role") == "assistant")
                answers.push_back({message.at("content"), message.at("metadata").value("status", "")});
    }
    std::sort(answers.begin(), answers.end());
    return answers;
}

// Case 26: the upstream's socket is closed within 100 ms, the client is counted with 499, what came is stored and charged.
TEST(ClientLeavesTheServer, AtAnyMomentTheUpstreamIsClosedAndWhatCameIsStoredAndCharged)
{
    ScriptedUpstream upstream;
    ServerProcess server({.configuration = provider_at(upstream, "up") + model_at("scripted", "up/scripted"),
                          .environment = {{"UPSTREAM_TEST_KEY", "k"}}});
    const auto begun = sse_head() + chunk(role_chunk());
    const std::vector<Moment> moments{
        {"before the head", true, {}, nullptr},
        {"before the first token", true, {send(begun)}, nullptr},
        {"in the middle of a stream", true, {send(begun + chunk(text_chunk("half an answer")))}, "half an answer"},
        {"of an answer that is not streamed", false, {}, nullptr},
    };
    int left_so_far = 0;
    for (const auto& moment : moments) {
        SCOPED_TRACE(moment.name);
        const auto requests = upstream.request_count();
        const auto closes = upstream.peer_closes().size();
        auto script = moment.before_leaving;
        script.push_back(await_peer_close(10s));
        upstream.enqueue(script);
        RawClient client(server.port());
        client.send(ask_model(server, "scripted", moment.stream, "left-" + std::to_string(left_so_far)));
        ASSERT_TRUE(upstream.wait_until([&] { return upstream.request_count() > requests; }));
        if (moment.seen_first != nullptr)
            client.read_until(moment.seen_first);
        const auto left = std::chrono::steady_clock::now();
        client.leave();
        ASSERT_TRUE(upstream.wait_until([&] { return upstream.peer_closes().size() > closes; }));
        EXPECT_LE(upstream.peer_closes().back().at - left, 100ms);
        ++left_so_far;
        EXPECT_TRUE(eventually([&] {
            return metric(server,
                          R"(chat_requests_total{endpoint="/v1/chat/completions",model="scripted",status="499"})") ==
                   left_so_far;
        }));
    }
    EXPECT_TRUE(upstream.wait_until([&] { return upstream.open() == 0; })) << "a cut connection is not used again";
    const auto nothing_came = Json::array({"", "cut"});
    const auto on_record =
        Json::array({nothing_came, nothing_came, nothing_came, Json::array({"half an answer", "cut"})});
    EXPECT_TRUE(eventually([&] { return answers_on_record(server) == on_record; })) << answers_on_record(server);

    // Only the moment with output costs something: its prompt and the four tokens that came.
    Json sum;
    EXPECT_TRUE(eventually([&] {  // rows of usage are written behind the answer
        sum = usage_of_all(server);
        return sum.at("rows").size() == 1 && sum.at("rows").at(0).at("requests") == left_so_far;
    })) << sum;
    const auto& row = sum.at("rows").at(0);
    EXPECT_EQ(row.at("completion_tokens"), 4) << row;
    EXPECT_GT(row.at("prompt_tokens"), 0) << row;
    EXPECT_EQ(metric(server, "dure_usage_estimated_total"), 1);
    EXPECT_EQ(metric(server, "dure_cost_nanousd_total"),
              row.at("prompt_tokens").get<double>() * 1000 + row.at("completion_tokens").get<double>() * 2000);
    EXPECT_EQ(metric(server, R"(dure_upstream_connections{state="active"})"), 0);
}

// Whether an answer ended in a way that a client can tell: whole, or as one of our errors.
bool is_definite(const RawAnswer& answer, bool stream)
{
    const auto code_of = [](const Json& body) {
        return body.is_object() && body.contains("error") ? body["error"].value("code", Json()) : Json();
    };
    if (answer.status != 200)
        return code_of(Json::parse(answer.body, nullptr, false)).is_string();
    if (!stream)
        return Json::parse(answer.body, nullptr, false).contains("choices");
    const bool whole = answer.body.ends_with("data: [DONE]\n\n");
    const auto frame = answer.body.rfind("data: {\"error\"");
    if (frame == std::string::npos)
        return whole;
    const auto last = answer.body.substr(frame + 6);
    return !whole && code_of(Json::parse(last.substr(0, last.find('\n')), nullptr, false)).is_string();
}

class MixedFaults : public ::testing::Test {
protected:
    static constexpr int callers = 16;
    static constexpr int questions = 8;

    MixedFaults()
    {
        const Script hangs{await_peer_close(10s)};
        faults_ = {error_script(429, "slow down", "rate_limit_error", nullptr, {{"retry-after-ms", "1"}}),
                   error_script(500, "boom", "server_error"),
                   hangs,
                   {send(sse_head() + chunk(role_chunk()) + chunk(text_chunk("cut"))), reset()},
                   text_stream_script("slow but whole", 10ms),
                   {send("garbage\r\n\r\n"), close_connection()},
                   {send(sse_head() + chunk("data: " + std::string(5u << 20, 'x')))},
                   completion_script("fine")};
        upstream_.handle([this](const RecordedRequest& request) {
            if (request.body.find("\"locked\"") != std::string::npos)
                return error_script(401, "wrong key", "authentication_error");
            return faults_[static_cast<std::size_t>(turn_++) % faults_.size()];
        });
        const std::string timeouts =
            "head = \"300ms\"\nfirst_output = \"300ms\"\nbyte_silence = \"300ms\"\ntotal = \"600ms\"\n";
        server_ = std::make_unique<ServerProcess>(ServerProcess::Options{
            .configuration = "[breaker]\nfailures = 0\n[limits.admin]\nchat_per_minute = 1000000\n"
                             "requests_per_minute = 1000000\nstreams = 1000\n" +
                             provider_at(upstream_, "up", timeouts) + provider_at(upstream_, "locked") +
                             model_at("scripted", "up/scripted") + model_at("locked", "locked/locked"),
            // AddressSanitizer keeps what was freed, up to 256 MiB: less, or the memory measured is that.
            .environment = {{"UPSTREAM_TEST_KEY", "k"}, {"ASAN_OPTIONS", sanitizer_options() + "quarantine_size_mb=8"}}});
    }

    static std::string sanitizer_options()
    {
        const auto* given = std::getenv("ASAN_OPTIONS");
        return given == nullptr ? std::string() : std::string(given) + ":";
    }

    // All callers side by side, each with its questions one behind the other on connections of their own.
    void round()
    {
        std::vector<std::thread> threads;
        for (int i = 0; i < callers; ++i)
            threads.emplace_back([this, i] {
                for (int q = 0; q < questions; ++q) {
                    const bool stream = q % 2 == 0;
                    try {
                        RawClient client(server_->port());
                        client.send(ask_model(*server_, q == 3 ? "locked" : "scripted", stream));
                        const auto answer = client.read_answer();
                        ++ended_;
                        if (is_definite(answer, stream))
                            ++definite_;
                        else
                            ADD_FAILURE()
                                << "caller " << i << ": " << answer.status << " " << answer.body.substr(0, 500);
                        if (answer.status == 200)
                            ++begun_;
                    } catch (const std::exception& thrown) {
                        ADD_FAILURE() << "caller " << i << ": " << thrown.what();
                    }
                }
            });
        for (auto& thread : threads)
            thread.join();
    }

    std::vector<Script> faults_;
    std::atomic<unsigned> turn_{0};
    std::atomic<int> ended_{0};
    std::atomic<int> definite_{0};
    std::atomic<int> begun_{0};
    ScriptedUpstream upstream_;
    std::unique_ptr<ServerProcess> server_;
};

TEST_F(MixedFaults, EveryRequestEndsNoConnectionStaysAndMemoryIsFlat)
{
    round();  // buffers, pools and caches find their size
    const auto before = resident_kilobytes(server_->pid());
    round();
    round();
    EXPECT_EQ(ended_, 3 * callers * questions);
    EXPECT_EQ(definite_, ended_);
    EXPECT_GT(begun_, 0) << "among the faults some are answered";
    EXPECT_TRUE(eventually([&] { return metric(*server_, R"(dure_upstream_connections{state="active"})") == 0; }, 5s));
    EXPECT_TRUE(eventually(
        [&] { return metric(*server_, R"(dure_upstream_connections{state="idle"})") == upstream_.open(); }, 5s))
        << upstream_.open() << " are open at the upstream";
    const auto after = resident_kilobytes(server_->pid());
    EXPECT_LT(after, before + 24 * 1024) << "two further rounds of " << callers * questions << " requests";
    EXPECT_EQ(server_->terminate(), 0) << server_->err();
}

}  // namespace upstream_load
}  // namespace dure::test
