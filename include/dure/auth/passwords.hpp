// Password hashing: argon2id on its own small pool (half the cores, at least one), so that no core waits for it. A full pool
// is unavailable (503). Thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "dure/base/blocking_pool.hpp"
#include "dure/base/error.hpp"
#include "dure/base/secret.hpp"
#include "dure/base/task.hpp"

namespace dure::auth {

struct PasswordCost {
    std::uint32_t memory_kib = 19 * 1024;
    std::uint32_t passes = 2;
    std::uint32_t lanes = 1;
};

// Both block for tens of milliseconds: for the command line; a server uses Passwords.
Result<std::string> hash_password(const SecretString& password, const PasswordCost& cost);   // "$argon2id$…"
bool verify_password(const SecretString& password, const std::string& hash);

// 8 to 128 characters, as typed. invalid_argument otherwise.
Result<void> check_new_password(std::string_view password, std::string_view email);

class Passwords {
public:
    explicit Passwords(PasswordCost cost);

    Task<Result<std::string>> hash(SecretString password);
    Task<Result<bool>> verify(SecretString password, std::string hash);

private:
    PasswordCost cost_;
    BlockingPool pool_;
};

}  // namespace dure::auth
