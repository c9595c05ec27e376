// Where a Redis is and how to log in there: redis://[user][:password@]host[:port][/database], rediss:// over TLS.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "dure/base/error.hpp"
#include "dure/base/secret.hpp"

namespace dure::redis {

struct Address {
    std::string host;
    std::uint16_t port = 6379;
    std::string user;          // empty: the default user
    SecretString password;     // empty: no log-in
    int database = 0;
    bool tls = false;          // the certificate has to be for `host`

    std::string shown() const { return host + ":" + std::to_string(port); }   // for logs: no secrets
};

// invalid_argument with what is wrong; the message never holds a part of the URL, which may be the password.
Result<Address> parse_address(std::string_view url);

}  // namespace dure::redis
