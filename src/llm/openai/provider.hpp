// Providers that speak the OpenAI API over HTTP (OpenAI, OpenRouter, vLLM, Ollama, llama.cpp …).
#pragma once

#include <memory>

#include "dure/config/settings.hpp"
#include "dure/http/client.hpp"
#include "llm/provider.hpp"

namespace dure::llm::openai {

// Throws InvariantBroken when the base URL cannot be used.
std::unique_ptr<Provider> make_provider(const config::Provider& settings, http::Client& client, Logger& logger);

}  // namespace dure::llm::openai
