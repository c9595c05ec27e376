// SECRET_KEY of the process: configured, or made at the first start of embedded mode and kept beside the database.
#pragma once

#include "dure/base/error.hpp"
#include "dure/base/secret.hpp"
#include "dure/config/settings.hpp"

namespace dure::app {

// invalid_argument when PostgreSQL is configured without a key; unavailable when the file cannot be read or written.
Result<SecretString> secret_key(const config::Settings& settings);

// A key for one use, from the secret by HKDF-SHA256 with the use as its label: never one key for two uses.
SecretString derive_key(const SecretString& secret, std::string_view use);

}  // namespace dure::app
