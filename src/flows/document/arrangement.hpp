// Which agents of a document its orchestration arranges (§8): those without a flow edge, where the start leads nowhere yet. Drawn
// edges win. Without an orchestration_type they work one after another.
#pragma once

#include <string>
#include <vector>

#include "dure/flows/document.hpp"

namespace dure::flows {

// Their ids in the document's order; empty: nothing is arranged.
std::vector<std::string> arranged_agents(const Document& document);

std::string orchestration_of(const Document& document);

}  // namespace dure::flows
