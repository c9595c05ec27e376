// A flow of a file with everything that is to say about it.
#pragma once

#include <string>

#include "app/local_house.hpp"
#include "dure/flows/document.hpp"

namespace dure::app {

// not_found: the file cannot be read. What is wrong with the document is in its problems; names this server does not have are
// problems of `unknown_names`.
Result<flows::Reading> read_flow_file(const std::string& path, const LocalHouse& house, flows::Level unknown_names);

}  // namespace dure::app
