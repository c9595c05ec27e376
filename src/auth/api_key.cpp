// The form of API keys; see api_key.hpp.
#include "dure/auth/api_key.hpp"

#include "dure/base/clock.hpp"
#include "dure/base/text.hpp"

namespace dure::auth {

namespace {

constexpr std::string_view start = "dk_";
constexpr std::size_t random_characters = 43;   // 62^43 > 2^256
constexpr std::size_t check_characters = 6;     // 62^6 > 2^32
constexpr std::size_t key_length = start.size() + random_characters + check_characters;
constexpr std::string_view base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

std::string check_of(std::string_view text)
{
    auto crc = crc32(text);
    std::string out(check_characters, '0');
    for (auto at = out.rbegin(); at != out.rend(); ++at, crc /= 62)
        *at = base62[crc % 62];
    return out;
}

}  // namespace

SecretString make_api_key()
{
    auto key = std::string(start) + random_base62(random_characters);
    key += check_of(key);
    return SecretString(std::move(key));
}

bool well_formed(std::string_view key)
{
    if (key.size() != key_length || !key.starts_with(start))
        return false;
    if (key.find_first_not_of(base62, start.size()) != std::string_view::npos)
        return false;
    const auto body = key.substr(0, key_length - check_characters);
    return check_of(body) == key.substr(body.size());
}

std::string hash_of_key(std::string_view key)
{
    return hex(sha256(key));
}

std::string prefix_of_key(std::string_view key)
{
    return std::string(key.substr(0, 8));
}

}  // namespace dure::auth
