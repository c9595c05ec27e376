// Takes the framing off an answer's body, in place and without sockets: everything that has arrived becomes one
// contiguous run of body bytes, however many chunks it was.
#pragma once

#include "http/chunk_decoder.hpp"
#include "http/client/response_head.hpp"

namespace dure::http::outgoing {

class BodyDecoder {
public:
    enum class State { need_more, done, broken };

    BodyDecoder(Framing framing, std::uint64_t length);

    // Like ChunkDecoder::decode.
    ChunkDecoder::Step decode(char* bytes, std::size_t size);
    // The connection was closed in an orderly way: done if that is how this body ends.
    void end_of_input();
    State state() const { return state_; }

private:
    Framing framing_;
    std::uint64_t left_;
    ChunkDecoder chunks_;
    State state_ = State::need_more;
};

}  // namespace dure::http::outgoing
