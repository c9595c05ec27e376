// See rules.hpp. Each rule is one function from the settings to what is wrong; empty: nothing. None tells a secret.
#include "app/rules.hpp"

#include <fstream>

#include "dure/auth/passwords.hpp"
#include "dure/http/server.hpp"
#include "dure/mail/mail.hpp"
#include "dure/redis/address.hpp"
#include "dure/sql/postgres.hpp"

namespace dure::app {

namespace {

using config::Settings;

template <class T>
std::string fault_of(const Result<T>& outcome)
{
    return outcome ? std::string() : outcome.error().message();
}

std::string fault_of_postgres_url(const Settings& settings)
{
    const auto url = settings.database.url.reveal();
    const bool postgres = url.starts_with("postgresql://") || url.starts_with("postgres://");
    return postgres ? fault_of(sql::check_postgres_url(url)) : std::string();
}

std::string fault_of_redis_url(const Settings& settings)
{
    const auto url = settings.redis.url.reveal();
    const bool redis = url.starts_with("redis://") || url.starts_with("rediss://");
    return redis ? fault_of(redis::parse_address(url)) : std::string();
}

std::string fault_of_secret_key(const Settings& settings)
{
    const bool needed = !settings.sqlite() && settings.auth.secret_key.empty();
    return needed ? "SECRET_KEY must be set when the database is not the embedded one" : "";
}

// Whether it is needed only the database knows; one that would be refused then is refused at once.
std::string fault_of_admin_password(const Settings& settings)
{
    const auto& auth = settings.auth;
    return auth.admin_password.empty()
               ? ""
               : fault_of(auth::check_new_password(auth.admin_password.reveal(), auth.admin_email));
}

std::string fault_of_smtp_url(const Settings& settings)
{
    if (settings.mail.sender != "smtp" || settings.mail.smtp_url.empty())
        return {};
    return fault_of(mail::parse_smtp_url(settings.mail.smtp_url, "dure@localhost"));
}

std::string fault_of_mail_from(const Settings& settings)
{
    const bool fine = settings.mail.sender != "smtp" || mail::valid_address(settings.mail.from);
    return fine ? "" : "mail.from must be an e-mail address";
}

// Beside files that cannot be read, which other rules tell.
std::string fault_of_tls_pair(const Settings& settings)
{
    const auto& server = settings.server;
    if (server.tls_cert.empty() || server.tls_key.empty() || !std::ifstream(server.tls_cert) ||
        !std::ifstream(server.tls_key))
        return {};
    const auto checked = http::check_tls_files(server.tls_cert, server.tls_key);
    return checked ? std::string() : checked.error().message() + " " + checked.error().detail();
}

config::Rule readable(std::string key, std::string (*path_of)(const Settings&))
{
    return {key, [key, path_of](const Settings& settings) -> std::string {
                const auto path = path_of(settings);
                std::ifstream file(path);
                const bool fine = path.empty() || (file && file.peek() != std::ifstream::traits_type::eof());
                return fine ? "" : key + " \"" + path + "\" cannot be read";
            }};
}

}  // namespace

std::vector<config::Rule> configuration_rules(bool for_server)
{
    std::vector<config::Rule> rules{{"database.url", fault_of_postgres_url}, {"redis.url", fault_of_redis_url}};
    if (!for_server)
        return rules;
    rules.push_back({"auth.secret_key", fault_of_secret_key});
    rules.push_back({"auth.admin_password", fault_of_admin_password});
    rules.push_back({"mail.smtp_url_env", fault_of_smtp_url});
    rules.push_back({"mail.from", fault_of_mail_from});
    rules.push_back(readable("server.tls_cert", [](const Settings& s) { return s.server.tls_cert; }));
    rules.push_back(readable("server.tls_key", [](const Settings& s) { return s.server.tls_key; }));
    rules.push_back({"server.tls_cert", fault_of_tls_pair});
    rules.push_back(readable("redis.ca_file", [](const Settings& s) { return s.redis.ca_file; }));
    return rules;
}

}  // namespace dure::app
