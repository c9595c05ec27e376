// Settings this build reads but cannot serve yet: each is refused at start with a sentence, never ignored.
#pragma once

#include <string>

#include "dure/config/settings.hpp"

namespace dure::app {

// Empty when everything that is configured is there.
std::string unbuilt_settings(const config::Settings& settings);

}  // namespace dure::app
