// See people.hpp.
#include "app/people.hpp"

#include "app/secret_key.hpp"

namespace dure::app {

namespace {

// Beside the embedded database; otherwise in the folder the server runs in.
std::string outbox_path(const config::Settings& settings)
{
    const bool in_file = settings.sqlite() && !settings.in_memory();
    return in_file ? settings.sqlite_path() + ".outbox" : "dure.outbox";
}

}  // namespace

Result<std::unique_ptr<mail::MailSender>> mail_sender(const config::Settings& settings)
{
    if (settings.mail.sender != "smtp")
        return mail::outbox_sender(outbox_path(settings));
    auto options = mail::parse_smtp_url(settings.mail.smtp_url, settings.mail.from);
    if (!options)
        return options.error();
    return mail::smtp_sender(std::move(*options));
}

auth::TokenKeys token_keys(const SecretString& secret)
{
    return {derive_key(secret, "access token"), derive_key(secret, "reset token"), derive_key(secret, "verify token")};
}

}  // namespace dure::app
