// Loading and filling of prompts; see prompts.hpp.
#include "agents/prompts.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>

#include "dure/base/error.hpp"
#include "dure/base/language.hpp"
#include "dure/base/text.hpp"

namespace dure::agents {
namespace {

constexpr std::size_t largest_prompt = 64 * 1024;

// Empty text: the file cannot be used.
std::string read_prompt(const std::filesystem::path& path, Logger& logger)
{
    std::ifstream file(path, std::ios::binary);
    std::string text(std::istreambuf_iterator<char>(file), {});
    if (file.bad() || text.empty() || text.size() > largest_prompt || !valid_utf8(text)) {
        logger.warn("prompt file ignored: unreadable, empty, above 64 KiB or not UTF-8", {{"file", path.string()}});
        return {};
    }
    return text;
}

}  // namespace

Language language_of(std::string_view configured, std::string_view text)
{
    return speaks_korean(configured, text) ? Language::korean : Language::english;
}

Prompts::Prompts(const std::string& folder, Logger& logger)
{
    for (const auto& builtin : builtin_prompts()) {
        auto& text = texts_[std::string(builtin.name)];
        text = builtin.text;
        const auto path = std::filesystem::path(folder) / (std::string(builtin.name) + ".md");
        std::error_code ignored;   // no such file, or no such folder: the compiled-in text
        if (folder.empty() || !std::filesystem::is_regular_file(path, ignored))
            continue;
        if (auto own = read_prompt(path, logger); !own.empty())
            text = std::move(own);
    }
}

const std::string& Prompts::get(Language language, std::string_view name) const
{
    const auto key = std::string(language == Language::korean ? "ko/" : "en/") + std::string(name);
    const auto at = texts_.find(key);
    if (at == texts_.end())
        throw InvariantBroken("there is no prompt '" + key + "'");
    return at->second;
}

std::string fill(std::string_view prompt, const std::map<std::string, std::string, std::less<>>& values)
{
    std::string text;
    while (true) {
        const auto open = prompt.find("{{");
        const auto close = open == std::string_view::npos ? open : prompt.find("}}", open);
        if (close == std::string_view::npos)
            return text.append(prompt);
        const auto at = values.find(prompt.substr(open + 2, close - open - 2));
        text.append(prompt.substr(0, at == values.end() ? close + 2 : open));
        if (at != values.end())
            text.append(at->second);
        prompt.remove_prefix(close + 2);
    }
}

}  // namespace dure::agents
