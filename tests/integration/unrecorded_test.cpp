// What a model call uses is recorded: while the database takes nothing, none is begun (threat-model §9).
#include <gtest/gtest.h>

#include "support/faults.hpp"
#include "support/openai_script.hpp"
#include "support/raw_http.hpp"
#include "support/scripted_upstream.hpp"
#include "support/server_process.hpp"

namespace dure::test {
namespace unrecorded {

TEST(Unrecorded, NoCallIsBegunWhileTheDiskIsFull)
{
    using namespace std::chrono_literals;
    Faults faults;
    ScriptedUpstream upstream;
    upstream.handle([](const auto&) { return completion_script("fine"); });
    const ServerProcess server(
        {.configuration = "[limits.admin]\nrequests_per_minute = 1000000\nchat_per_minute = 1000000\n"
                          "[[providers]]\nname = \"up\"\ndialect = \"openai\"\nbase_url = \"" +
                          upstream.base() + "/v1\"\n[[model]]\nid = \"scripted\"\ntargets = [\"up/scripted\"]\n",
         .environment = faults.environment()});
    const auto ask = [&](const char* target, const char* body) {
        return fetch(server.port(), raw_request("POST", target, server.key(), body));
    };
    const auto chat = [&] {
        return ask("/v1/chat/completions", R"({"model":"scripted","messages":[{"role":"user","content":"x"}]})");
    };
    ASSERT_EQ(chat().status, 200);
    faults.disk_full(true);
    RawAnswer refused;
    ASSERT_TRUE(eventually([&] { return (refused = chat()).status != 200; })) << "billed and recorded nowhere";
    EXPECT_EQ(refused.status, 503) << refused.body;
    EXPECT_EQ(refused.json().at("error").at("code"), "usage_unavailable");
    EXPECT_FALSE(refused.header("retry-after").empty());
    const auto asked = upstream.request_count();
    EXPECT_EQ(ask("/api/chat/message", R"({"model":"scripted","message":"x"})").json().value("code", ""),
              "usage_unavailable");
    EXPECT_EQ(upstream.request_count(), asked);
    faults.disk_full(false);
    EXPECT_TRUE(eventually([&] { return chat().status == 200; }, 5s));
}

}  // namespace unrecorded
}  // namespace dure::test
