// The TLS set-up; see tls.hpp.
#include "http/client/tls.hpp"

#include <openssl/ssl.h>

#include "dure/base/tls.hpp"

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

}  // namespace tls_parts

std::shared_ptr<boost::asio::ssl::context> make_tls_context(const std::string& extra_ca_file)
{
    auto context = make_client_tls(extra_ca_file);
    SSL_CTX* const native = context->native_handle();
    SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(native, tls_parts::keep_session);
    return context;
}

bool prepare_tls(SSL* ssl, const std::string& host, TlsSession& session)
{
    static constexpr unsigned char http_1_1[] = "\x08http/1.1";
    if (!expect_peer(ssl, host) || SSL_set_alpn_protos(ssl, http_1_1, sizeof http_1_1 - 1) != 0 ||
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
