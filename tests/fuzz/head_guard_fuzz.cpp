// Fuzzes the server's head guard and the chunk decoder. Besides not crashing: what the guard lets through, Beast's parser
// reads too; and a chunked body decodes to the same bytes however it is split.
#include <algorithm>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "http/chunk_decoder.hpp"
#include "http/server/head_guard.hpp"

namespace {

void check(bool holds)
{
    if (!holds)
        std::abort();
}

void fuzz_head(std::string_view bytes)
{
    const dure::http::ServerLimits limits;
    dure::http::HeadGuard guard(limits);
    const auto size = guard.scan(bytes);
    dure::http::HeadGuard::path_of(bytes);
    if (!size || *size == 0)
        return;
    check(*size <= bytes.size());
    dure::http::RequestHead head;
    const auto text = bytes.substr(0, *size);
    if (!guard.parse(text, head))
        return;
    check(!head.target.empty() && head.headers.size() <= limits.header_fields);
    namespace beast = boost::beast;
    beast::http::request_parser<beast::http::empty_body> parser;
    parser.eager(false);
    parser.header_limit(64 * 1024);
    parser.body_limit(boost::none);
    boost::system::error_code error;
    parser.put(boost::asio::buffer(text.data(), text.size()), error);
    check(!error && parser.is_header_done());
    check(std::distance(parser.get().begin(), parser.get().end()) == static_cast<std::ptrdiff_t>(head.headers.size()));
}

struct Decoded {
    std::string body;
    dure::http::ChunkDecoder::State state;
};

Decoded decode(std::string bytes, std::size_t step)
{
    dure::http::ChunkDecoder decoder;
    Decoded result;
    for (std::size_t at = 0; at < bytes.size();) {
        const auto size = std::min(step, bytes.size() - at);
        const auto done = decoder.decode(bytes.data() + at, size);
        check(done.body <= done.consumed && done.consumed <= size);
        result.body.append(bytes.data() + at, done.body);
        at += done.consumed;
        if (decoder.state() != dure::http::ChunkDecoder::State::need_more)
            break;
    }
    result.state = decoder.state();
    return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size < 2)
        return 0;
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
    if (data[0] % 2 == 0) {
        fuzz_head(bytes);
        return 0;
    }
    const auto whole = decode(std::string(bytes), bytes.size() + 1);
    const auto split = decode(std::string(bytes), 1 + data[1] % 16);
    check(whole.state == split.state && whole.body == split.body);
    return 0;
}
