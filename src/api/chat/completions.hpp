// POST /v1/chat/completions
#pragma once

#include "api/routes.hpp"

namespace dure::api {

Handler create_completion(const ApiParts& parts);

}  // namespace dure::api
