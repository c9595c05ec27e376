// Bytes that are nearly right: a few of a good text changed, lost, doubled or cut off. The same for the same generator.
#pragma once

#include <algorithm>
#include <random>
#include <string>

namespace dure::test {

inline std::string mutated(std::string bytes, std::mt19937& random)
{
    const auto below = [&](std::size_t bound) { return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random); };
    for (auto changes = 1 + below(4); changes > 0 && !bytes.empty(); --changes) {
        const auto at = below(bytes.size());
        const auto some = std::min(bytes.size() - at, 1 + below(8));
        switch (below(6)) {
        case 0: bytes[at] = static_cast<char>(below(256)); break;
        case 1: bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8))); break;
        case 2: bytes.erase(at, some); break;
        case 3: bytes.insert(at, bytes.substr(at, some)); break;
        case 4: bytes.insert(at, 1, static_cast<char>(below(256))); break;
        default: bytes.resize(at); break;
        }
    }
    return bytes;
}

}  // namespace dure::test
