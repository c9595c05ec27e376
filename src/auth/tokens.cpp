// TokenSigner; see tokens.hpp for the order of the checks.
#include "dure/auth/tokens.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>

#include "dure/base/error.hpp"
#include "dure/base/json.hpp"
#include "dure/base/text.hpp"

namespace dure::auth {

namespace jwt {

constexpr std::string_view issuer = "dure";

int digit_of(char c)
{
    constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const auto at = digits.find(c);
    return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

// Without padding; empty optional on a foreign character or an impossible length.
std::optional<std::string> from_base64url(std::string_view text)
{
    if (text.size() % 4 == 1)
        return std::nullopt;
    std::string bytes;
    bytes.reserve(text.size() * 3 / 4);
    std::uint32_t bits = 0;
    int count = 0;
    for (const char c : text) {
        const int digit = digit_of(c);
        if (digit < 0)
            return std::nullopt;
        bits = (bits << 6 | static_cast<std::uint32_t>(digit)) & 0xFFFFFF;
        count += 6;
        if (count >= 8) {
            count -= 8;
            bytes.push_back(static_cast<char>(bits >> count & 0xFF));
        }
    }
    return bytes;
}

const std::string* text_of(const Json& document, const char* name)
{
    const auto found = document.find(name);
    return found == document.end() || !found->is_string() ? nullptr : found->get_ptr<const std::string*>();
}

// A time in whole seconds that cannot overflow as milliseconds.
std::optional<UnixMillis> time_of(const Json& document, const char* name)
{
    const auto found = document.find(name);
    if (found == document.end() || !found->is_number_integer())
        return std::nullopt;
    const auto seconds = found->get<std::int64_t>();
    if (seconds < 0 || seconds > 253'402'300'799)
        return std::nullopt;
    return seconds * 1000;
}

}  // namespace jwt

TokenSigner::TokenSigner(SecretString key, std::string_view type, std::string audience,
                         std::chrono::milliseconds lifetime)
    : key_(std::move(key)), header_(base64url(R"({"alg":"HS256","typ":")" + std::string(type) + "\"}")),
      audience_(std::move(audience)), lifetime_(lifetime)
{
    if (key_.reveal().size() < 32)
        throw InvariantBroken("a signing key needs 32 bytes");
}

std::string TokenSigner::signature(std::string_view signed_part) const
{
    const auto key = key_.reveal();
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
    unsigned int length = 0;
    if (!HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
              reinterpret_cast<const unsigned char*>(signed_part.data()), signed_part.size(), digest.data(), &length))
        throw InvariantBroken("HMAC failed");
    return base64url({reinterpret_cast<const char*>(digest.data()), length});
}

SecretString TokenSigner::sign(Claims claims, UnixMillis now) const
{
    Json payload = {{"sub", claims.subject},
                    {"aud", audience_},
                    {"iss", jwt::issuer},
                    {"iat", now / 1000},
                    {"exp", (now + lifetime_.count()) / 1000},
                    {"jti", new_id()},
                    {"ver", claims.version}};
    if (!claims.bound.empty())
        payload["bound"] = claims.bound;
    auto token = header_ + '.' + base64url(dump(payload));
    token += '.' + signature(token);
    return SecretString(std::move(token));
}

TokenSigner::Checked TokenSigner::check(std::string_view token, UnixMillis now) const
{
    if (token.size() > longest || !looks_like_token(token))
        return {TokenFault::form, {}};
    const auto first = token.find('.');
    const auto last = token.rfind('.');
    if (token.substr(0, first) != header_)
        return {TokenFault::form, {}};
    // The texts are compared, not the bytes: a second spelling of the same signature is refused too.
    const auto wanted = signature(token.substr(0, last));
    const auto given = token.substr(last + 1);
    if (given.size() != wanted.size() || CRYPTO_memcmp(given.data(), wanted.data(), wanted.size()) != 0)
        return {TokenFault::signature, {}};
    auto claims = read_claims(token.substr(first + 1, last - first - 1));
    if (!claims)
        return {TokenFault::claims, {}};
    constexpr UnixMillis slack = std::chrono::milliseconds(leeway).count();
    if (claims->expires_at + slack <= now || claims->issued_at - slack > now)
        return {TokenFault::expired, {}};
    return {TokenFault::none, std::move(*claims)};
}

std::optional<Claims> TokenSigner::read_claims(std::string_view payload) const
{
    const auto text = jwt::from_base64url(payload);
    if (!text)
        return std::nullopt;
    const auto document = Json::parse(*text, nullptr, false);
    if (!document.is_object())
        return std::nullopt;
    const auto* audience = jwt::text_of(document, "aud");
    const auto* issuer = jwt::text_of(document, "iss");
    const auto* subject = jwt::text_of(document, "sub");
    const auto* id = jwt::text_of(document, "jti");
    const auto issued_at = jwt::time_of(document, "iat");
    const auto expires_at = jwt::time_of(document, "exp");
    const auto version = document.find("ver");
    if (!audience || *audience != audience_ || !issuer || *issuer != jwt::issuer || !subject || subject->empty() ||
        !id || id->empty() || !issued_at || !expires_at || version == document.end() || !version->is_number_integer())
        return std::nullopt;
    const auto* bound = jwt::text_of(document, "bound");
    return Claims{*subject, *id, version->get<std::int64_t>(), bound ? *bound : std::string(), *issued_at, *expires_at};
}

Tokens::Tokens(TokenKeys keys, std::chrono::milliseconds access_lifetime)
    : access(std::move(keys.access), "at+jwt", "dure:api", access_lifetime),
      reset(std::move(keys.reset), "reset+jwt", "dure:reset-password", std::chrono::hours(1)),
      verify(std::move(keys.verify), "verify+jwt", "dure:verify-email", std::chrono::hours(1))
{}

bool looks_like_token(std::string_view credential)
{
    return credential.size() <= TokenSigner::longest && std::count(credential.begin(), credential.end(), '.') == 2 &&
           std::all_of(credential.begin(), credential.end(), [](char c) { return c == '.' || jwt::digit_of(c) >= 0; });
}

}  // namespace dure::auth
