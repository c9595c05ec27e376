// Signed tokens: what is accepted, and a table of forgeries that are not. The forger below signs whatever it is told to.
#include "dure/auth/tokens.hpp"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "dure/base/json.hpp"
#include "dure/base/text.hpp"

namespace dure::auth::token_tests {
namespace {

constexpr UnixMillis now = 1'800'000'000'000;
const std::string key_text = "0123456789abcdef0123456789abcdef";
const std::string good_header = R"({"alg":"HS256","typ":"at+jwt"})";

std::string hmac(std::string_view text, const std::string& key = key_text)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
         text.size(), digest, &length);
    return std::string(reinterpret_cast<const char*>(digest), length);
}

Json good_claims()
{
    return {{"sub", "u1"}, {"aud", "dure:api"}, {"iss", "dure"}, {"iat", now / 1000}, {"exp", now / 1000 + 3600},
            {"jti", "t1"}, {"ver", 1}};
}

std::string forge(const std::string& header, const std::string& payload, const std::string& key = key_text)
{
    const auto text = base64url(header) + "." + base64url(payload);
    return text + "." + base64url(hmac(text, key));
}

class TokensTest : public testing::Test {
protected:
    static TokenSigner signer(std::string_view type = "at+jwt", const std::string& audience = "dure:api",
                              const std::string& key = key_text)
    {
        return TokenSigner(SecretString(key), type, audience, std::chrono::hours(1));
    }
    static TokenFault fault_of(const std::string& token, UnixMillis at = now)
    {
        return signer().check(token, at).fault;
    }
};

Json changed(const char* name, Json value)
{
    auto claims = good_claims();
    claims[name] = std::move(value);
    return claims;
}

Json without(const char* name)
{
    auto claims = good_claims();
    claims.erase(name);
    return claims;
}

}  // namespace

TEST_F(TokensTest, ASignedTokenGivesItsClaimsBack)
{
    Claims claims;
    claims.subject = "u1";
    claims.version = 7;
    claims.bound = "mark";
    const auto token = signer().sign(claims, now);
    const auto checked = signer().check(token.reveal(), now);
    ASSERT_EQ(checked.fault, TokenFault::none);
    EXPECT_EQ(checked.claims.subject, "u1");
    EXPECT_EQ(checked.claims.version, 7);
    EXPECT_EQ(checked.claims.bound, "mark");
    EXPECT_EQ(checked.claims.issued_at, now);
    EXPECT_EQ(checked.claims.expires_at, now + 3'600'000);
    EXPECT_FALSE(checked.claims.id.empty());
    EXPECT_NE(checked.claims.id, signer().check(signer().sign(claims, now).reveal(), now).claims.id);
}

TEST_F(TokensTest, AForgeryThatIsRightInEverythingIsAccepted)
{
    EXPECT_EQ(fault_of(forge(good_header, good_claims().dump())),
              TokenFault::none);  // the table below would prove nothing
}

TEST_F(TokensTest, ForgeriesAreRefused)
{
    const auto good = forge(good_header, good_claims().dump());
    const auto dot = good.rfind('.');
    auto other_bits = good;  // 256 bits leave two unused bits in the last character: another spelling of the same bytes
    other_bits.back() = other_bits.back() == 'A' ? 'B' : static_cast<char>(other_bits.back() + 1);
    const struct {
        const char* name;
        std::string token;
        TokenFault fault;
    } cases[] = {
        {"empty", "", TokenFault::form},
        {"one part", "abc", TokenFault::form},
        {"two parts", good.substr(0, dot), TokenFault::form},
        {"four parts", good + ".x", TokenFault::form},
        {"no signature", good.substr(0, dot + 1), TokenFault::signature},
        {"cut signature", good.substr(0, good.size() - 1), TokenFault::signature},
        {"signature of another spelling", other_bits, TokenFault::signature},
        {"padding", good + "=", TokenFault::form},
        {"a space", " " + good, TokenFault::form},
        {"another key", forge(good_header, good_claims().dump(), "another key, also of 32 bytes....."),
         TokenFault::signature},
        {"empty key", forge(good_header, good_claims().dump(), ""), TokenFault::signature},
        {"alg none", base64url(R"({"alg":"none","typ":"at+jwt"})") + "." + base64url(good_claims().dump()) + ".",
         TokenFault::form},
        {"alg none, signed", forge(R"({"alg":"none","typ":"at+jwt"})", good_claims().dump()), TokenFault::form},
        {"alg HS512", forge(R"({"alg":"HS512","typ":"at+jwt"})", good_claims().dump()), TokenFault::form},
        {"alg RS256", forge(R"({"alg":"RS256","typ":"at+jwt"})", good_claims().dump()), TokenFault::form},
        {"typ JWT", forge(R"({"alg":"HS256","typ":"JWT"})", good_claims().dump()), TokenFault::form},
        {"no typ", forge(R"({"alg":"HS256"})", good_claims().dump()), TokenFault::form},
        {"kid", forge(R"({"alg":"HS256","typ":"at+jwt","kid":"../../dev/null"})", good_claims().dump()),
         TokenFault::form},
        {"jwk", forge(R"({"alg":"HS256","typ":"at+jwt","jwk":{}})", good_claims().dump()), TokenFault::form},
        {"other order", forge(R"({"typ":"at+jwt","alg":"HS256"})", good_claims().dump()), TokenFault::form},
        {"space in header", forge(R"({"alg": "HS256","typ":"at+jwt"})", good_claims().dump()), TokenFault::form},
        {"no JSON", forge(good_header, "claims"), TokenFault::claims},
        {"empty payload", forge(good_header, ""), TokenFault::claims},
        {"a list", forge(good_header, "[]"), TokenFault::claims},
        {"deep", forge(good_header, std::string(1500, '[')), TokenFault::claims},
        {"other audience", forge(good_header, changed("aud", "dure:reset-password").dump()), TokenFault::claims},
        {"audience in a list", forge(good_header, changed("aud", Json::array({"dure:api"})).dump()),
         TokenFault::claims},
        {"no audience", forge(good_header, without("aud").dump()), TokenFault::claims},
        {"other issuer", forge(good_header, changed("iss", "durex").dump()), TokenFault::claims},
        {"no issuer", forge(good_header, without("iss").dump()), TokenFault::claims},
        {"no subject", forge(good_header, without("sub").dump()), TokenFault::claims},
        {"empty subject", forge(good_header, changed("sub", "").dump()), TokenFault::claims},
        {"subject is a number", forge(good_header, changed("sub", 1).dump()), TokenFault::claims},
        {"no jti", forge(good_header, without("jti").dump()), TokenFault::claims},
        {"no ver", forge(good_header, without("ver").dump()), TokenFault::claims},
        {"ver is text", forge(good_header, changed("ver", "1").dump()), TokenFault::claims},
        {"no exp", forge(good_header, without("exp").dump()), TokenFault::claims},
        {"exp is text", forge(good_header, changed("exp", "never").dump()), TokenFault::claims},
        {"exp is null", forge(good_header, changed("exp", nullptr).dump()), TokenFault::claims},
        {"exp beyond time", forge(good_header, changed("exp", 9223372036854775807ll).dump()), TokenFault::claims},
        {"exp negative", forge(good_header, changed("exp", -1).dump()), TokenFault::claims},
        {"exp a fraction", forge(good_header, changed("exp", 1.9e9).dump()), TokenFault::claims},
        {"no iat", forge(good_header, without("iat").dump()), TokenFault::claims},
        {"expired", forge(good_header, changed("exp", now / 1000 - 31).dump()), TokenFault::expired},
        {"from the future", forge(good_header, changed("iat", now / 1000 + 31).dump()), TokenFault::expired},
        {"longer than 4 KiB", forge(good_header, changed("pad", std::string(4096, 'x')).dump()), TokenFault::form},
    };
    for (const auto& one : cases)
        EXPECT_EQ(fault_of(one.token), one.fault) << one.name;
}

TEST_F(TokensTest, EveryChangedCharacterBreaksIt)
{
    const auto good = std::string(signer().sign({"u1", {}, 1, {}}, now).reveal());
    for (std::size_t at = 0; at < good.size(); ++at) {
        auto bent = good;
        bent[at] = bent[at] == 'x' ? 'y' : 'x';
        EXPECT_NE(fault_of(bent), TokenFault::none) << at;
    }
}

TEST_F(TokensTest, ThereAreThirtySecondsOfLeeway)
{
    const auto token = forge(good_header, good_claims().dump());
    EXPECT_EQ(fault_of(token, now + 3'600'000 + 29'999), TokenFault::none);
    EXPECT_EQ(fault_of(token, now + 3'600'000 + 30'000), TokenFault::expired);
    EXPECT_EQ(fault_of(token, now - 30'000), TokenFault::none);
    EXPECT_EQ(fault_of(token, now - 30'001), TokenFault::expired);
}

TEST_F(TokensTest, ATokenOfOneUseIsWorthNothingInAnother)
{
    const Tokens tokens(
        {SecretString(std::string(32, 'a')), SecretString(std::string(32, 'b')), SecretString(std::string(32, 'c'))},
        std::chrono::hours(1));
    const auto reset = tokens.reset.sign({"u1", {}, 1, "mark"}, now);
    EXPECT_EQ(tokens.reset.check(reset.reveal(), now).fault, TokenFault::none);
    EXPECT_NE(tokens.access.check(reset.reveal(), now).fault, TokenFault::none);
    EXPECT_NE(tokens.verify.check(reset.reveal(), now).fault, TokenFault::none);
    // Not even when somebody configures the same key twice.
    EXPECT_EQ(signer("reset+jwt", "dure:reset-password").check(forge(good_header, good_claims().dump()), now).fault,
              TokenFault::form);
    EXPECT_EQ(signer("at+jwt", "dure:other").check(forge(good_header, good_claims().dump()), now).fault,
              TokenFault::claims);
}

}  // namespace dure::auth::token_tests
