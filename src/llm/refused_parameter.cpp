// See refused_parameter.hpp.
#include "llm/refused_parameter.hpp"

#include <algorithm>
#include <array>

#include "dure/base/text.hpp"

namespace dure::llm {

namespace {

constexpr std::array<std::string_view, 9> refusals = {"not support",  "n't support", "unsupported", "not permitted", "not allowed",
                                                      "unrecognized", "unknown",     "deprecated",  "extra_forbidden"};

constexpr std::array<std::string_view, 29> optional_parameters = {
    "max_tokens",       "max_completion_tokens", "response_format", "stream",           "stream_options",       "temperature",
    "top_p",            "top_k",                 "min_p",           "seed",             "frequency_penalty",    "presence_penalty",
    "repeat_penalty",   "logit_bias",            "logprobs",        "top_logprobs",     "parallel_tool_calls",  "reasoning_effort",
    "verbosity",        "user",                  "store",           "metadata",         "service_tier",         "prompt_cache_key",
    "safety_identifier", "prediction",           "thinking",        "output_config",        "stop_sequences"};

bool is_of_path(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
}

// body.seed: seed
std::string_view as_parameter(std::string_view path)
{
    if (path.starts_with("body."))
        path.remove_prefix(5);
    while (path.ends_with('.'))
        path.remove_suffix(1);
    const auto field = path.substr(0, path.find('.'));
    return std::find(optional_parameters.begin(), optional_parameters.end(), field) != optional_parameters.end()
               ? path
               : std::string_view();
}

}  // namespace

std::string refused_parameter(std::string_view message, std::string_view param)
{
    const auto text = ascii_lower(message);
    if (std::none_of(refusals.begin(), refusals.end(),
                     [&](std::string_view words) { return text.find(words) != std::string::npos; }))
        return {};
    if (const auto named = as_parameter(param); !named.empty())
        return std::string(named);
    // "user" and "store" are words of any sentence: such a one counts only where it is quoted or stands before a colon.
    for (std::size_t at = 0; at < text.size();) {
        if (!is_of_path(text[at])) {
            ++at;
            continue;
        }
        const auto end = static_cast<std::size_t>(
            std::find_if_not(text.begin() + static_cast<std::ptrdiff_t>(at), text.end(), is_of_path) - text.begin());
        const auto named = as_parameter(std::string_view(text).substr(at, end - at));
        const bool quoted = at > 0 && std::string_view("'`\"").find(text[at - 1]) != std::string_view::npos;
        const bool before_colon = end < text.size() && text[end] == ':';
        if (!named.empty() && (quoted || before_colon || named.find('_') != std::string_view::npos))
            return std::string(named);
        at = end;
    }
    return {};
}

}  // namespace dure::llm
