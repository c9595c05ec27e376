// The HTTP client over TLS: trust, host names, session resumption, truncation.
#include "http/client_fixture.hpp"
#include "support/tls_upstream.hpp"

namespace dure::http {
namespace {

using test::close_connection;
using test::pause;
using test::send;
using test::TlsUpstreamIdentity;

class TlsClientTest : public ClientTest {
protected:
    ClientOptions trusting() const
    {
        ClientOptions options;
        options.extra_ca_file = identity.authority_file();
        return options;
    }
    std::string base(const std::string& host) const { return "https://" + host + ":" + std::to_string(tls_upstream.port()); }

    TlsUpstreamIdentity identity;
    ScriptedUpstream tls_upstream{identity.wires()};
    Client trusting_client{cores, trusting()};
};

TEST_F(TlsClientTest, SpeaksToATrustedUpstreamByNameAndByAddress)
{
    const std::string big(1u << 20, 'x');
    tls_upstream.handle([&](const test::RecordedRequest& request) {
        return test::Script{send(http_answer(200, "text/plain", request.body))};
    });
    for (const std::string host : {"localhost", "127.0.0.1"}) {
        for (int i = 0; i < 2; ++i) {
            auto request = request_to(base(host), "/", Method::post);
            request.body = big;
            EXPECT_TRUE(fetch_now(trusting_client, request) == big) << host;
        }
    }
    EXPECT_EQ(tls_upstream.accepted(), 2);
}

TEST_F(TlsClientTest, RefusesAnUnknownAuthority)
{
    EXPECT_EQ(fetch_now(client, request_to(base("localhost"))), "error: connect");
    EXPECT_EQ(tls_upstream.request_count(), 0);
}

TEST_F(TlsClientTest, RefusesACertificateForAnotherHost)
{
    TlsUpstreamIdentity other("DNS:example.com,DNS:*.example.com");
    ScriptedUpstream elsewhere(other.wires());
    ClientOptions options;
    options.extra_ca_file = other.authority_file();
    Client strict(cores, options);
    for (const std::string host : {"localhost", "127.0.0.1"})
        EXPECT_EQ(fetch_now(strict, request_to("https://" + host + ":" + std::to_string(elsewhere.port()))), "error: connect");
    EXPECT_EQ(elsewhere.request_count(), 0);
}

TEST_F(TlsClientTest, GivesUpOnAServerThatNeverShakesHands)
{
    auto request = request_to("https://127.0.0.1:" + std::to_string(upstream.port()));
    request.timeouts.connect = 60ms;
    test::run_on_core(cores, [&]() -> Task<void> {
        const auto refused = co_await trusting_client.send(request);
        EXPECT_EQ(refused.error().code(), Errc::timeout);
        EXPECT_EQ(refused.error().reason(), "connect");
    });
}

TEST_F(TlsClientTest, ResumesItsSessionOnANewConnection)
{
    tls_upstream.handle([](const test::RecordedRequest&) {
        return test::Script{send(http_answer(200, "text/plain", "x", {{"Connection", "close"}})), close_connection()};
    });
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(fetch_now(trusting_client, request_to(base("localhost"))), "x");
    EXPECT_EQ(identity.handshakes(), 3);
    EXPECT_EQ(identity.resumed(), 2);
}

TEST_F(TlsClientTest, GoesOnReadingAfterAReadTimeoutAndSeesTruncation)
{
    tls_upstream.enqueue({send(chunked_head(200, "t") + chunk("one")), pause(150ms), send(chunk("two") + last_chunk())});
    tls_upstream.enqueue({send("HTTP/1.1 200 OK\r\n\r\nhalf"), close_connection()});
    test::run_on_core(cores, [&]() -> Task<void> {
        const auto request = request_to(base("localhost"));
        auto stream = co_await trusting_client.send(request);
        EXPECT_EQ(*(co_await (*stream)->read(Deadline::after(5s))), "one");
        EXPECT_EQ((co_await (*stream)->read(Deadline::after(20ms))).error().reason(), "read_timeout");
        EXPECT_EQ(*(co_await (*stream)->read(Deadline::after(5s))), "two");
        EXPECT_EQ(*(co_await (*stream)->read(Deadline::after(5s))), "");
        stream->reset();
        // Without TLS's own goodbye nobody can know that the body was whole.
        EXPECT_EQ(co_await fetch(trusting_client, request), "error: cut");
    });
}

}  // namespace
}  // namespace dure::http
