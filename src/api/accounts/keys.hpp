// GET and POST /api/keys, DELETE /api/keys/{id}, POST /api/keys/{id}/rotate: for people who logged in, never with a key.
#pragma once

#include "api/routes.hpp"

namespace dure::api {

Handler list_keys(const ApiParts& parts);
Handler create_key(const ApiParts& parts);
Handler revoke_key(const ApiParts& parts);
Handler rotate_key(const ApiParts& parts);

}  // namespace dure::api
