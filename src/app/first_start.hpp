// The first administrator (threat-model §2): from ADMIN_EMAIL and ADMIN_PASSWORD while there is none, or, at the first start
// of an empty embedded database on loopback, admin@localhost with a random password and one key, shown once.
#pragma once

#include <optional>
#include <string>

#include "dure/base/error.hpp"
#include "dure/base/log.hpp"
#include "dure/base/secret.hpp"
#include "dure/config/settings.hpp"
#include "dure/sql/database.hpp"

namespace dure::app {

struct FirstAdmin {
    std::string email;
    SecretString password;
    SecretString key;
};

// What was made and must be shown; empty when there was nothing to make or the operator knows the password already. When there is
// still no administrator the log says how to make one.
Result<std::optional<FirstAdmin>> prepare_first_start(sql::Database& database, const config::Settings& settings,
                                                      Logger& logger);

// Prints it on standard output, with a curl line that works when pasted.
void announce(const FirstAdmin& admin, const std::string& url);

// An administrator. conflict when the e-mail is taken. Blocks (hashing); used by the command line too.
Result<std::string> create_admin(sql::Database& database, const config::Settings& settings, const std::string& email,
                                 const SecretString& password);
std::string random_password();

}  // namespace dure::app
