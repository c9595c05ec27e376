// Decodes a chunked HTTP body (RFC 9112 §7.1) in place, without sockets: the server's request bodies and the client's
// answers both use it. Strict: plain hex sizes, CRLF only, no control characters; extensions (and the
// blanks before them, as §7.1.1 asks) and trailers are skipped.
//
//   decode(read buffer) -> how much was body (now at the front of the buffer), how much was used up, and the state
#pragma once

#include <cstddef>
#include <cstdint>

namespace dure::http {

class ChunkDecoder {
public:
    struct Limits {
        std::size_t line_bytes = 4 * 1024;           // a size line with its extensions
        std::size_t trailer_bytes = 8 * 1024;
        std::size_t overhead_bytes = 16 * 1024;      // size lines and their CRLFs together, plus …
        std::size_t overhead_per_body_byte = 1;      // … this for every body byte so far
    };
    enum class State { need_more, done, error };
    struct Step {
        std::size_t body = 0;       // bytes of body, moved to the front of what was given
        std::size_t consumed = 0;   // bytes used up; what is behind them (only when done) belongs to the next message
    };

    ChunkDecoder() = default;
    explicit ChunkDecoder(const Limits& limits) : limits_(limits) {}

    // Decodes everything in [bytes, bytes + size). Bytes behind `consumed` are left as they are. After done or error it
    // consumes nothing more. Body decoded before an error in the same call is still given.
    Step decode(char* bytes, std::size_t size);

    State state() const;
    std::uint64_t body_bytes() const { return body_total_; }

private:
    enum class Part {
        size_first, size, size_blank, extension, size_lf, data, data_cr, data_lf,
        trailer_start, trailer_line, trailer_lf, end_lf, done, error,
    };

    Part after(char c);
    Part size_digit(char c);
    std::size_t plain_size_line(const char* bytes, std::size_t size);
    bool within_limits() const;

    Limits limits_;
    Part part_ = Part::size_first;
    std::uint64_t left_ = 0;            // of the current chunk
    unsigned digits_ = 0;
    std::size_t line_ = 0;
    std::size_t trailer_ = 0;
    std::uint64_t overhead_ = 0;
    std::uint64_t body_total_ = 0;
};

}  // namespace dure::http
