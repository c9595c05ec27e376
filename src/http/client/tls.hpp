// TLS towards upstreams: one context per client (system roots, TLS 1.2 and up, host names checked) and the sessions that
// an origin's connections resume.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <string>

namespace dure::http::outgoing {

// The newest session of one origin on one core. Connections hold it too: the callback of OpenSSL writes into it.
class TlsSession {
public:
    SSL_SESSION* get() const { return session_.get(); }
    void keep(SSL_SESSION* session) { session_.reset(session); }   // takes it over

private:
    struct Free {
        void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
    };
    std::unique_ptr<SSL_SESSION, Free> session_;
};

// Throws boost::system::system_error when the extra file of roots cannot be read.
std::shared_ptr<boost::asio::ssl::context> make_tls_context(const std::string& extra_ca_file);

// Before the handshake: SNI, the name to check, and the session to resume. False when OpenSSL refuses the name.
bool prepare_tls(SSL* ssl, const std::string& host, TlsSession& session);
// Before a connection is dropped without TLS's goodbye: its session stays usable.
void abandon_tls(SSL* ssl);

}  // namespace dure::http::outgoing
