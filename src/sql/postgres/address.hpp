// PostgresAddress: a postgresql:// URL taken apart. Done here and not by libpq, whose messages about a wrong URL repeat
// it with the password.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "dure/base/error.hpp"
#include "dure/base/secret.hpp"

namespace dure::sql {

struct PostgresAddress {
    std::string host = "localhost";  // or the folder of a local socket
    std::string port = "5432";
    std::string database;
    std::string user = "postgres";
    SecretString password;
    std::string server_options;  // "-c name=value …"
    std::vector<std::pair<std::string, std::string>> parameters;  // sslmode and what belongs to it

    std::string place() const;  // "host:port/database"
    // The connection text of libpq; `more_options` go behind the URL's server_options.
    SecretString connection_text(const std::string& more_options) const;
};

// invalid_argument; the message names the part that is wrong, never its content.
Result<PostgresAddress> parse_postgres_url(std::string_view url);

}  // namespace dure::sql
