// TLS as a client; see tls.hpp.
#include "dure/base/tls.hpp"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace dure {
namespace tls_roots {

// Files named by the hash of their subject ("5ad8a5d6.0"), as c_rehash and Debian's ca-certificates leave them.
bool holds_hashed_files(const char* folder)
{
    std::error_code error;   // no such folder: none
    for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
        const auto name = at->path().filename().string();
        if (name.size() == 10 && name.ends_with(".0") &&
            std::all_of(name.begin(), name.begin() + 8, [](unsigned char c) { return std::isxdigit(c) != 0; }))
            return true;
    }
    return false;
}

// Roots are read one by one when a chain asks for them, where the system has such a folder: the file of all of them takes
// every start 20 ms and megabytes. What the environment names is read as OpenSSL does by itself.
void use_system(boost::asio::ssl::context& context)
{
    const bool as_told = std::getenv(X509_get_default_cert_file_env()) != nullptr ||
                         std::getenv(X509_get_default_cert_dir_env()) != nullptr;
    if (!as_told && holds_hashed_files(X509_get_default_cert_dir()))
        context.add_verify_path(X509_get_default_cert_dir());
    else
        context.set_default_verify_paths();
}

}  // namespace tls_roots

std::shared_ptr<boost::asio::ssl::context> make_client_tls(const std::string& extra_ca_file)
{
    auto context = std::make_shared<boost::asio::ssl::context>(boost::asio::ssl::context::tls_client);
    tls_roots::use_system(*context);
    if (!extra_ca_file.empty())
        context->load_verify_file(extra_ca_file);
    SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
    SSL_CTX_set_verify(context->native_handle(), SSL_VERIFY_PEER, nullptr);
    return context;
}

bool expect_peer(SSL* ssl, const std::string& host)
{
    boost::system::error_code not_an_address;
    boost::asio::ip::make_address(host, not_an_address);
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (not_an_address)
        return SSL_set_tlsext_host_name(ssl, host.c_str()) == 1 && SSL_set1_host(ssl, host.c_str()) == 1;
    return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str()) == 1;
}

}  // namespace dure
