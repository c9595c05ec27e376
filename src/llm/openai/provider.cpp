// The OpenAI dialect; see provider.hpp.
#include "llm/openai/provider.hpp"

namespace dure::llm::openai {

std::unique_ptr<Provider> make_provider(const config::Provider& settings, http::Client&, Logger&)
{
    throw InvariantBroken("provider '" + settings.name + "': the dialect 'openai' is not in this build");
}

}  // namespace dure::llm::openai
