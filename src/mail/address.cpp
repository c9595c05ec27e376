// The one check of e-mail addresses: what passes is safe in SMTP commands and headers.
#include <algorithm>

#include "dure/mail/mail.hpp"

namespace dure::mail {

namespace addresses {

bool letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool local_character(char c)
{
    return letter_or_digit(c) || std::string_view("!#$%&'*+-/=?^_`{|}~.").find(c) != std::string_view::npos;
}

// Labels of letters, digits and inner hyphens, with single dots between them.
bool host_name(std::string_view host)
{
    if (host.empty() || host.size() > 253)
        return false;
    while (!host.empty()) {
        const auto label = host.substr(0, host.find('.'));
        const bool fine =
            !label.empty() && label.size() <= 63 && label.front() != '-' && label.back() != '-' &&
            std::all_of(label.begin(), label.end(), [](char c) { return letter_or_digit(c) || c == '-'; });
        if (!fine || label.size() + 1 == host.size())   // a dot at the end has no label behind it
            return false;
        host.remove_prefix(std::min(host.size(), label.size() + 1));
    }
    return true;
}

}  // namespace addresses

bool valid_address(std::string_view address)
{
    const auto at = address.rfind('@');
    if (address.size() > 254 || at == std::string_view::npos || at == 0 || at > 64)
        return false;
    const auto local = address.substr(0, at);
    return std::all_of(local.begin(), local.end(), addresses::local_character) && local.front() != '.' &&
           local.back() != '.' && local.find("..") == std::string_view::npos &&
           addresses::host_name(address.substr(at + 1));
}

}  // namespace dure::mail
