// GET /api/usage
#pragma once

#include "api/routes.hpp"

namespace dure::api {

Handler get_usage(const ApiParts& parts);

}  // namespace dure::api
