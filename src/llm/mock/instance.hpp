// The smallest value a JSON schema allows, as far as rules can tell; for arguments and structured answers of the mock.
#pragma once

#include "dure/base/json.hpp"

namespace dure::llm::mock {

Json minimal_instance(const Json& schema);

}  // namespace dure::llm::mock
