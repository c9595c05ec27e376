// See secret_text.hpp.
#include "dure/base/secret_text.hpp"

#include <string_view>

namespace dure {

std::string without_secrets(std::string text, const std::vector<std::string>& secrets)
{
    constexpr std::string_view instead = "[secret]";
    for (const auto& secret : secrets) {
        auto at = secret.empty() ? std::string::npos : text.find(secret);
        if (at == std::string::npos)
            continue;
        std::string shown;   // built once: a far side may fill its answer with what it was sent
        std::size_t from = 0;
        for (; at != std::string::npos; at = text.find(secret, from)) {
            shown.append(text, from, at - from).append(instead);
            from = at + secret.size();
        }
        text = shown.append(text, from);
    }
    return text;
}

}  // namespace dure
