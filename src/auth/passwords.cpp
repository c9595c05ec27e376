// Argon2id; see passwords.hpp.
#include "dure/auth/passwords.hpp"

#include <argon2.h>

#include <array>

#include "dure/base/clock.hpp"
#include "dure/base/text.hpp"

namespace dure::auth {

namespace {

constexpr std::size_t salt_bytes = 16;
constexpr std::size_t hash_bytes = 32;
constexpr std::size_t queue_limit = 32;   // then 503 (threat-model §4)

std::size_t characters_in(std::string_view text)
{
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

Error weak(std::string message)
{
    return Error(Errc::invalid_argument, message).param("password").problem({{"body", "password"}, message, "value_error"});
}

}  // namespace

Result<std::string> hash_password(const SecretString& password, const PasswordCost& cost)
{
    std::array<unsigned char, salt_bytes> salt;
    fill_random(salt.data(), salt.size());
    std::string encoded(argon2_encodedlen(cost.passes, cost.memory_kib, cost.lanes, salt_bytes, hash_bytes, Argon2_id), '\0');
    const auto text = password.reveal();
    const int code = argon2id_hash_encoded(cost.passes, cost.memory_kib, cost.lanes, text.data(), text.size(), salt.data(),
                                           salt.size(), hash_bytes, encoded.data(), encoded.size());
    if (code != ARGON2_OK)
        return Error(Errc::internal, "password hashing failed").detail(argon2_error_message(code));
    encoded.resize(encoded.find('\0'));
    return encoded;
}

bool verify_password(const SecretString& password, const std::string& hash)
{
    const auto text = password.reveal();
    return argon2id_verify(hash.c_str(), text.data(), text.size()) == ARGON2_OK;
}

Result<void> check_new_password(std::string_view password, std::string_view email)
{
    if (!valid_utf8(password))
        return weak("The password must be valid UTF-8.");
    const auto length = characters_in(password);
    if (length < 8 || length > 128)
        return weak("The password must have 8 to 128 characters.");
    const auto name = ascii_lower(email.substr(0, email.find('@')));
    if (name.size() >= 3 && ascii_lower(password).find(name) != std::string::npos)
        return weak("The password must not contain the name of the e-mail address.");
    return {};
}

Passwords::Passwords(PasswordCost cost)
    : cost_(cost), pool_("passwords", std::max(1u, std::thread::hardware_concurrency() / 2), queue_limit)
{
}

Task<Result<std::string>> Passwords::hash(SecretString password)
{
    co_return co_await pool_.run([&] { return hash_password(password, cost_); });
}

Task<Result<bool>> Passwords::verify(SecretString password, std::string hash)
{
    co_return co_await pool_.run([&]() -> Result<bool> { return verify_password(password, hash); });
}

}  // namespace dure::auth
