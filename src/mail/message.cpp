// render_message(); see message.hpp. The body travels as base64: any text, no long lines, no dots to double.
#include "mail/message.hpp"

#include <ctime>

#include "dure/base/text.hpp"

namespace dure::mail {

namespace wire_form {

// "Sat, 21 Nov 2026 02:15:00 +0000", whatever the locale.
std::string date(UnixMillis now)
{
    static constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                             "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const auto seconds = static_cast<std::time_t>(now / 1000);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    char text[64];
    std::snprintf(text, sizeof text, "%s, %d %s %d %02d:%02d:%02d +0000", days[parts.tm_wday], parts.tm_mday,
                  months[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec);
    return text;
}

// A header is one line, whatever was put into it.
std::string one_line(std::string text)
{
    for (auto& c : text)
        if (static_cast<unsigned char>(c) < 32 || c == 127)
            c = ' ';
    return text;
}

}  // namespace wire_form

std::string render_message(const Mail& mail, const std::string& from, UnixMillis now)
{
    std::string text = "Date: " + wire_form::date(now) + "\r\nFrom: <" + wire_form::one_line(from) + ">\r\nTo: <" +
                       wire_form::one_line(mail.to) + ">\r\nSubject: " + wire_form::one_line(mail.subject) +
                       "\r\nMessage-ID: <" + new_id() + from.substr(from.rfind('@')) +
                       ">\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; "
                       "charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n";
    const auto encoded = base64(mail.text);
    for (std::size_t at = 0; at < encoded.size(); at += 76)
        text += encoded.substr(at, 76) + "\r\n";
    return text + ".\r\n";
}

}  // namespace dure::mail
