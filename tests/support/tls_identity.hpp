// Keys and certificates of a test's own: made on the spot, valid for an hour, written as PEM files where a server wants files.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <memory>
#include <stdexcept>
#include <string>

#include "support/temporary_folder.hpp"

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
inline Certificate make_certificate(EVP_PKEY* key, const char* common_name, const char* names, X509* issuer,
                                    EVP_PKEY* signer)
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

// Both in one file when there are both.
inline void write_pem(const std::string& path, X509* certificate, EVP_PKEY* key = nullptr)
{
    const std::unique_ptr<BIO, int (*)(BIO*)> file(BIO_new_file(path.c_str(), "w"), &BIO_free);
    tls_must(file != nullptr);
    tls_must(certificate == nullptr || PEM_write_bio_X509(file.get(), certificate) == 1);
    tls_must(key == nullptr || PEM_write_bio_PrivateKey(file.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
}

// Files of an authority, of a server that it vouches for, and of another authority that has nothing to do with either.
class TlsFiles {
public:
    explicit TlsFiles(const char* names = "DNS:localhost,IP:127.0.0.1")
    {
        const auto authority_key = make_key();
        const auto own = make_certificate(authority_key.get(), "Test Authority", nullptr, nullptr, authority_key.get());
        const auto key = make_key();
        write_pem(authority(), own.get());
        write_pem(certificate(), make_certificate(key.get(), "server", names, own.get(), authority_key.get()).get());
        write_pem(private_key(), nullptr, key.get());
        const auto other_key = make_key();
        write_pem(other_authority(),
                  make_certificate(other_key.get(), "other", nullptr, nullptr, other_key.get()).get());
    }

    std::string authority() const { return folder_.file("authority.pem"); }
    std::string other_authority() const { return folder_.file("other.pem"); }
    std::string certificate() const { return folder_.file("server.pem"); }
    std::string private_key() const { return folder_.file("server.key"); }

private:
    TemporaryFolder folder_;
};

}  // namespace dure::test
