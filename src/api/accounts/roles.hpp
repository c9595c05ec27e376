// GET and POST /roles, PATCH and DELETE /roles/{id}; a role's id is its name.
#pragma once

#include "api/routes.hpp"

namespace dure::api {

Handler list_roles(const ApiParts& parts);
Handler create_role(const ApiParts& parts);
Handler patch_role(const ApiParts& parts);
Handler delete_role(const ApiParts& parts);

}  // namespace dure::api
