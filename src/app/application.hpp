// The composition root: builds every object of the server, top to bottom, and takes it down in phases.
#pragma once

#include "dure/config/settings.hpp"

namespace dure::app {

// Runs the server until SIGTERM or SIGINT. 0 after a graceful stop, 1 when it could not start.
int serve(const config::Settings& settings);

}  // namespace dure::app
