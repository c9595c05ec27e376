// Any bytes as an expression: a finite number or an error with a sentence, never a crash.
#include <cmath>
#include <cstdlib>

#include "tools/calculator.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto value = dure::tools::evaluate(std::string_view(reinterpret_cast<const char*>(data), size));
    if (value ? !std::isfinite(*value) : value.error().message().empty())
        std::abort();
    return 0;
}
