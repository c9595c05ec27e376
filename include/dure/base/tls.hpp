// TLS as a client: the context, and what a handshake has to find. For the clients of HTTP, Redis and SMTP.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <string>

namespace dure {

// TLS 1.2 and newer, certificates checked against the system's authorities (those of SSL_CERT_FILE and SSL_CERT_DIR when the
// environment names some) and those in `extra_ca_file` (PEM; empty: none).
// Throws boost::system::system_error when that file cannot be read. May be shared between threads.
std::shared_ptr<boost::asio::ssl::context> make_client_tls(const std::string& extra_ca_file);

// Before the handshake: the certificate has to be for `host`, a name (told to the server, too) or an IP address.
// False when OpenSSL refuses it.
bool expect_peer(SSL* ssl, const std::string& host);

}  // namespace dure
