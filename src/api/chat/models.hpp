// GET /v1/models, GET /v1/models/{model}
#pragma once

#include "api/routes.hpp"

namespace dure::api {

Handler list_models(const ApiParts& parts);
Handler get_model(const ApiParts& parts);

}  // namespace dure::api
