// Request bodies. They stay in the input buffer, which grows as the bytes arrive and not as they are announced; a large
// buffer is given to the exchange at the end.
#include <algorithm>
#include <cstring>

#include "http/chunk_decoder.hpp"
#include "http/server/connection.hpp"

namespace dure::http {
namespace connection_body_parts {

constexpr std::size_t first_room = 64 * 1024;
constexpr std::size_t room_behind = 1024;   // for the read that watches the client while the body is in use

Error too_large()
{
    return Error(Errc::payload_too_large, "The request body is too large.").reason("payload_too_large");
}

}  // namespace connection_body_parts

using namespace connection_body_parts;

Task<Result<std::string_view>> Connection::read_body(std::size_t limit)
{
    if (body_ == Body::none)
        co_return std::string_view();
    if (body_ != Body::unread || answer_ != Answer::none)
        throw InvariantBroken("a body is read once, before the answer");
    body_ = Body::reading;
    if (auto checked = check_body(limit); !checked)
        co_return checked.error();
    if (framing_.expects_continue && link_->input().empty()) {
        Pieces pieces;
        pieces.add("HTTP/1.1 100 Continue\r\n\r\n");
        DURE_CO_TRY_VOID(co_await send(pieces));
    }
    Result<std::size_t> size = framing_.chunked ? 0 : *head_.content_length;
    if (framing_.chunked)
        size = co_await read_chunked_body(limit, Steady::now() + limits().body_total);
    else if (link_->input().size() < *size)
        size = co_await read_sized_body(*size, Steady::now() + limits().body_total);
    else
        body_raw_ = *size;   // mostly it came with the head
    if (!size)
        co_return size.error();
    body_ = Body::read;
    const char* const bytes = link_->data();
    if (large_body_ = link_->detach_large(body_raw_); large_body_)   // `bytes` stays where it is, under a new owner
        body_raw_ = 0;
    link_->pin(body_raw_ > 0);
    link_->watch();
    co_return std::string_view(bytes, *size);
}

Result<void> Connection::check_body(std::size_t limit)
{
    const auto announced = head_.content_length.value_or(0);
    if (announced > limit)
        return too_large();
    return make_body_room(0, std::min<std::size_t>(announced, first_room));
}

// Charges the bodies' budget for `have + missing` bytes, or as much of it as is made room for in one step.
Result<void> Connection::make_body_room(std::size_t have, std::size_t missing)
{
    const auto step = std::min(missing, std::max(have, first_room));
    if (const auto needed = have + step; needed > budget_) {
        if (!shared().bodies.take(needed - budget_))
            return Error(Errc::unavailable, "The server is busy with other uploads, try again shortly.")
                .reason("bodies_in_memory")
                .retry_after(std::chrono::seconds(1));
        budget_ = needed;
    }
    if (have > 0 || missing > 0)
        link_->reserve(step + room_behind);
    return {};
}

Task<Result<void>> Connection::await_body_bytes(Steady::time_point until)
{
    const auto idle_until = Steady::now() + limits().body_idle;
    const auto event = co_await link_->wait_input(std::min(until, idle_until));
    if (event == Link::Event::timeout)
        co_return Error(Errc::request_timeout, "The request body did not arrive in time.");
    if (event == Link::Event::ended)
        co_return Error(Errc::cancelled, "The client closed the connection within its request.");
    co_return Result<void>();
}

Task<Result<std::size_t>> Connection::read_sized_body(std::size_t size, Steady::time_point until)
{
    while (link_->input().size() < size) {
        const auto have = link_->input().size();
        if (!link_->reading())
            DURE_CO_TRY_VOID(make_body_room(have, size - have));
        DURE_CO_TRY_VOID(co_await await_body_bytes(until));
    }
    body_raw_ = size;
    co_return size;
}

Task<Result<std::size_t>> Connection::read_chunked_body(std::size_t limit, Steady::time_point until)
{
    ChunkDecoder::Limits bounds;
    bounds.line_bytes = limits().chunk_line_bytes;
    bounds.trailer_bytes = limits().trailer_bytes;
    bounds.overhead_bytes = limits().chunk_overhead_bytes;
    ChunkDecoder decoder(bounds);
    std::size_t size = 0;   // of the body so far, at the front of the input
    std::size_t raw = 0;    // where what is not decoded yet begins
    for (;;) {
        const auto step = decoder.decode(link_->data() + raw, link_->input().size() - raw);
        std::memmove(link_->data() + size, link_->data() + raw, step.body);
        size += step.body;
        raw += step.consumed;
        if (size > limit)
            co_return too_large();
        if (decoder.state() == ChunkDecoder::State::error)
            co_return Error(Errc::invalid_argument, "The chunked body is malformed.").reason("bad_request");
        if (decoder.state() == ChunkDecoder::State::done)
            break;
        if (!link_->reading()) {   // all is decoded: the gap behind the body closes
            link_->truncate(size);
            raw = size;
            DURE_CO_TRY_VOID(make_body_room(size, first_room));
        }
        DURE_CO_TRY_VOID(co_await await_body_bytes(until));
    }
    body_raw_ = raw;
    co_return size;
}

}  // namespace dure::http
