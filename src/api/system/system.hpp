// GET / /healthz /readyz /metrics /openapi.json, POST /api/models/reload
#pragma once

#include "api/routes.hpp"

namespace dure::api {

Handler root(const ApiParts& parts);
Handler health(const ApiParts& parts);
Handler ready(const ApiParts& parts);
Handler metrics_text(const ApiParts& parts);
Handler reload_models(const ApiParts& parts);
Handler openapi_json(const ApiParts& parts);

}  // namespace dure::api
