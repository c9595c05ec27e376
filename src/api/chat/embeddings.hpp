// POST /v1/embeddings
#pragma once

#include "api/routes.hpp"

namespace dure::api {

Handler create_embeddings(const ApiParts& parts);

}  // namespace dure::api
