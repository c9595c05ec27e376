// drawn(): a flow that is given by its settings (flow-format §8) as the nodes and edges it stands for; a whole drawing as it is.
#pragma once

#include "dure/flows/document.hpp"

namespace dure::flows {

Document drawn(const Document& document);

}  // namespace dure::flows
