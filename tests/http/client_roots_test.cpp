// The roots of the system, as TLS towards upstreams sees them.
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "http/client/tls.hpp"

namespace dure::http {
namespace {

using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

Certificate read_certificate(const std::string& path)
{
    std::FILE* const file = std::fopen(path.c_str(), "r");
    X509* const certificate = file ? PEM_read_X509(file, nullptr, nullptr, nullptr) : nullptr;
    if (file)
        std::fclose(file);
    return {certificate, &X509_free};
}

int verified(boost::asio::ssl::context& context, X509* certificate)
{
    const std::unique_ptr<X509_STORE_CTX, decltype(&X509_STORE_CTX_free)> check(X509_STORE_CTX_new(), &X509_STORE_CTX_free);
    X509_STORE_CTX_init(check.get(), SSL_CTX_get_cert_store(context.native_handle()), certificate, nullptr);
    X509_VERIFY_PARAM_set_flags(X509_STORE_CTX_get0_param(check.get()), X509_V_FLAG_NO_CHECK_TIME);
    return X509_verify_cert(check.get()) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(check.get());
}

// One of the roots of this machine that stand under the hash of their name; empty: there are none.
std::string hashed_root()
{
    std::error_code error;
    for (std::filesystem::directory_iterator at(X509_get_default_cert_dir(), error), end; !error && at != end; at.increment(error))
        if (at->path().extension() == ".0" && read_certificate(at->path().string()))
            return at->path().string();
    return {};
}

TEST(SystemRoots, AreTrusted)
{
    const auto path = hashed_root();
    ASSERT_FALSE(path.empty()) << "scripts/setup installs them: ca-certificates";
    const auto root = read_certificate(path);
    const auto context = outgoing::make_tls_context("");
    EXPECT_EQ(verified(*context, root.get()), X509_V_OK);
}

TEST(SystemRoots, AreThoseOfTheFileThatTheEnvironmentNames)
{
    const auto path = hashed_root();
    ASSERT_FALSE(path.empty()) << "scripts/setup installs them: ca-certificates";
    ::setenv(X509_get_default_cert_file_env(), path.c_str(), 1);
    const auto context = outgoing::make_tls_context("");
    ::unsetenv(X509_get_default_cert_file_env());
    EXPECT_EQ(sk_X509_OBJECT_num(X509_STORE_get0_objects(SSL_CTX_get_cert_store(context->native_handle()))), 1);
}

}  // namespace
}  // namespace dure::http
