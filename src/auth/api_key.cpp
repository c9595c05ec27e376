// Making and recognising API keys; see api_key.hpp.
#include "dure/auth/api_key.hpp"

#include <algorithm>

#include "dure/base/clock.hpp"
#include "dure/base/text.hpp"

namespace dure::auth {

namespace key_form {

constexpr std::string_view begin = "dk_";
constexpr std::size_t random_length = 43;   // 62^43 > 2^256
constexpr std::size_t check_length = 6;     // 62^6 > 2^32

std::string check_of(std::string_view text)
{
    constexpr std::string_view digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    auto rest = crc32(text);
    std::string out(check_length, '0');
    for (auto at = out.rbegin(); at != out.rend(); ++at, rest /= 62)
        *at = digits[rest % 62];
    return out;
}

}  // namespace key_form

SecretString make_api_key()
{
    auto key = std::string(key_form::begin) + random_base62(key_form::random_length);
    key += key_form::check_of(key);
    return SecretString(std::move(key));
}

bool well_formed(std::string_view key)
{
    if (key.size() != key_form::begin.size() + key_form::random_length + key_form::check_length ||
        !key.starts_with(key_form::begin))
        return false;
    const auto body = key.substr(key_form::begin.size());
    const bool base62 = std::all_of(body.begin(), body.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    });
    const auto checked = key.size() - key_form::check_length;
    return base62 && key.substr(checked) == key_form::check_of(key.substr(0, checked));
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
