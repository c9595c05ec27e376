// Who calls, and what they may do. Made by the Authenticator for every request and handed to the handlers; ids and
// permissions never come from anywhere else.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dure/base/clock.hpp"
#include "dure/model/spend_limits.hpp"

namespace dure::auth {

struct Principal {
    std::string user_id;
    std::string key_id;                                // empty: somebody who logged in, or the built-in local user
    std::string token_id;                              // jti of the access token; empty: a key, or the local user
    UnixMillis token_expires_at = 0;
    std::string role;
    std::string display;                               // e-mail of the owner, for logs and /users/me
    std::vector<std::string> permissions;
    std::optional<std::vector<std::string>> models;    // empty: every model
    model::SpendLimits limits;                         // of the key's own calls, beside those of the role

    bool may(std::string_view permission) const
    {
        return std::find(permissions.begin(), permissions.end(), permission) != permissions.end();
    }
    bool may_use_model(std::string_view model) const
    {
        return !models || std::find(models->begin(), models->end(), model) != models->end();
    }
};

}  // namespace dure::auth
