// SseReader: however the bytes are split, fed or read where they stand, the events are the same. The first two bytes choose the bound and the split.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "dure/http/sse.hpp"

namespace {

std::vector<std::string> read_by(std::string_view input, std::size_t piece, std::size_t limit, bool where_it_stands)
{
    dure::http::SseReader reader(limit);
    dure::http::SseEvent event;
    std::vector<std::string> out;
    const auto keep = [&] {
        out.emplace_back(event.event);
        out.emplace_back(event.data);
        out.emplace_back(event.id);
    };
    while (!input.empty()) {
        auto bytes = input.substr(0, piece);
        input.remove_prefix(bytes.size());
        if (!where_it_stands)
            reader.feed(std::exchange(bytes, {}));
        while (where_it_stands ? reader.read(bytes, event) : reader.next(event))
            keep();
    }
    while (reader.finish(event))
        keep();
    out.emplace_back(reader.overflowed() ? "overflowed" : "whole");
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size < 2)
        return 0;
    const std::size_t limit = data[0] < 128 ? 4096 : data[0] - 127u;
    const std::string_view input(reinterpret_cast<const char*>(data) + 2, size - 2);
    const auto expected = read_by(input, input.size() + 1, limit, false);
    for (const std::size_t piece : {std::size_t{1}, data[1] + std::size_t{1}, input.size() + 1})
        for (const bool where_it_stands : {false, true})
            if (read_by(input, piece, limit, where_it_stands) != expected)
                std::abort();
    return 0;
}
