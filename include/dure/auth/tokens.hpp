// Signed tokens: JWT, HS256 only, by hand on OpenSSL (threat-model §4). Each use has its own key, header and audience, so
// that a token of one use is worth nothing in another. Protocol code without sockets or clocks of its own.
//   size -> three parts -> header is the literal one -> signature in constant time -> claims -> times
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "dure/base/clock.hpp"
#include "dure/base/secret.hpp"

namespace dure::auth {

struct Claims {
    std::string subject;  // user id
    std::string id;  // jti
    std::int64_t version = 0;  // of the user's tokens
    std::string bound;  // reset, verify: what the token is bound to; empty in access tokens
    UnixMillis issued_at = 0;
    UnixMillis expires_at = 0;
};

enum class TokenFault {
    none,
    form,  // not a token of this kind at all
    signature,  // of the right kind, signed by somebody else: a guess
    claims,  // ours, but not for this server or this use
    expired,  // or from the future
};

class TokenSigner {
public:
    static constexpr std::size_t longest = 4096;
    static constexpr std::chrono::seconds leeway{30};

    // `type` stands in the header, e.g. "at+jwt".
    TokenSigner(SecretString key, std::string_view type, std::string audience, std::chrono::milliseconds lifetime);

    // Fills in id, issued_at and expires_at.
    SecretString sign(Claims claims, UnixMillis now) const;

    struct Checked {
        TokenFault fault = TokenFault::form;
        Claims claims;  // filled when there is no fault
    };
    Checked check(std::string_view token, UnixMillis now) const;

private:
    std::string signature(std::string_view signed_part) const;
    std::optional<Claims> read_claims(std::string_view payload) const;

    SecretString key_;
    std::string header_;  // base64url of the one header there is
    std::string audience_;
    std::chrono::milliseconds lifetime_;
};

struct TokenKeys {
    SecretString access;
    SecretString reset;
    SecretString verify;
};

struct Tokens {
    Tokens(TokenKeys keys, std::chrono::milliseconds access_lifetime);
    const TokenSigner access;
    const TokenSigner reset;
    const TokenSigner verify;
};

// "xxxxx.yyyyy.zzzzz" by its look: what is not an API key is tried as a token.
bool looks_like_token(std::string_view credential);

}  // namespace dure::auth
