// The classifier of upstream failures and the readers of their headers: any status and body gives one class and an error that
// can be shown. The first two bytes choose the status.
#include <cstdint>
#include <cstdlib>

#include "dure/base/text.hpp"
#include "llm/failure.hpp"

using namespace dure;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size < 2)
        return 0;
    const int status = (data[0] * 256 + data[1]) % 600;
    const std::string_view body(reinterpret_cast<const char*>(data) + 2, size - 2);
    const auto failure = llm::classify_answer(status, body);
    const auto error = llm::to_error(failure);
    if (llm::name_of(failure.kind).empty() || error.message().empty() || error.reason().empty())
        std::abort();
    if (utf8_prefix(error.message(), error.message().size()) != error.message())
        std::abort();
    if (const auto pause = llm::parse_retry_after(body.substr(0, size / 2), body, 0); pause && pause->count() < 0)
        std::abort();
    if (const auto pause = llm::parse_limit_reset(body, 0); pause && pause->count() < 0)
        std::abort();
    return 0;
}
