// One short request to one target, for `dure models check`.
#pragma once

#include "llm/catalog.hpp"

namespace dure::llm {

Task<MaybeFailure> try_target(const Catalog& catalog, const ModelEntry& model, const Target& target);

}  // namespace dure::llm
