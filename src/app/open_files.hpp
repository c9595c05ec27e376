// How many files and sockets the process may have open: a shell's 1,024 are fewer than the connections it is to take.
#pragma once

#include <cstddef>

#include "dure/base/log.hpp"

namespace dure::app {

// Raises the soft limit as far as `connections` from clients and as many to models may need (never lowers it, and not above the hard
// limit; programs that are started later inherit it). Says so when the hard limit does not leave room for the clients alone.
void raise_open_files(std::size_t connections, Logger& logger);

}  // namespace dure::app
