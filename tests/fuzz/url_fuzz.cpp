// parse_url: never a crash; what it accepts reads the same when it is put together and parsed again.
#include <cstdint>
#include <cstdlib>

#include "dure/http/client.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size > 4096)   // put together again it must fit too
        return 0;
    const auto url = dure::http::parse_url({reinterpret_cast<const char*>(data), size});
    if (!url)
        return 0;
    const auto again = dure::http::parse_url(url->origin() + url->target);
    if (!again || again->origin() != url->origin() || again->target != url->target)
        std::abort();
    return 0;
}
