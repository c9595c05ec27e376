// BodyDecoder; see body_decoder.hpp.
#include "http/client/body_decoder.hpp"

#include <algorithm>

namespace dure::http::outgoing {
namespace body_decoder_parts {

// An upstream may send every byte as a chunk of its own ("1\r\nx\r\n"); more framing than that is an attack.
ChunkDecoder::Limits answer_limits()
{
    ChunkDecoder::Limits limits;
    limits.overhead_per_body_byte = 8;
    return limits;
}

}  // namespace body_decoder_parts

BodyDecoder::BodyDecoder(Framing framing, std::uint64_t length)
    : framing_(framing), left_(length), chunks_(body_decoder_parts::answer_limits())
{
    if (framing == Framing::none || (framing == Framing::length && length == 0))
        state_ = State::done;
}

ChunkDecoder::Step BodyDecoder::decode(char* bytes, std::size_t size)
{
    if (state_ != State::need_more)
        return {};
    if (framing_ == Framing::until_close)
        return {size, size};
    if (framing_ == Framing::length) {
        const auto run = static_cast<std::size_t>(std::min<std::uint64_t>(left_, size));
        left_ -= run;
        if (left_ == 0)
            state_ = State::done;
        return {run, run};
    }
    const auto step = chunks_.decode(bytes, size);
    if (chunks_.state() == ChunkDecoder::State::done)
        state_ = State::done;
    if (chunks_.state() == ChunkDecoder::State::error)
        state_ = State::broken;
    return step;
}

void BodyDecoder::end_of_input()
{
    if (framing_ == Framing::until_close)
        state_ = State::done;
}

}  // namespace dure::http::outgoing
