// Password hashes: argon2id on threads of their own, so that many logins slow down logins and nothing else. Passwords are
// compared in Unicode's composed form (NFC), otherwise as typed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "dure/base/blocking_pool.hpp"
#include "dure/base/error.hpp"
#include "dure/base/secret.hpp"
#include "dure/base/task.hpp"
#include "dure/config/settings.hpp"

namespace dure::auth {

struct PasswordCost {
    std::uint32_t memory_kib = 19 * 1024;
    std::uint32_t passes = 2;
};

// 8 to 128 characters as typed, none of the common ones, not holding the name of the e-mail address. invalid_argument with
// reason "invalid_password" and param "password".
Result<void> check_new_password(std::string_view password, std::string_view email);

// "$argon2id$v=19$m=19456,t=2,p=1$…". Blocks for some 20 ms: the command line and Passwords below.
Result<std::string> hash_password(const SecretString& password, const PasswordCost& cost);

class Passwords {
public:
    explicit Passwords(const config::Auth& settings);  // half the cores, at least one; 32 may wait

    // unavailable when too many wait.
    Task<Result<std::string>> hash(SecretString password);
    Task<Result<bool>> verify(SecretString password, std::string stored);
    // As costly as verify, always false: for names that do not exist, so that they take the same time.
    Task<Result<bool>> verify_nothing(SecretString password);
    // The stored hash was made with weaker parameters than those in force.
    bool needs_rehash(std::string_view stored) const;

private:
    PasswordCost cost_;
    std::string nobody_;  // a stored form that no password has
    BlockingPool pool_;  // last: its threads use the others
};

}  // namespace dure::auth
