// Which of its two languages a person is spoken to in.
#pragma once

#include <string_view>

namespace dure {

// One character of it is enough.
bool holds_hangul(std::string_view text);

// The configured language ("ko", "en"), or ("auto") that of the text: one Hangul character makes it Korean.
bool speaks_korean(std::string_view configured, std::string_view text);

}  // namespace dure
