// TLS for ScriptedUpstream: a certificate authority made for the test, a server identity signed by it, and the wire that
// speaks TLS. Counts how many handshakes resumed a session.
#pragma once

#include <openssl/ssl.h>

#include <atomic>
#include <filesystem>
#include <string>

#include "support/scripted_upstream.hpp"
#include "support/tls_identity.hpp"

namespace dure::test {

// The authority's file is what ClientOptions::extra_ca_file wants; it goes with the object.
class TlsUpstreamIdentity {
public:
    explicit TlsUpstreamIdentity(const char* names = "DNS:localhost,IP:127.0.0.1")
    {
        const PrivateKey authority_key = make_key();
        const Certificate authority = make_certificate(authority_key.get(), "Test Authority", nullptr, nullptr, authority_key.get());
        const PrivateKey key = make_key();
        const Certificate certificate = make_certificate(key.get(), "server", names, authority.get(), authority_key.get());
        context_.reset(SSL_CTX_new(TLS_server_method()));
        tls_must(context_ && SSL_CTX_use_certificate(context_.get(), certificate.get()) == 1 &&
                 SSL_CTX_use_PrivateKey(context_.get(), key.get()) == 1);
        static constexpr unsigned char session_context[] = "scripted";
        SSL_CTX_set_session_id_context(context_.get(), session_context, sizeof session_context - 1);
        file_ = std::filesystem::temp_directory_path() /
                ("dure-ca-" + std::to_string(::getpid()) + "-" + std::to_string(reinterpret_cast<std::uintptr_t>(this)) + ".pem");
        write_pem(file_, authority.get());
    }
    ~TlsUpstreamIdentity()
    {
        std::error_code ignored;
        std::filesystem::remove(file_, ignored);
    }
    TlsUpstreamIdentity(const TlsUpstreamIdentity&) = delete;
    TlsUpstreamIdentity& operator=(const TlsUpstreamIdentity&) = delete;

    std::string authority_file() const { return file_; }
    SSL_CTX* context() const { return context_.get(); }
    int resumed() const { return resumed_; }
    int handshakes() const { return handshakes_; }

    // For ScriptedUpstream's constructor; the identity outlives it.
    ScriptedUpstream::MakeWire wires()
    {
        return [this](int fd) { return std::make_unique<TlsWire>(fd, *this); };
    }

private:
    class TlsWire final : public Wire {
    public:
        TlsWire(int fd, TlsUpstreamIdentity& identity) : Wire(fd), identity_(identity), ssl_(SSL_new(identity.context()))
        {
            SSL_set_fd(ssl_.get(), fd);
        }
        bool start() override
        {
            if (SSL_accept(ssl_.get()) != 1)
                return false;
            ++identity_.handshakes_;
            if (SSL_session_reused(ssl_.get()) == 1)
                ++identity_.resumed_;
            return true;
        }
        ssize_t read(char* into, std::size_t size) override { return SSL_read(ssl_.get(), into, static_cast<int>(size)); }
        ssize_t write(const char* from, std::size_t size) override
        {
            return SSL_write(ssl_.get(), from, static_cast<int>(size));
        }
        bool holds_bytes() override { return SSL_has_pending(ssl_.get()) == 1; }

    private:
        TlsUpstreamIdentity& identity_;
        std::unique_ptr<SSL, TlsFree> ssl_;
    };

    std::unique_ptr<SSL_CTX, TlsFree> context_;
    std::filesystem::path file_;
    std::atomic<int> handshakes_ = 0;
    std::atomic<int> resumed_ = 0;
};

}  // namespace dure::test
