// See config_values.hpp.
#include "dure/flows/config_values.hpp"

#include <algorithm>
#include <array>

#include "dure/base/text.hpp"

namespace dure::flows {

namespace {

template <std::size_t count>
bool is_among(const std::array<std::string_view, count>& words, std::string_view word)
{
    return std::find(words.begin(), words.end(), word) != words.end();
}

bool is_status_word(std::string_view word)
{
    if (word == "any" || word == "*")
        return true;
    if (word.size() == 3 && word.front() >= '1' && word.front() <= '5')
        return ascii_lower(word).ends_with("xx") || word.find_first_not_of("0123456789") == std::string_view::npos;
    return word.size() == 7 && word[3] == '-' && is_status_word(word.substr(0, 3)) && is_status_word(word.substr(4));
}

}  // namespace

bool is_expected_status(const Json& value)
{
    return value.is_string() ? is_status_word(trim(value.get_ref<const std::string&>())) : is_status_word(dump(value));
}

bool is_header_of_flows(std::string_view name)
{
    constexpr std::array<std::string_view, 5> refused{"host", "content-length", "transfer-encoding", "connection",
                                                      "cookie"};
    return !is_among(refused, ascii_lower(name));
}

bool is_web_address(std::string_view text)
{
    const auto scheme = ascii_lower(text.substr(0, 8));
    return scheme.starts_with("http://") || scheme.starts_with("https://");
}

bool is_image_address(std::string_view text)
{
    return text.starts_with("https://") || text.starts_with("http://") || text.starts_with("data:image/");
}

bool is_agent_strategy(std::string_view word)
{
    constexpr std::array<std::string_view, 7> known{"",      "chat",  "graph", "function_calling",
                                                    "react", "ReAct", "simple"};
    return is_among(known, word);
}

}  // namespace dure::flows
