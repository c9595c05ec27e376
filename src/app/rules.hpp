// What the parts that take a setting know of it and the tables of keys do not: the form of an address, whether a file can be read.
#pragma once

#include <vector>

#include "dure/config/load.hpp"

namespace dure::app {

// `for_server`: also what only a start of the server would be refused for.
std::vector<config::Rule> configuration_rules(bool for_server);

}  // namespace dure::app
