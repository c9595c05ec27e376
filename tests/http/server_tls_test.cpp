// The server behind TLS: requests, large bodies both ways, streams, and what is not TLS at all.
#include <unistd.h>

#include "http/server_fixture.hpp"
#include "support/tls_upstream.hpp"

namespace dure::http::server_test::tls {
namespace {

// A certificate for localhost in a folder that goes with it.
struct Identity {
    std::filesystem::path folder;

    explicit Identity(const char* common_name = "localhost")
    {
        std::string name = (std::filesystem::temp_directory_path() / "dure-tls-XXXXXX").string();
        if (!::mkdtemp(name.data()))
            throw std::runtime_error("mkdtemp failed");
        folder = name;
        renew(common_name);
    }
    void renew(const char* common_name) const
    {
        const auto key = dure::test::make_key();
        const auto certificate =
            dure::test::make_certificate(key.get(), common_name, "DNS:localhost", nullptr, key.get());
        const auto write = [&](const std::string& file, auto put) {
            std::unique_ptr<std::FILE, int (*)(std::FILE*)> out(std::fopen(file.c_str(), "w"), std::fclose);
            dure::test::tls_must(out && put(out.get()) == 1);
        };
        write(certificate_file(), [&](std::FILE* out) { return PEM_write_X509(out, certificate.get()); });
        write(key_file(), [&](std::FILE* out) {
            return PEM_write_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
        });
    }
    ~Identity() { std::filesystem::remove_all(folder); }
    std::string certificate_file() const { return (folder / "cert.pem").string(); }
    std::string key_file() const { return (folder / "key.pem").string(); }
};

class TlsClient {
public:
    explicit TlsClient(std::uint16_t port)
        : context_(SSL_CTX_new(TLS_client_method())),
          bio_(BIO_new_connect(("127.0.0.1:" + std::to_string(port)).c_str()), BIO_free_all), ssl_(SSL_new(context_.get()))
    {
        dure::test::tls_must(BIO_do_connect(bio_.get()) == 1);
        int socket = -1;
        BIO_get_fd(bio_.get(), &socket);
        const timeval limit{5, 0};
        ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        SSL_set_fd(ssl_.get(), socket);
        dure::test::tls_must(SSL_connect(ssl_.get()) == 1);
    }

    void send(const std::string& bytes) { SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())); }

    // What the server's certificate is made out to.
    std::string name() const
    {
        const dure::test::Certificate shown(SSL_get1_peer_certificate(ssl_.get()));
        char text[64] = {};
        X509_NAME_get_text_by_NID(X509_get_subject_name(shown.get()), NID_commonName, text, sizeof text);
        return text;
    }

    // Until the text ends with `end`, the server closes or nothing came for long.
    std::string receive_until(const std::string& end)
    {
        std::string all;
        std::string piece(65536, '\0');
        while (!all.ends_with(end)) {
            const int got = SSL_read(ssl_.get(), piece.data(), static_cast<int>(piece.size()));
            if (got <= 0)
                break;
            all.append(piece, 0, static_cast<std::size_t>(got));
        }
        return all;
    }
    // True when the server has said goodbye in TLS, so that nobody could have cut the answer.
    bool closed_properly()
    {
        char byte = 0;
        const int got = SSL_read(ssl_.get(), &byte, 1);
        return got <= 0 && SSL_get_error(ssl_.get(), got) == SSL_ERROR_ZERO_RETURN;
    }

private:
    std::unique_ptr<SSL_CTX, dure::test::TlsFree> context_;
    std::unique_ptr<BIO, void (*)(BIO*)> bio_;
    std::unique_ptr<SSL, dure::test::TlsFree> ssl_;
};

std::function<void(ServerOptions&)> with(const Identity& identity)
{
    return [&identity](ServerOptions& options) {
        options.tls_certificate_file = identity.certificate_file();
        options.tls_key_file = identity.key_file();
        options.limits.header_timeout = 300ms;
    };
}

TEST(ServerTls, ServesRequestsAndLargeBodies)
{
    const Identity identity;
    RunningServer server(with(identity));
    TlsClient client(server.port());
    client.send("GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_TRUE(client.receive_until("GET /a\n").starts_with("HTTP/1.1 200"));
    std::string body(500000, 'x');
    body += "end";
    client.send("POST /b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500003\r\n\r\n" + body);
    EXPECT_EQ(body_in(client.receive_until("end")), "POST /b\n" + body);
    client.send("GET /c HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    EXPECT_TRUE(has(client.receive_until("GET /c\n"), "Connection: close"));
    EXPECT_TRUE(client.closed_properly());
}

TEST(ServerTls, StreamsAndNoticesALeavingClient)
{
    const Identity identity;
    RunningServer server(with(identity));
    server.application.handler = [](Exchange& exchange) -> Task<void> {
        exchange.on_client_gone(OnClientGone::cancel);
        co_await exchange.start_stream(Response());
        co_await exchange.write("first");
        boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, 10s);
        co_await timer.async_wait(boost::asio::use_awaitable);
    };
    {
        TlsClient client(server.port());
        client.send("GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n");
        EXPECT_TRUE(client.receive_until("first\r\n").ends_with("5\r\nfirst\r\n"));
    }
    EXPECT_TRUE(eventually([&] { return server.application.cancelled == 1; }, 1s));
}

TEST(ServerTls, ARenewedCertificateIsShownToWhoComesThenAndABrokenOneToNobody)
{
    const Identity identity("first");
    RunningServer server(with(identity));
    TlsClient old(server.port());
    EXPECT_EQ(old.name(), "first");
    identity.renew("second");
    EXPECT_EQ(TlsClient(server.port()).name(), "first");
    ASSERT_TRUE(server.server().reload_certificate());
    EXPECT_EQ(TlsClient(server.port()).name(), "second");
    old.send("GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_TRUE(old.receive_until("GET /a\n").starts_with("HTTP/1.1 200"));
    std::filesystem::resize_file(identity.key_file(), 10);
    const auto refused = server.server().reload_certificate();
    ASSERT_FALSE(refused);
    EXPECT_TRUE(has(refused.error().detail(), "key.pem"));
    EXPECT_EQ(TlsClient(server.port()).name(), "second");
}

TEST(ServerTls, DropsWhoDoesNotSpeakTls)
{
    const Identity identity;
    RunningServer server(with(identity));
    RawClient plain(server.port());
    plain.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_FALSE(has(plain.receive_all(), "HTTP/1.1"));
    EXPECT_FALSE(plain.timed_out());
    RawClient silent(server.port());
    EXPECT_TRUE(silent.closed_by_server());
    EXPECT_EQ(server.application.handled, 0);
}

}  // namespace
}  // namespace dure::http::server_test::tls
