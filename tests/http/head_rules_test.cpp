// Every rule of the HTTP front against a running server, by raw bytes: what is refused, with which status, and that
// nothing behind a refused message is ever answered.
#include "http/server_fixture.hpp"

namespace dure::http::server_test::head_rules {
namespace {

struct BadRequest {
    const char* name;
    std::string bytes;
    int status;
};

std::string with_field(const std::string& field)
{
    return "POST /a HTTP/1.1\r\nHost: localhost\r\n" + field + "\r\n\r\n";
}

const std::string smuggled = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";

std::vector<BadRequest> smuggling_cases()
{
    std::vector<BadRequest> cases;
    const std::vector<std::pair<const char*, std::string>> codings = {
        {"te_identity", "identity"},
        {"te_gzip", "gzip"},
        {"te_xchunked", "xchunked"},
        {"te_parameter", "chunked;q=1"},
        {"te_twice_in_list", "chunked, chunked"},
        {"te_gzip_then_chunked", "gzip, chunked"},
        {"te_empty", ""},
        {"te_quoted", "\"chunked\""},
        {"te_vertical_tab", "\x0b" "chunked"},
        {"te_folded", "chun\r\n ked"},
        {"te_folded_before", "\r\n chunked"},
    };
    for (const auto& [name, value] : codings)
        cases.push_back({name, with_field("Transfer-Encoding: " + value) + "0\r\n\r\n", 400});
    cases.push_back({"te_two_fields", with_field("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked") + "0\r\n\r\n", 400});
    cases.push_back({"te_and_length", with_field("Transfer-Encoding: chunked\r\nContent-Length: 5") + "0\r\n\r\n", 400});
    cases.push_back({"length_and_te", with_field("Content-Length: 5\r\nTransfer-Encoding: chunked") + "0\r\n\r\n", 400});
    cases.push_back({"te_in_http_1_0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400});
    cases.push_back({"te_blank_before_colon", with_field("Transfer-Encoding : chunked"), 400});
    for (const std::string value : {"", "+5", "-1", "5, 5", "0x5", "5 5", "1e1", "99999999999999999999", "9223372036854775808"})
        cases.push_back({"length_malformed", with_field("Content-Length: " + value) + "hello", 400});
    cases.push_back({"length_twice", with_field("Content-Length: 5\r\nContent-Length: 5") + "hello", 400});
    cases.push_back({"length_twice_different", with_field("Content-Length: 5\r\nContent-Length: 6") + "hello", 400});
    return cases;
}

std::vector<BadRequest> head_cases()
{
    const auto get = [](const std::string& target) { return "GET " + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n"; };
    const auto host = [](const std::string& field) { return "GET / HTTP/1.1\r\n" + field + "\r\n"; };
    std::string many_fields;
    for (int i = 0; i < 101; ++i)
        many_fields += "X-" + std::to_string(i) + ": 1\r\n";
    using namespace std::string_literals;
    return {
        {"host_missing", host(""), 400},
        {"host_twice", host("Host: localhost\r\nHost: localhost\r\n"), 400},
        {"host_empty", host("Host:\r\n"), 400},
        {"host_with_path", host("Host: localhost/a\r\n"), 400},
        {"host_with_user", host("Host: a@localhost\r\n"), 400},
        {"host_port_not_digits", host("Host: localhost:8o\r\n"), 400},
        {"host_port_too_large", host("Host: localhost:65536\r\n"), 400},
        {"host_port_empty", host("Host: localhost:\r\n"), 400},
        {"host_list", host("Host: localhost, other\r\n"), 400},
        {"host_bracket_open", host("Host: [::1\r\n"), 400},
        {"host_of_another_site", host("Host: evil.example\r\n"), 400},
        {"folded_line", host("Host: localhost\r\nX-A: 1\r\n 2\r\n"), 400},
        {"folded_first_line", host(" Host: localhost\r\n"), 400},
        {"folded_by_tab", host("Host: localhost\r\nX-A: 1\r\n\t2\r\n"), 400},
        {"bare_cr_in_value", host("Host: localhost\r\nX-A: 1\r2\r\n"), 400},
        {"bare_lf_line_end", "GET / HTTP/1.1\nHost: localhost\n\n", 400},
        {"bare_lf_in_fields", "GET / HTTP/1.1\r\nHost: localhost\nX: 1\r\n\r\n", 400},
        {"control_in_value", host("Host: localhost\r\nX-A: \x01\r\n"), 400},
        {"nul_in_value", host("Host: localhost\r\nX-A: a\0b\r\n"s), 400},
        {"delete_in_value", host("Host: localhost\r\nX-A: \x7f\r\n"), 400},
        {"name_empty", host("Host: localhost\r\n: 1\r\n"), 400},
        {"name_with_blank", host("Host: localhost\r\nX A: 1\r\n"), 400},
        {"name_blank_before_colon", host("Host : localhost\r\n"), 400},
        {"name_with_control", host("Host: localhost\r\nX\x02: 1\r\n"), 400},
        {"name_without_colon", host("Host: localhost\r\nX-A\r\n"), 400},
        {"too_many_fields", host("Host: localhost\r\n" + many_fields), 431},
        {"head_too_large", host("Host: localhost\r\nX-A: " + std::string(33 * 1024, 'a') + "\r\n"), 431},
        {"head_too_large_unfinished", "GET / HTTP/1.1\r\nHost: localhost\r\nX-A: " + std::string(34 * 1024, 'a'), 431},
        {"target_too_long", get("/" + std::string(8192, 'a')), 414},
        {"target_too_long_unfinished", "GET /" + std::string(9000, 'a'), 414},
        {"method_unknown", "BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n", 501},
        {"method_lower_case", "get / HTTP/1.1\r\nHost: localhost\r\n\r\n", 501},
        {"method_trace", "TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n", 501},
        {"method_connect", "CONNECT / HTTP/1.1\r\nHost: localhost\r\n\r\n", 501},
        {"method_not_a_token", "G(T / HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
        {"method_missing", " / HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
        {"target_absolute_of_another_site", get("http://evil.example/"), 400},
        {"target_absolute_without_host", get("http:///"), 400},
        {"target_absolute_with_user", get("http://a@localhost/"), 400},
        {"target_absolute_bad_port", get("http://localhost:65536/"), 400},
        {"target_absolute_other_scheme", get("ftp://localhost/"), 400},
        {"target_absolute_query_without_path", get("http://localhost?a=1"), 400},
        {"target_absolute_without_host_field", "GET http://localhost/ HTTP/1.1\r\n\r\n", 400},
        {"target_absolute_bad_host_field", "GET http://localhost/ HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
        {"target_absolute_backslash", get("http:\\\\localhost\\"), 400},
        {"target_star_for_get", get("*"), 400},
        {"target_without_slash", get("a"), 400},
        {"target_empty", "GET  HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
        {"target_with_blank", get("/a b"), 400},
        {"target_with_tab", get("/a\tb"), 400},
        {"target_with_fragment", get("/a#b"), 400},
        {"target_not_ascii", get("/\xc3\xa9"), 400},
        {"target_with_nul", get("/a\0b"s), 400},
        {"version_2", "GET / HTTP/2.0\r\nHost: localhost\r\n\r\n", 400},
        {"version_1_2", "GET / HTTP/1.2\r\nHost: localhost\r\n\r\n", 400},
        {"version_0_9", "GET /\r\n\r\n", 400},
        {"version_lower_case", "GET / http/1.1\r\nHost: localhost\r\n\r\n", 400},
        {"line_with_two_blanks", "GET  / HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
        {"line_empty_twice", "\r\n\r\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
        {"line_empty_by_lf", "\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
        {"line_empty_by_cr", "\rGET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
        {"line_empty_then_lf", "\r\n\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
        {"line_of_a_blank", " \r\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
        {"expectation_unknown", host("Host: localhost\r\nExpect: 200-ok\r\n"), 417},
        {"connection_option_malformed", host("Host: localhost\r\nConnection: clo se\r\n"), 400},
        {"tls_hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n"s, 400},
    };
}

std::vector<BadRequest> all_cases()
{
    auto cases = smuggling_cases();
    for (auto& one : head_cases())
        cases.push_back(std::move(one));
    return cases;
}

TEST(HeadRules, RefusesEveryMalformedHeadAndNothingBehindItIsAnswered)
{
    RunningServer server;
    for (const auto& bad : all_cases()) {
        SCOPED_TRACE(bad.name);
        RawClient client(server.port());
        client.send(bad.bytes + smuggled);
        client.shutdown_send();
        const auto answers = client.receive_all();
        EXPECT_FALSE(client.timed_out());
        EXPECT_EQ(status_in(answers), bad.status) << answers;
        EXPECT_TRUE(has(answers, "Connection: close\r\n"));
        EXPECT_EQ(answers.find("HTTP/1.1 200"), answers.npos) << answers;
    }
    EXPECT_EQ(server.application.handled, 0);
    EXPECT_EQ(server.application.refused, static_cast<int>(all_cases().size()));
}

struct GoodRequest {
    const char* name;
    std::string bytes;
};

TEST(HeadRules, TakesEveryWellFormedHead)
{
    const std::vector<GoodRequest> cases = {
        {"plain", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"},
        {"host_with_port", "GET / HTTP/1.1\r\nHost: localhost:8000\r\n\r\n"},
        {"host_v6", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"},
        {"host_v4", "GET / HTTP/1.1\r\nhost:127.0.0.1\r\n\r\n"},
        {"host_configured", "GET / HTTP/1.1\r\nHost: Chat.Example:8080\r\n\r\n"},
        {"http_1_0_without_host", "GET / HTTP/1.0\r\n\r\n"},
        {"options_star", "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n"},
        {"target_absolute", "GET http://localhost:8000/a?b HTTP/1.1\r\nHost: localhost\r\n\r\n"},
        {"target_absolute_upper_case", "GET HTTP://LOCALHOST/ HTTP/1.1\r\nHost: localhost\r\n\r\n"},
        {"target_absolute_wins_over_host", "GET http://chat.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n"},
        {"target_absolute_v6", "GET https://[::1]:80/ HTTP/1.1\r\nHost: localhost\r\n\r\n"},
        {"target_absolute_http_1_0", "GET http://localhost/ HTTP/1.0\r\n\r\n"},
        {"chunked_upper_case", "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n"},
        {"length_zero", "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"},
        {"value_empty", "GET / HTTP/1.1\r\nHost: localhost\r\nX-A:\r\n\r\n"},
        {"value_latin_1", "GET / HTTP/1.1\r\nHost: localhost\r\nX-A: \xe9\r\n\r\n"},
        {"longest_target", "GET /" + std::string(8191, 'a') + " HTTP/1.1\r\nHost: localhost\r\n\r\n"},
        {"large_head", "GET / HTTP/1.1\r\nHost: localhost\r\nX-A: " + std::string(31 * 1024, 'a') + "\r\n\r\n"},
    };
    RunningServer server([](ServerOptions& options) { options.allowed_hosts = {"chat.example"}; });
    for (const auto& good : cases) {
        SCOPED_TRACE(good.name);
        RawClient client(server.port());
        client.send(good.bytes);
        EXPECT_EQ(status_in(client.receive_answer()), 200);
    }
}

TEST(HeadRules, ReadsAHeadThatArrivesByteByByte)
{
    RunningServer server;
    RawClient client(server.port());
    const std::string request = "POST /a?b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi";
    for (const char c : request)
        client.send(std::string_view(&c, 1));
    EXPECT_EQ(body_in(client.receive_answer()), "POST /a?b\nhi");
}

// RFC 9112 §2.2.
TEST(HeadRules, OneEmptyLineBeforeARequestIsPassedOver)
{
    RunningServer server([](ServerOptions& options) { options.limits.header_timeout = 200ms; });
    const std::string get = "GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n";
    const std::string post = "POST /b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi";
    RawClient together(server.port());
    together.send("\r\n" + post + "\r\n" + get);
    EXPECT_EQ(body_in(together.receive_answer()), "POST /b\nhi");
    EXPECT_EQ(body_in(together.receive_answer()), "GET /a\n");
    RawClient byte_by_byte(server.port());
    for (const char c : "\r\n" + get)
        byte_by_byte.send(std::string_view(&c, 1));
    EXPECT_EQ(body_in(byte_by_byte.receive_answer()), "GET /a\n");
    // It begins no head: who sends nothing behind it is idle, not late.
    RawClient idle(server.port());
    idle.send(post + "\r\n");
    EXPECT_EQ(body_in(idle.receive_answer()), "POST /b\nhi");
    std::this_thread::sleep_for(500ms);
    idle.send(get);
    EXPECT_EQ(body_in(idle.receive_answer()), "GET /a\n");
}

// RFC 9112 §3.2.2: a server takes what would be sent to a proxy.
TEST(HeadRules, AnAbsoluteTargetIsThePathBehindItsHost)
{
    const std::vector<std::pair<std::string, std::string>> cases = {{"GET http://localhost/a/b?c=d", "GET /a/b?c=d"},
                                                                    {"GET https://localhost:8000/a", "GET /a"},
                                                                    {"GET http://localhost", "GET /"},
                                                                    {"GET http://localhost/http://other/", "GET /http://other/"},
                                                                    {"OPTIONS http://localhost", "OPTIONS *"}};
    RunningServer server;
    for (const auto& [line, seen] : cases) {
        RawClient client(server.port());
        client.send(line + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
        EXPECT_EQ(body_in(client.receive_answer()), seen + "\n") << line;
    }
}

TEST(HeadRules, TellsTheFormOfAnErrorByThePathEvenOfABrokenHead)
{
    RunningServer server;
    RawClient client(server.port());
    client.send("POST /v1/chat/completions?x HTTP/1.1\r\nHost: localhost\nX: 1\r\n\r\n");
    EXPECT_TRUE(has(client.receive_answer(), "error at [/v1/chat/completions]"));
}

TEST(HeadRules, TellsWhoseAnErrorIsByTheOriginAlsoOfABrokenHead)
{
    const std::string line = "GET / HTTP/1.1\r\n", host = "Host: localhost\r\n", origin = "Origin: https://a.example\r\n";
    const std::vector<std::pair<std::string, std::string>> cases = {
        {line + host + "origin:https://a.example \r\nX A: 1\r\n\r\n", "for [https://a.example]"},
        {line + host + origin + "X: 1\n\r\n", "for [https://a.example]"},
        {line + host + origin + "X-A: " + std::string(33 * 1024, 'a') + "\r\n\r\n", "for [https://a.example]"},
        {line + "Host: evil.example\r\n" + origin + "\r\n", "for [https://a.example]"},
        {line + host + origin, "for [https://a.example]"},   // unfinished: 408
        {line + host + "Origin: https://a.exa", "for []"},
        {line + host + origin + origin + "X A: 1\r\n\r\n", "for []"},
        {line + host + "X-Origin: https://a.example\r\nX A: 1\r\n\r\n", "for []"},
        {line + "\r\n" + origin + "\r\n", "for []"},   // behind the head: not of it
    };
    RunningServer server([](ServerOptions& options) { options.limits.header_timeout = 200ms; });
    for (const auto& [bytes, told] : cases) {
        RawClient client(server.port());
        client.send(bytes);
        EXPECT_TRUE(has(client.receive_answer(), told)) << bytes;
    }
}

TEST(HeadRules, KeepsOnlyWellFormedRequestIds)
{
    RunningServer server;
    const std::vector<std::pair<std::string, bool>> cases = {
        {"abc-1.2_3:4", true}, {std::string(64, 'a'), true}, {std::string(65, 'a'), false}, {"a b", false}, {"<x>", false}, {"", false}};
    for (const auto& [id, kept] : cases) {
        RawClient client(server.port());
        client.send("GET / HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: " + id + "\r\n\r\n");
        const auto answer = client.receive_answer();
        EXPECT_EQ(has(answer, "X-Request-ID: " + id + "\r\n"), kept) << id;
        EXPECT_TRUE(has(answer, "X-Request-ID: ")) << answer;
    }
}

TEST(HeadRules, BelievesOnlyTrustedProxiesAboutTheClient)
{
    const std::string field = "X-Forwarded-For: 6.6.6.6, 203.0.113.9:4711, 10.1.2.3\r\n";
    const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
        {{}, "127.0.0.1"},
        {{"127.0.0.1"}, "10.1.2.3"},
        {{"127.0.0.0/8", "10.0.0.0/8"}, "203.0.113.9"},
        {{"127.0.0.0/8", "10.0.0.0/8", "203.0.113.9", "6.6.6.6"}, "6.6.6.6"},
    };
    for (const auto& [proxies, expected] : cases) {
        RunningServer server([&](ServerOptions& options) {
            options.trusted_proxies = proxies;
            options.proxy_header = "X-Forwarded-For";
        });
        server.application.handler = [](Exchange& exchange) -> Task<void> {
            Response response;
            response.body = exchange.head().client_address;
            co_await exchange.respond(std::move(response));
        };
        RawClient client(server.port());
        client.send("GET / HTTP/1.1\r\nHost: localhost\r\n" + field + "\r\n");
        EXPECT_EQ(body_in(client.receive_answer()), expected);
    }
}

}  // namespace
}  // namespace dure::http::server_test::head_rules
