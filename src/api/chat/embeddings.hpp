// POST /v1/embeddings
#pragma once

#include "api/routes.hpp"
#include "dure/model/chat.hpp"

namespace dure::api {

struct EmbeddingInput {
    model::EmbeddingRequest request;
    bool base64 = false;
};
// `text`: already checked by schema::check_json.
Result<EmbeddingInput> read_embedding(std::string_view text);

Handler create_embeddings(const ApiParts& parts);

}  // namespace dure::api
