// A byte machine for the framing and one memmove per run of data, so that any split of the input gives the same body.
#include "http/chunk_decoder.hpp"

#include <algorithm>
#include <cstring>

#include "dure/base/hex_digit.hpp"

namespace dure::http {
namespace chunk_decoder_parts {

constexpr unsigned most_digits = 15;   // below 2^60: sums of sizes cannot overflow

constexpr std::size_t most_plain_digits = 7;

// Text of extensions and trailers: no control characters but HTAB.
bool is_line_text(char c)
{
    const auto byte = static_cast<unsigned char>(c);
    return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
}

bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

}  // namespace chunk_decoder_parts

using namespace chunk_decoder_parts;

ChunkDecoder::State ChunkDecoder::state() const
{
    if (part_ == Part::done)
        return State::done;
    return part_ == Part::error ? State::error : State::need_more;
}

ChunkDecoder::Step ChunkDecoder::decode(char* bytes, std::size_t size)
{
    Step step;
    while (step.consumed < size && part_ != Part::done && part_ != Part::error) {
        if (part_ == Part::data) {
            const auto run = static_cast<std::size_t>(std::min<std::uint64_t>(left_, size - step.consumed));
            if (step.body != step.consumed)
                std::memmove(bytes + step.body, bytes + step.consumed, run);
            step.body += run;
            step.consumed += run;
            left_ -= run;
            body_total_ += run;
            if (left_ == 0)
                part_ = Part::data_cr;
            continue;
        }
        if (part_ == Part::data_cr || part_ == Part::size_first) {
            if (const auto whole = plain_size_line(bytes + step.consumed, size - step.consumed)) {
                step.consumed += whole;
                continue;
            }
        }
        part_ = after(bytes[step.consumed++]);
        if (!within_limits())
            part_ = Part::error;
    }
    return step;
}

// What stands between the data of two chunks nearly always: [CR LF] digits CR LF, all of it there. Takes it at once; 0, and
// nothing taken, when it is anything else.
std::size_t ChunkDecoder::plain_size_line(const char* bytes, std::size_t size)
{
    const std::size_t first = part_ == Part::data_cr ? 2 : 0;
    if (first > 0 && (size < 2 || bytes[0] != '\r' || bytes[1] != '\n'))
        return 0;
    auto at = first;
    std::uint64_t value = 0;
    for (; at < size && at < first + most_plain_digits && hex_value(bytes[at]) >= 0; ++at)
        value = value * 16 + static_cast<std::uint64_t>(hex_value(bytes[at]));
    if (at == first || at + 2 > size || bytes[at] != '\r' || bytes[at + 1] != '\n' || value == 0)
        return 0;
    left_ = value;
    digits_ = static_cast<unsigned>(at - first);
    line_ = at - first + 1;
    overhead_ += at + 2;
    part_ = within_limits() ? Part::data : Part::error;
    return at + 2;
}

ChunkDecoder::Part ChunkDecoder::after(char c)
{
    const bool in_trailer = part_ == Part::trailer_start || part_ == Part::trailer_line || part_ == Part::trailer_lf;
    if (in_trailer)
        ++trailer_;
    else
        ++overhead_;
    switch (part_) {
    case Part::size_first:
        left_ = 0;
        digits_ = 0;
        line_ = 0;
        return hex_value(c) < 0 ? Part::error : size_digit(c);
    case Part::size:
        return size_digit(c);
    case Part::size_blank:   // an extension has to follow: readers do not agree on what "5 \r\n" or "5 3" is
        ++line_;
        return c == ';' ? Part::extension : is_blank(c) ? Part::size_blank : Part::error;
    case Part::extension:
        ++line_;
        return c == '\r' ? Part::size_lf : is_line_text(c) ? Part::extension : Part::error;
    case Part::size_lf:
        return c != '\n' ? Part::error : left_ > 0 ? Part::data : Part::trailer_start;
    case Part::data_cr:
        return c == '\r' ? Part::data_lf : Part::error;
    case Part::data_lf:
        return c == '\n' ? Part::size_first : Part::error;
    case Part::trailer_start:
        return c == '\r' ? Part::end_lf : is_line_text(c) ? Part::trailer_line : Part::error;
    case Part::trailer_line:
        return c == '\r' ? Part::trailer_lf : is_line_text(c) ? Part::trailer_line : Part::error;
    case Part::trailer_lf:
        return c == '\n' ? Part::trailer_start : Part::error;
    case Part::end_lf:
        return c == '\n' ? Part::done : Part::error;
    case Part::data:
    case Part::done:
    case Part::error:
        break;
    }
    return Part::error;
}

ChunkDecoder::Part ChunkDecoder::size_digit(char c)
{
    ++line_;
    if (c == '\r')
        return Part::size_lf;
    if (c == ';')
        return Part::extension;
    if (is_blank(c))
        return Part::size_blank;
    const int value = hex_value(c);
    if (value < 0 || ++digits_ > most_digits)
        return Part::error;
    left_ = left_ * 16 + static_cast<std::uint64_t>(value);
    return Part::size;
}

bool ChunkDecoder::within_limits() const
{
    return line_ <= limits_.line_bytes && trailer_ <= limits_.trailer_bytes &&
           overhead_ <= limits_.overhead_bytes + body_total_ * limits_.overhead_per_body_byte;
}

}  // namespace dure::http
