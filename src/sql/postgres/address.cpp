// Taking a PostgreSQL URL apart and putting libpq's connection text together; see address.hpp.
#include "sql/postgres/address.hpp"

#include <algorithm>
#include <array>

#include "dure/base/text.hpp"

namespace dure::sql {

namespace {

constexpr std::array<std::string_view, 9> passed_on{"sslmode",    "sslrootcert", "sslcert",
                                                    "sslkey",     "sslcrl",      "channel_binding",
                                                    "gssencmode", "sslpassword", "application_name"};

Error wrong_url(std::string_view problem)
{
    return Error(Errc::invalid_argument,
                 "database.url: " + std::string(problem) + "; expected postgresql://user:password@host:port/database");
}

// Decodes into `target` when there is something; false for a broken %XX or U+0000.
bool decode_into(std::string& target, std::string_view text)
{
    auto decoded = percent_decode(text);
    if (!decoded || decoded->find('\0') != std::string::npos)
        return false;
    if (!decoded->empty())
        target = std::move(*decoded);
    return true;
}

Result<void> read_user(PostgresAddress& address, std::string_view text)
{
    const auto colon = text.find(':');
    if (!decode_into(address.user, text.substr(0, colon)))
        return wrong_url("the user is not encoded correctly");
    std::string password;
    if (colon != std::string_view::npos && !decode_into(password, text.substr(colon + 1)))
        return wrong_url("the password is not encoded correctly");
    address.password = SecretString(std::move(password));
    return {};
}

Result<void> read_host(PostgresAddress& address, std::string_view text)
{
    std::string_view host = text;
    std::string_view port;
    if (text.starts_with('[')) {
        const auto close = text.find(']');
        if (close == std::string_view::npos || (close + 1 < text.size() && text[close + 1] != ':'))
            return wrong_url("the host is not an address in brackets");
        host = text.substr(1, close - 1);
        port = close + 1 < text.size() ? text.substr(close + 2) : "";
    } else if (const auto colon = text.find(':'); colon != std::string_view::npos) {
        host = text.substr(0, colon);
        port = text.substr(colon + 1);
    }
    const bool digits = std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!digits || port.size() > 5)
        return wrong_url("the port is not a number");
    if (!port.empty())
        address.port = port;
    if (host.find(',') != std::string_view::npos)
        return wrong_url("there is more than one host");
    if (!decode_into(address.host, host))
        return wrong_url("the host is not encoded correctly");
    return {};
}

Result<void> read_parameter(PostgresAddress& address, std::string_view pair)
{
    const auto equals = pair.find('=');
    const auto name = pair.substr(0, equals);
    std::string value;
    if (equals == std::string_view::npos || !decode_into(value, pair.substr(equals + 1)))
        return wrong_url("a parameter is not of the form name=value");
    if (name == "options")
        address.server_options = std::move(value);
    else if (name == "host")
        address.host = std::move(value);
    else if (std::find(passed_on.begin(), passed_on.end(), name) != passed_on.end())
        address.parameters.emplace_back(name, std::move(value));
    else
        return wrong_url("unknown parameter " + std::string(utf8_prefix(to_valid_utf8(name), 40)));
    return {};
}

void append_setting(std::string& text, std::string_view name, std::string_view value)
{
    text.append(text.empty() ? "" : " ").append(name).append("='");
    for (const char c : value) {
        if (c == '\'' || c == '\\')
            text += '\\';
        text += c;
    }
    text += '\'';
}

}  // namespace

std::string PostgresAddress::place() const
{
    const auto shown = host.find(':') == std::string::npos ? host : "[" + host + "]";
    return shown + ":" + port + "/" + database;
}

SecretString PostgresAddress::connection_text(const std::string& more_options) const
{
    std::string text;
    for (const auto& [name, value] : std::initializer_list<std::pair<std::string_view, std::string_view>>{
             {"host", host},
             {"port", port},
             {"dbname", database},
             {"user", user},
             {"client_encoding", "UTF8"},
             {"connect_timeout", "2"},  // the shortest libpq knows
             {"keepalives", "1"},
             {"keepalives_idle", "15"},
             {"keepalives_interval", "5"},
             {"keepalives_count", "3"},
             {"tcp_user_timeout", "10000"},
             {"fallback_application_name", "dure"}})
        append_setting(text, name, value);
    if (!password.empty())
        append_setting(text, "password", password.reveal());
    append_setting(text, "options", server_options + (server_options.empty() ? "" : " ") + more_options);
    for (const auto& [name, value] : parameters)
        append_setting(text, name, value);
    return SecretString(std::move(text));
}

Result<PostgresAddress> parse_postgres_url(std::string_view url)
{
    PostgresAddress address;
    const auto scheme = url.find("://");
    if (scheme == std::string_view::npos ||
        (url.substr(0, scheme) != "postgresql" && url.substr(0, scheme) != "postgres"))
        return wrong_url("the URL does not begin with postgresql://");
    auto rest = url.substr(scheme + 3);
    const auto question = rest.find('?');
    auto query = question == std::string_view::npos ? std::string_view() : rest.substr(question + 1);
    rest = rest.substr(0, question);
    const auto slash = rest.find('/');
    auto place = rest.substr(0, slash);
    if (const auto at = place.rfind('@'); at != std::string_view::npos) {
        if (auto read = read_user(address, place.substr(0, at)); !read)
            return read.error();
        place.remove_prefix(at + 1);
    }
    if (auto read = read_host(address, place); !read)
        return read.error();
    address.database = address.user;
    if (slash != std::string_view::npos && !decode_into(address.database, rest.substr(slash + 1)))
        return wrong_url("the database is not encoded correctly");
    while (!query.empty()) {
        const auto end = std::min(query.find('&'), query.size());
        if (auto read = read_parameter(address, query.substr(0, end)); !read)
            return read.error();
        query.remove_prefix(std::min(end + 1, query.size()));
    }
    return address;
}

}  // namespace dure::sql
