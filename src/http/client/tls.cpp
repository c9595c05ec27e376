// The TLS set-up; see tls.hpp.
#include "http/client/tls.hpp"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <system_error>

namespace dure::http::outgoing {
namespace tls_parts {

// Not SSL_set_app_data: Asio keeps something of its own there and deletes it.
int session_slot()
{
    static const int slot = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return slot;
}

int keep_session(SSL* ssl, SSL_SESSION* session)
{
    auto* const place = static_cast<TlsSession*>(SSL_get_ex_data(ssl, session_slot()));
    if (place == nullptr)
        return 0;
    place->keep(session);
    return 1;   // ours now
}

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
void use_system_roots(boost::asio::ssl::context& context)
{
    const bool as_told = std::getenv(X509_get_default_cert_file_env()) != nullptr ||
                         std::getenv(X509_get_default_cert_dir_env()) != nullptr;
    if (!as_told && holds_hashed_files(X509_get_default_cert_dir()))
        context.add_verify_path(X509_get_default_cert_dir());
    else
        context.set_default_verify_paths();
}

}  // namespace tls_parts

std::shared_ptr<boost::asio::ssl::context> make_tls_context(const std::string& extra_ca_file)
{
    auto context = std::make_shared<boost::asio::ssl::context>(boost::asio::ssl::context::tls_client);
    tls_parts::use_system_roots(*context);
    if (!extra_ca_file.empty())
        context->load_verify_file(extra_ca_file);
    SSL_CTX* const native = context->native_handle();
    SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
    SSL_CTX_set_verify(native, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(native, tls_parts::keep_session);
    return context;
}

bool prepare_tls(SSL* ssl, const std::string& host, TlsSession& session)
{
    boost::system::error_code not_an_address;
    boost::asio::ip::make_address(host, not_an_address);
    const bool named = static_cast<bool>(not_an_address);
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    const bool checked = named ? SSL_set_tlsext_host_name(ssl, host.c_str()) == 1 && SSL_set1_host(ssl, host.c_str()) == 1
                               : X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str()) == 1;
    static constexpr unsigned char http_1_1[] = "\x08http/1.1";
    if (!checked || SSL_set_alpn_protos(ssl, http_1_1, sizeof http_1_1 - 1) != 0 ||
        SSL_set_ex_data(ssl, tls_parts::session_slot(), &session) != 1)
        return false;
    if (session.get() != nullptr)
        SSL_set_session(ssl, session.get());
    return true;
}

// OpenSSL takes a connection that is freed without a shutdown for broken, and makes its session unusable.
void abandon_tls(SSL* ssl)
{
    SSL_set_ex_data(ssl, tls_parts::session_slot(), nullptr);
    SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}

}  // namespace dure::http::outgoing
