// The composition root: builds every object of the server, top to bottom, and takes it down in phases.
#pragma once

#include <functional>

#include "dure/config/load.hpp"

namespace dure::app {

// Runs the server until SIGTERM or SIGINT. 0 after a graceful stop, 1 when it could not start. `load_again` reads the
// configuration anew, for SIGHUP and POST /api/models/reload.
int serve(const config::Settings& settings, std::function<config::Loaded()> load_again);

}  // namespace dure::app
