// fetch under the egress policy, against scripted upstreams: what is refused never opens a connection.
#include "dure/http/fetch.hpp"

#include "http/client_fixture.hpp"

namespace dure::http {
namespace {

using test::Fields;
using test::send;

class FetchTest : public ClientTest {
protected:
    EgressPolicy policy_for(std::vector<std::string> allow)
    {
        return EgressPolicy::make({std::move(allow), {80, 443}, {}, 0}).value();
    }
    std::string here() const { return "127.0.0.1:" + std::to_string(upstream.port()); }

    Result<FetchAnswer> fetched(const EgressPolicy& policy, FetchRequest request)
    {
        std::optional<Result<FetchAnswer>> answer;
        request.deadline = Deadline::after(std::chrono::seconds(5));
        test::run_on_core(
            cores, [&]() -> Task<void> { answer.emplace(co_await http::fetch(client, policy, std::move(request))); });
        return std::move(*answer);
    }
    Result<FetchAnswer> fetched(std::string url) { return fetched(policy_for({here()}), {.url = std::move(url)}); }

    static std::string redirect(int status, const std::string& to)
    {
        return http_answer(status, "text/plain", "moved", Fields{{"Location", to}});
    }
};

TEST_F(FetchTest, RefusesPrivateAddressesWithoutConnecting)
{
    const auto answer = fetched(policy_for({}), {.url = upstream.base() + "/"});
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().reason(), "egress");
    EXPECT_EQ(upstream.accepted(), 0);
}

// "localhost" is a name: only what it resolves to is private. With port 80 open it would be tried without the check.
TEST_F(FetchTest, ANameThatLeadsToAPrivateAddressIsRefusedAfterTheLookUp)
{
    const auto port = static_cast<std::int64_t>(upstream.port());
    const auto policy = EgressPolicy::make({{}, {port}, {}, 0}).value();
    const auto answer = fetched(policy, {.url = "http://localhost:" + std::to_string(port) + "/"});
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().reason(), "egress");
    EXPECT_EQ(upstream.accepted(), 0);
}

TEST_F(FetchTest, ConnectionsOfUncheckedRequestsAreNotUsed)
{
    upstream.enqueue({send(http_answer(200, "text/plain", "provider"))});
    EXPECT_EQ(fetch_now(client, request_to(upstream.base())), "provider");   // leaves an idle connection
    const auto port = static_cast<std::int64_t>(upstream.port());
    const auto policy = EgressPolicy::make({{}, {port}, {}, 0}).value();
    EXPECT_FALSE(fetched(policy, {.url = upstream.base() + "/"}));
    EXPECT_EQ(upstream.request_count(), 1);
}

TEST_F(FetchTest, FollowsRedirectsAndKeepsTheCredentialOnTheSameOrigin)
{
    upstream.enqueue({send(redirect(302, "/second?x=1"))});
    upstream.enqueue({send(redirect(307, "third"))});
    upstream.enqueue({send(http_answer(200, "text/plain", "here"))});
    FetchRequest request{.url = upstream.base() + "/a/first"};
    request.headers = {{"Authorization", "Bearer k"}};
    const auto answer = fetched(policy_for({here()}), std::move(request));
    ASSERT_TRUE(answer) << answer.error().message();
    EXPECT_EQ(answer->body, "here");
    EXPECT_EQ(upstream.requests().at(1).target, "/second?x=1");
    EXPECT_EQ(upstream.requests().at(2).target, "/third");
    EXPECT_EQ(upstream.requests().at(2).header("authorization"), "Bearer k");
}

TEST_F(FetchTest, AnotherOriginIsCheckedAnewAndGetsNoCredentials)
{
    test::ScriptedUpstream other;
    const std::string there = "127.0.0.1:" + std::to_string(other.port());
    upstream.handle([&](const auto&) { return test::Script{send(redirect(302, "http://" + there + "/stolen"))}; });
    other.handle([](const auto&) { return test::Script{send(http_answer(200, "text/plain", "other"))}; });
    FetchRequest request{.url = upstream.base() + "/"};
    request.headers = {{"Authorization", "Bearer k"}, {"X-Api-Key", "k"}, {"Accept", "text/plain"}};
    EXPECT_FALSE(fetched(policy_for({here()}), request));
    EXPECT_EQ(other.accepted(), 0);
    ASSERT_TRUE(fetched(policy_for({here(), there}), request));
    EXPECT_EQ(other.requests().at(0).header("authorization"), "");
    EXPECT_EQ(other.requests().at(0).header("x-api-key"), "");
    EXPECT_EQ(other.requests().at(0).header("accept"), "text/plain");
}

TEST_F(FetchTest, WhatIsOnlyForTheFirstOriginDoesNotCrossToAnother)
{
    test::ScriptedUpstream other;
    const std::string there = "127.0.0.1:" + std::to_string(other.port());
    other.handle([](const auto&) { return test::Script{send(http_answer(200, "text/plain", "other"))}; });
    FetchRequest request{.method = Method::post, .url = upstream.base() + "/", .only_for_first_origin = true};
    request.headers = {{"Accept-Language", "k"}, {"Content-Type", "text/plain"}};
    request.body = "k";
    upstream.enqueue({send(redirect(307, "http://" + there + "/stolen"))});
    const auto refused = fetched(policy_for({here(), there}), request);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().reason(), "redirect");
    EXPECT_EQ(other.accepted(), 0);
    upstream.enqueue({send(redirect(303, "http://" + there + "/told"))});
    ASSERT_TRUE(fetched(policy_for({here(), there}), request));
    EXPECT_EQ(other.requests().at(0).header("accept-language"), "");
    EXPECT_EQ(other.requests().at(0).body, "");
}

TEST_F(FetchTest, RedirectsInsideARefusedNetworkAreNotFollowed)
{
    for (const char* target :
         {"http://169.254.169.254/latest/meta-data/", "http://127.0.0.1:1/", "http://[::1]/", "http://2130706433/",
          "file:///etc/passwd", "http://user@8.8.8.8/", "http://10.0.0.1\\@8.8.8.8/"}) {
        upstream.enqueue({send(redirect(302, target))});
        EXPECT_FALSE(fetched(upstream.base() + "/")) << target;
    }
}

TEST_F(FetchTest, EndsAfterThreeRedirects)
{
    upstream.handle([](const auto&) { return test::Script{send(redirect(302, "/again"))}; });
    const auto answer = fetched(upstream.base() + "/");
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().reason(), "redirect");
    EXPECT_EQ(upstream.request_count(), 4);
}

TEST_F(FetchTest, PostBecomesGetWhereTheWebSaysSo)
{
    for (const auto& [status, method] :
         {std::pair{301, "GET"}, {302, "GET"}, {303, "GET"}, {307, "POST"}, {308, "POST"}}) {
        const auto before = upstream.requests().size();
        upstream.enqueue({send(redirect(status, "/next"))});
        upstream.enqueue({send(http_answer(200, "text/plain", "ok"))});
        FetchRequest request{.method = Method::post, .url = upstream.base() + "/"};
        request.body = "x=1";
        request.headers = {{"Content-Type", "application/x-www-form-urlencoded"}};
        ASSERT_TRUE(fetched(policy_for({here()}), std::move(request))) << status;
        const auto last = upstream.requests().at(before + 1);
        EXPECT_EQ(last.method, method) << status;
        EXPECT_EQ(last.body, std::string(method) == "POST" ? "x=1" : "") << status;
    }
}

TEST_F(FetchTest, BoundsTheAnswerAndTakesNoCompressedOne)
{
    upstream.enqueue({send(http_answer(200, "text/plain", std::string(1001, 'x')))});
    const auto large = fetched(policy_for({here()}), {.url = upstream.base() + "/", .largest_answer = 1000});
    ASSERT_FALSE(large);
    EXPECT_EQ(large.error().code(), Errc::payload_too_large);
    upstream.enqueue({send(http_answer(200, "text/plain", "x", Fields{{"Content-Encoding", "gzip"}}))});
    EXPECT_FALSE(fetched(upstream.base() + "/"));
    EXPECT_EQ(upstream.requests().at(1).header("accept-encoding"), "identity");
}

TEST(ResolveReference, FollowsTheFormsOfLocations)
{
    const auto from = *parse_url("https://a.example/dir/page?q=1");
    const std::pair<const char*, const char*> cases[] = {
        {"https://b.example/x", "https://b.example:443/x"},
        {"//c.example/y", "https://c.example:443/y"},
        {"/root", "https://a.example:443/root"},
        {"next", "https://a.example:443/dir/next"},
        {"?p=2", "https://a.example:443/dir/page?p=2"},
        {"/x#frag", "https://a.example:443/x"},
        {"http://d.example", "http://d.example:80/"},
        {"dir2/a:b", "https://a.example:443/dir/dir2/a:b"},
    };
    for (const auto& [location, wanted] : cases) {
        const auto url = resolve_reference(from, location);
        ASSERT_TRUE(url) << location;
        EXPECT_EQ(url->origin() + url->target, wanted);
    }
    for (const char* bad : {"", "#x", "javascript:alert(1)", "http://", "http://a b/"})
        EXPECT_FALSE(resolve_reference(from, bad)) << bad;
}

}  // namespace
}  // namespace dure::http
