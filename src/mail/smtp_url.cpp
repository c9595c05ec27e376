// Reads the address of the mail server; see mail.hpp.
#include <algorithm>
#include <charconv>

#include "dure/base/text.hpp"
#include "dure/mail/mail.hpp"

namespace dure::mail {

namespace smtp_urls {

Error wrong(const char* what)
{
    return Error(Errc::invalid_argument, std::string("the address of the mail server ") + what +
                                             "; it has the form smtp://user:password@host:port or smtps://…");
}

// "user:password" in front of the host. False: broken escapes, or control characters that would end a command.
bool read_credentials(std::string_view text, SmtpOptions& options)
{
    const auto colon = text.find(':');
    const auto user = percent_decode(text.substr(0, colon));
    const auto password =
        colon == std::string_view::npos ? std::optional<std::string>("") : percent_decode(text.substr(colon + 1));
    const auto clean = [](const std::string& part) {
        return std::none_of(part.begin(), part.end(), [](unsigned char c) { return c < 32 || c == 127; });
    };
    if (!user || !password || user->empty() || !clean(*user) || !clean(*password))
        return false;
    options.user = *user;
    options.password = SecretString(*password);
    return true;
}

bool read_port(std::string_view text, std::uint16_t& port)
{
    const auto read = std::from_chars(text.data(), text.data() + text.size(), port);
    return !text.empty() && read.ec == std::errc() && read.ptr == text.data() + text.size() && port != 0;
}

}  // namespace smtp_urls

Result<SmtpOptions> parse_smtp_url(const SecretString& url, std::string from)
{
    SmtpOptions options;
    auto text = url.reveal();
    options.tls_from_start = text.starts_with("smtps://");
    if (!options.tls_from_start && !text.starts_with("smtp://"))
        return smtp_urls::wrong("is missing or has another scheme");
    text.remove_prefix(options.tls_from_start ? 8 : 7);
    options.port = options.tls_from_start ? 465 : 587;
    while (!text.empty() && text.back() == '/')
        text.remove_suffix(1);
    if (const auto at = text.rfind('@'); at != std::string_view::npos) {
        if (!smtp_urls::read_credentials(text.substr(0, at), options))
            return smtp_urls::wrong("has a malformed user or password");
        text.remove_prefix(at + 1);
    }
    const auto bracket = text.starts_with('[') ? text.find(']') : std::string_view::npos;
    const auto colon = text.find(':', bracket == std::string_view::npos ? 0 : bracket);
    if (colon != std::string_view::npos && !smtp_urls::read_port(text.substr(colon + 1), options.port))
        return smtp_urls::wrong("has a malformed port");
    auto host = text.substr(0, colon);
    if (bracket != std::string_view::npos)
        host = host.substr(1, bracket - 1);
    if (host.empty() || host.find_first_of(" /?#") != std::string_view::npos)
        return smtp_urls::wrong("has no host");
    if (!valid_address(from))
        return Error(Errc::invalid_argument, "mail.from must be an e-mail address");
    options.host = std::string(host);
    options.from = std::move(from);
    return options;
}

}  // namespace dure::mail
