// The prompts of agents, by language and name ("ko/router"): the compiled-in ones, overridden by files of the configured
// folder. Read once; {{name}} in a prompt is replaced by fill(). Immutable after construction; thread-safe.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "dure/base/log.hpp"

namespace dure::agents {

enum class Language { english, korean };

// The configured language, or ("auto") that of the text: one Hangul character makes it Korean.
Language language_of(std::string_view configured, std::string_view text);

class Prompts {
public:
    // An unreadable or oversized file is logged and the compiled-in text stays.
    Prompts(const std::string& folder, Logger& logger);

    // Throws InvariantBroken: there is no prompt of that name.
    const std::string& get(Language language, std::string_view name) const;

private:
    std::map<std::string, std::string, std::less<>> texts_;
};

// In one pass: what is filled in is not searched for further marks.
std::string fill(std::string_view prompt, const std::map<std::string, std::string, std::less<>>& values);

}  // namespace dure::agents
