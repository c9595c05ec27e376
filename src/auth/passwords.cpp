// argon2id through the reference library; see passwords.hpp.
#include "dure/auth/passwords.hpp"

#include <argon2.h>
#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <thread>

#include "dure/base/clock.hpp"
#include "dure/base/text.hpp"

namespace dure::auth {

namespace hashing {

constexpr std::size_t shortest = 8;
constexpr std::size_t longest = 128;   // characters
constexpr std::uint32_t lanes = 1;
constexpr std::size_t salt_bytes = 16;
constexpr std::size_t hash_bytes = 32;
constexpr std::size_t longest_stored = 512;
constexpr std::size_t most_password_bytes = 4 * longest;

std::size_t threads()
{
    return std::max<std::size_t>(1, std::thread::hardware_concurrency() / 2);
}

// The same password typed on another keyboard may come as other bytes (é as one character or two): NFC makes them equal.
// What is no UTF-8 stays as it is.
SecretString normalized(std::string_view password)
{
    utf8proc_uint8_t* out = nullptr;
    const auto size = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(password.data()),
                                   static_cast<utf8proc_ssize_t>(password.size()), &out,
                                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
    if (size < 0)
        return SecretString(std::string(password));
    SecretString text(std::string(reinterpret_cast<const char*>(out), static_cast<std::size_t>(size)));
    std::fill_n(out, size, utf8proc_uint8_t{0});
    std::free(out);
    return text;
}

Result<bool> matches(std::string_view typed, const std::string& stored)
{
    const auto normal = normalized(typed);
    const auto password = normal.reveal();
    const int outcome = argon2id_verify(stored.c_str(), password.data(), password.size());
    if (outcome == ARGON2_OK)
        return true;
    if (outcome == ARGON2_VERIFY_MISMATCH)
        return false;
    const auto code = outcome == ARGON2_MEMORY_ALLOCATION_ERROR ? Errc::unavailable : Errc::internal;
    return Error(code, "The password cannot be checked now.").detail(argon2_error_message(outcome));
}

// Value of a parameter of a stored hash, e.g. "$m=" of "…$m=19456,t=2,p=1$…"; 0 when it is not there.
std::uint32_t parameter(std::string_view stored, std::string_view name)
{
    const auto at = stored.find(name);
    std::uint32_t value = 0;
    if (at != std::string_view::npos)
        std::from_chars(stored.data() + at + name.size(), stored.data() + stored.size(), value);
    return value;
}

// A stored form that no password has: its digest is drawn, not computed, since a real one would cost every start 20 ms.
// Base64 of 16 and of 32 bytes ends in a character whose unused bits are zero, as 'A' is.
std::string hash_of_nothing(const PasswordCost& cost)
{
    return "$argon2id$v=19$m=" + std::to_string(cost.memory_kib) + ",t=" + std::to_string(cost.passes) +
           ",p=" + std::to_string(lanes) + "$" + random_base62(21) + "A$" + random_base62(42) + "A";
}

Error refused(std::string message)
{
    return Error(Errc::invalid_argument, std::move(message)).reason("invalid_password").param("password");
}

// Those of at least eight characters that lead the published lists, and one character repeated.
bool common(std::string_view lower)
{
    static constexpr std::string_view list[] = {
        "password",     "password1",  "password12", "password123",   "passw0rd",   "p@ssw0rd",  "p@ssword",
        "12345678",     "123456789",  "1234567890", "123123123",     "0123456789", "987654321", "9876543210",
        "qwertyui",     "qwertyuiop", "qwerty12",   "qwerty123",     "qwer1234",   "1q2w3e4r",  "1q2w3e4r5t",
        "1qaz2wsx",     "q1w2e3r4",   "zaq12wsx",   "abcd1234",      "abc12345",   "abcdefgh",  "a1b2c3d4",
        "asdfghjk",     "asdfghjkl",  "asdf1234",   "zxcvbnm1",      "iloveyou",   "sunshine",  "princess",
        "football",     "baseball",   "superman",   "starwars",      "trustno1",   "letmein1",  "welcome1",
        "welcome123",   "admin123",   "admin1234",  "administrator", "changeme",   "changeit",  "computer",
        "internet",     "whatever",   "michelle",   "jennifer",      "dragon123",  "monkey123", "master123",
        "secret123",    "test1234",   "testtest",   "adminadmin",    "rootroot",   "default1",  "12341234",
        "dkssudgktpdy", "tkfkdgo1",   "dkagh123"};
    const bool one_character = std::all_of(lower.begin(), lower.end(), [&](char c) { return c == lower.front(); });
    return one_character || std::find(std::begin(list), std::end(list), lower) != std::end(list);
}

}  // namespace hashing

Result<void> check_new_password(std::string_view typed, std::string_view email)
{
    if (typed.size() > hashing::most_password_bytes)
        return hashing::refused("A password must have 8 to 128 characters.");
    const auto normal = hashing::normalized(typed);
    const auto password = normal.reveal();
    const auto characters = utf8_characters(password);
    if (characters < hashing::shortest || characters > hashing::longest || !valid_utf8(password))
        return hashing::refused("A password must have 8 to 128 characters.");
    const auto lower = ascii_lower(password);
    if (hashing::common(lower))
        return hashing::refused("This password is among the most common ones.");
    const auto name = ascii_lower(email.substr(0, email.find('@')));
    if (name.size() >= 4 && lower.find(name) != std::string::npos)
        return hashing::refused("A password must not hold the name of the e-mail address.");
    return {};
}

Result<std::string> hash_password(const SecretString& password, const PasswordCost& cost)
{
    const auto normal = hashing::normalized(password.reveal());
    const auto text = normal.reveal();
    std::array<unsigned char, hashing::salt_bytes> salt;
    fill_random(salt.data(), salt.size());
    const auto size = argon2_encodedlen(cost.passes, cost.memory_kib, hashing::lanes, hashing::salt_bytes,
                                        hashing::hash_bytes, Argon2_id);
    std::string encoded(size, '\0');
    const int failed =
        argon2id_hash_encoded(cost.passes, cost.memory_kib, hashing::lanes, text.data(), text.size(), salt.data(),
                              salt.size(), hashing::hash_bytes, encoded.data(), encoded.size());
    if (failed != ARGON2_OK)
        return Error(Errc::unavailable, "The password cannot be stored now.").detail(argon2_error_message(failed));
    encoded.resize(encoded.find('\0'));
    return encoded;
}

Passwords::Passwords(const config::Auth& settings) : pool_("passwords", hashing::threads(), 32)
{
    cost_.memory_kib = static_cast<std::uint32_t>(settings.password_hash_memory / 1024);
    nobody_ = hashing::hash_of_nothing(cost_);
}

Task<Result<std::string>> Passwords::hash(SecretString password)
{
    co_return co_await pool_.run([&] { return hash_password(password, cost_); });
}

Task<Result<bool>> Passwords::verify(SecretString password, std::string stored)
{
    if (stored.size() > hashing::longest_stored || !stored.starts_with("$argon2id$"))
        co_return Error(Errc::internal, "The password cannot be checked now.")
            .detail("stored password hash has another form");
    if (password.reveal().size() > hashing::most_password_bytes)
        co_return co_await verify_nothing(std::move(password));
    co_return co_await pool_.run([&] { return hashing::matches(password.reveal(), stored); });
}

Task<Result<bool>> Passwords::verify_nothing(SecretString password)
{
    const auto cut = password.reveal().substr(0, hashing::most_password_bytes);
    auto outcome = co_await pool_.run([&] { return hashing::matches(cut, nobody_); });
    if (!outcome)
        co_return outcome.error();
    co_return false;
}

bool Passwords::needs_rehash(std::string_view stored) const
{
    return !stored.starts_with("$argon2id$v=19$") || hashing::parameter(stored, "$m=") < cost_.memory_kib ||
           hashing::parameter(stored, ",t=") < cost_.passes;
}

}  // namespace dure::auth
