// Version of this build, from CMake.
#pragma once

#include <string_view>

namespace dure::app {

inline constexpr std::string_view version = DURE_VERSION;
inline constexpr std::string_view commit = DURE_COMMIT;

}  // namespace dure::app
