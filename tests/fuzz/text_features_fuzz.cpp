// Any bytes as a text: features in ascending order with weights above 0, never a crash.
#include <cmath>
#include <cstdlib>

#include "dure/llm/text_features.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto features = dure::llm::text_features(std::string_view(reinterpret_cast<const char*>(data), size));
    for (std::size_t i = 0; i < features.size(); ++i)
        if (!(features[i].weight > 0) || !std::isfinite(features[i].weight) ||
            (i > 0 && features[i - 1].id >= features[i].id))
            std::abort();
    return 0;
}
