// See find_text.hpp. memmem of glibc and musl is the two-way algorithm of Crochemore and Perrin.
#include "flows/expressions/find_text.hpp"

#include <cstring>

namespace dure::flows {

std::size_t find_text(std::string_view text, std::string_view part, std::size_t from)
{
    const auto rest = text.substr(from);
    const auto* found = memmem(rest.data(), rest.size(), part.data(), part.size());
    return found == nullptr ? std::string_view::npos
                            : static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
}

}  // namespace dure::flows
