// The one way to toml++ (3.3). The packaged parser asserts, and in release builds *assumes*, that a key begins with a key's
// character before it has looked: "[[[a]]" ends the process or is undefined. Without the assertion its own error follows.
// Every user includes it through here, since the library is header-only and must be the same everywhere.
#pragma once

#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#define TOML_ASSERT(expression) static_cast<void>(0)
#pragma push_macro("NDEBUG")
#undef NDEBUG
#include <toml++/toml.h>
#pragma pop_macro("NDEBUG")
