// The form of an API key: "dk_", 32 random bytes in base62 (43 characters), 6 characters of CRC-32 over all before them.
// A typo or a made-up key is known without asking the database; only the SHA-256 of a key is ever stored.
#pragma once

#include <string>
#include <string_view>

#include "dure/base/secret.hpp"

namespace dure::auth {

SecretString make_api_key();
bool well_formed(std::string_view key);
std::string hash_of_key(std::string_view key);  // SHA-256, 64 hexadecimal digits
std::string prefix_of_key(std::string_view key);  // its first 8 characters, shown in lists

}  // namespace dure::auth
