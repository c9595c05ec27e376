// Slugs: the name of a flow in addresses, in `flow:<slug>` and of its file: [a-z0-9가-힣-]{1,64} (threat-model §6).
#pragma once

#include <string>
#include <string_view>

namespace dure::flows {

// Letters and digits of the name in lower case, Hangul syllables as they are (put together from their letters where a
// name came that way), a dash for everything between. Never empty, never a reserved word.
std::string slug_of(std::string_view name);
// For a slug that is taken: "-" and the last 8 characters of the id behind it.
std::string slug_with_id(std::string_view slug, std::string_view id);
bool is_slug(std::string_view text);

}  // namespace dure::flows
