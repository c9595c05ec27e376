// SECRET_KEY of the process: configured, or made at the first start of embedded mode and kept beside the database.
#pragma once

#include "dure/base/error.hpp"
#include "dure/base/secret.hpp"
#include "dure/config/settings.hpp"

namespace dure::app {

// invalid_argument when PostgreSQL is configured without a key; unavailable when the file cannot be read or written.
Result<SecretString> secret_key(const config::Settings& settings);

}  // namespace dure::app
