// An upstream's answer, head and body: never a crash, and the same body for every split. The first byte chooses the split.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "http/client/body_decoder.hpp"
#include "http/client/response_head.hpp"

namespace {

using namespace dure::http;
using namespace dure::http::outgoing;

struct Outcome {
    std::string body;
    std::size_t used = 0;
    BodyDecoder::State state = BodyDecoder::State::need_more;

    bool operator==(const Outcome&) const = default;
};

Outcome decode_by(const ResponseHead& head, std::string_view input, std::size_t piece)
{
    BodyDecoder decoder(head.framing, head.length);
    Outcome out;
    while (out.used < input.size() && decoder.state() == BodyDecoder::State::need_more) {
        std::string bytes(input.substr(out.used, piece));
        const auto step = decoder.decode(bytes.data(), bytes.size());
        if (step.consumed > bytes.size() || step.body > step.consumed)
            std::abort();
        out.body.append(bytes, 0, step.body);
        out.used += step.consumed;
    }
    decoder.end_of_input();
    out.state = decoder.state();
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size == 0)
        return 0;
    std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
    ResponseHead head;
    head.framing = Framing::chunked;
    std::size_t scanned = 0;
    if (const std::size_t end = find_head_end(input, scanned); end > 0) {
        const char* problem = nullptr;
        const auto parsed = parse_response_head(input.substr(0, end), Method::get, problem);
        if (!parsed && problem == nullptr)
            std::abort();
        if (parsed) {
            head = *parsed;
            input.remove_prefix(end);
        }
    }
    const Outcome expected = decode_by(head, input, input.size() + 1);
    if (decode_by(head, input, 1) != expected || decode_by(head, input, data[0] + 1u) != expected)
        std::abort();
    return 0;
}
