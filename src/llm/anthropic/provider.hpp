// The provider of dialect `anthropic`: the native Messages API (llm-upstreams §5). It has no embeddings.
#pragma once

#include "dure/config/settings.hpp"
#include "dure/http/client.hpp"
#include "llm/provider.hpp"

namespace dure::llm::anthropic {

// Throws InvariantBroken when base_url cannot be used.
std::unique_ptr<Provider> make_provider(const config::Provider& settings, http::Client& client, Logger& logger);

}  // namespace dure::llm::anthropic
