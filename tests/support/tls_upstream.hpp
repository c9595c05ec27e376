// TLS for ScriptedUpstream: a certificate authority made for the test, a server identity signed by it, and the wire that
// speaks TLS. Counts how many handshakes resumed a session.
#pragma once

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>

#include "support/scripted_upstream.hpp"

namespace dure::test {

struct TlsFree {
    void operator()(X509* p) const { X509_free(p); }
    void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
    void operator()(SSL_CTX* p) const { SSL_CTX_free(p); }
    void operator()(SSL* p) const { SSL_free(p); }
};
using Certificate = std::unique_ptr<X509, TlsFree>;
using PrivateKey = std::unique_ptr<EVP_PKEY, TlsFree>;

inline void tls_must(bool worked)
{
    if (!worked)
        throw std::runtime_error("OpenSSL refused to make the test's identity");
}

inline PrivateKey make_key()
{
    PrivateKey key(EVP_EC_gen("P-256"));
    tls_must(key != nullptr);
    return key;
}

// Signed by `issuer` with its key, or by itself when there is none. `names` is e.g. "DNS:localhost,IP:127.0.0.1".
inline Certificate make_certificate(EVP_PKEY* key, const char* common_name, const char* names, X509* issuer, EVP_PKEY* signer)
{
    Certificate certificate(X509_new());
    X509* const raw = certificate.get();
    X509_set_version(raw, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(raw), issuer == nullptr ? 1 : 2);
    X509_gmtime_adj(X509_getm_notBefore(raw), -3600);
    X509_gmtime_adj(X509_getm_notAfter(raw), 3600);
    X509_set_pubkey(raw, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(raw), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(common_name), -1, -1, 0);
    X509_set_issuer_name(raw, X509_get_subject_name(issuer == nullptr ? raw : issuer));
    const auto extend = [&](int kind, const char* value) {
        X509V3_CTX context;
        X509V3_set_ctx(&context, issuer == nullptr ? raw : issuer, raw, nullptr, nullptr, 0);
        X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value);
        tls_must(extension != nullptr && X509_add_ext(raw, extension, -1) == 1);
        X509_EXTENSION_free(extension);
    };
    extend(NID_basic_constraints, issuer == nullptr ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (names != nullptr)
        extend(NID_subject_alt_name, names);
    tls_must(X509_sign(raw, signer, EVP_sha256()) > 0);
    return certificate;
}

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
        BIO* const out = BIO_new_file(file_.c_str(), "w");
        tls_must(out != nullptr && PEM_write_bio_X509(out, authority.get()) == 1);
        BIO_free(out);
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
