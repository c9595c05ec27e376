// GET and PATCH /users/me; GET /users, GET, PATCH and DELETE /users/{id}
#pragma once

#include "api/routes.hpp"

namespace dure::api {

Handler get_me(const ApiParts& parts);
Handler patch_me(const ApiParts& parts);
Handler list_users(const ApiParts& parts);
Handler get_user(const ApiParts& parts);
Handler patch_user(const ApiParts& parts);
Handler delete_user(const ApiParts& parts);

}  // namespace dure::api
