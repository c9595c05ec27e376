// See server_tls.hpp.
#include "http/server/server_tls.hpp"

#include "dure/http/server.hpp"

namespace dure::http {

namespace server_tls {

namespace ssl = boost::asio::ssl;

Result<std::shared_ptr<ssl::context>> context_of(const std::string& certificate_file, const std::string& key_file)
{
    auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
    context->set_options(ssl::context::default_workarounds | ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1);
    boost::system::error_code error;
    context->use_certificate_chain_file(certificate_file, error);
    if (error)
        return Error(Errc::invalid_argument, "The TLS certificate file cannot be used.")
            .detail(certificate_file + ": " + error.message());
    context->use_private_key_file(key_file, ssl::context::pem, error);
    if (error)
        return Error(Errc::invalid_argument, "The TLS key file cannot be used.")
            .detail(key_file + ": " + error.message());
    return context;
}

}  // namespace server_tls

Result<void> ServerTls::load(const std::string& certificate_file, const std::string& key_file)
{
    auto made = server_tls::context_of(certificate_file, key_file);
    if (!made)
        return made.error();
    const std::lock_guard lock(guard_);
    context_ = std::move(*made);
    return {};
}

std::shared_ptr<boost::asio::ssl::context> ServerTls::current() const
{
    const std::lock_guard lock(guard_);
    return context_;
}

Result<void> check_tls_files(const std::string& certificate_file, const std::string& key_file)
{
    const auto made = server_tls::context_of(certificate_file, key_file);
    return made ? Result<void>() : Result<void>(made.error());
}

}  // namespace dure::http
