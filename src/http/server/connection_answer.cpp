// Answers: the head is formatted once into a buffer of the connection, small bodies and chunks behind it, and everything
// that belongs together goes out in one send.
#include <array>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>
#include <charconv>
#include <cstring>
#include <utility>

#include "dure/base/json_text.hpp"
#include "dure/base/spare_room.hpp"
#include "dure/base/text.hpp"
#include "http/send_turn.hpp"
#include "http/server/connection.hpp"

namespace dure::http {
namespace connection_answer_parts {

constexpr std::size_t copied_size = 8 * 1024;  // up to here copying is cheaper than a second piece

Error client_is_gone()
{
    return Error(Errc::cancelled, "The client is gone.");
}

bool has_no_body(int status)
{
    return status < 200 || status == 204 || status == 304;
}

void append_number(std::string& out, std::uint64_t number, int base = 10)
{
    std::array<char, 24> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, base).ptr;
    out.append(digits.data(), end);
}

constexpr auto name_characters = [] {
    std::array<bool, 256> all{};
    for (const char c : std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"))
        all[static_cast<unsigned char>(c)] = true;
    return all;
}();

// These two look at every character, since what they look for is hardly ever there.
bool is_field_name(std::string_view name)
{
    bool sound = !name.empty();
    for (const char c : name)
        sound &= name_characters[static_cast<unsigned char>(c)];
    return sound;
}

bool ends_line(std::string_view value)
{
    using namespace json_words;
    std::uint64_t found = 0;
    const auto look_at = [&found](std::uint64_t word) {
        found |= zero_bytes(word ^ every_byte('\r')) | zero_bytes(word ^ every_byte('\n')) | zero_bytes(word);
    };
    for (; value.size() >= sizeof found; value.remove_prefix(sizeof found)) {
        std::uint64_t word;
        std::memcpy(&word, value.data(), sizeof word);
        look_at(word);
    }
    for (const char c : value)
        look_at(every_byte(static_cast<unsigned char>(c)));
    return found != 0;
}

bool is_reserved(std::string_view name)
{
    switch (name.size()) {
    case 4: return equals_ignoring_case(name, "date");
    case 6: return equals_ignoring_case(name, "server");
    case 10: return equals_ignoring_case(name, "connection");
    case 14: return equals_ignoring_case(name, "content-length");
    case 17: return equals_ignoring_case(name, "transfer-encoding");
    default: return false;
    }
}

// A header that a handler made out of foreign text must not become two, and framing is the connection's alone.
void append_field(std::string& out, std::string_view name, std::string_view value)
{
    if (!is_field_name(name) || ends_line(value))
        throw InvariantBroken("malformed answer header " + ascii_lower(name).substr(0, 64));
    if (is_reserved(name))
        throw InvariantBroken("answer header " + ascii_lower(name) + " belongs to the connection");
    out.append(name).append(": ").append(value).append("\r\n");
}

bool gives(const Response& response, std::string_view name)
{
    for (const auto& [given, value] : response.headers)
        if (equals_ignoring_case(given, name))
            return true;
    return false;
}

}  // namespace connection_answer_parts

using namespace connection_answer_parts;

// Everything of the head but what tells the length. Throws before any state has changed.
void Connection::append_fields(const Response& response)
{
    out_.clear();
    borrow_room(out_);
    out_.append("HTTP/1.1 ");
    append_number(out_, static_cast<std::uint64_t>(response.status));
    out_.append(" ").append(reason_phrase(response.status)).append(core_->common_fields());
    if (!gives(response, "x-request-id"))
        out_.append("X-Request-ID: ").append(head_.request_id).append("\r\n");
    if (!response.content_type.empty())
        append_field(out_, "Content-Type", response.content_type);
    for (const auto& [name, value] : response.headers)
        if (!equals_ignoring_case(name, "x-content-type-options"))
            append_field(out_, name, value);
}

void Connection::begin_answer(const Response& head, Answer state)
{
    if (answer_ != Answer::none || upgraded_)
        throw InvariantBroken("an exchange is answered once");
    append_fields(head);
    answer_ = state;
    status_ = head.status;
    const bool unread = body_ == Body::unread || body_ == Body::reading;
    close_after_ = close_after_ || !head_.keep_alive || unread || requests_ >= limits().requests_per_connection ||
                   shared().stopping.load(std::memory_order_relaxed);
}

// Mostly all of it goes at once, and nobody waits. False: the client is gone.
bool Connection::send_now(Pieces& pieces)
{
    broken_ = broken_ || !link_->write_now(pieces);
    return !broken_;
}

Task<Result<void>> Connection::send(Pieces pieces)
{
    if (broken_)
        co_return client_is_gone();
    broken_ = true;  // until all is sent: a cancelled write leaves half a message behind
    if (!link_->write_now(pieces))
        co_return client_is_gone();
    if (!pieces.empty() && !co_await link_->write(pieces))
        co_return client_is_gone();
    broken_ = false;
    co_return Result<void>();
}

Task<Result<void>> Connection::respond(Response response)
{
    if (send_waits_its_turn(core_->exchanges.load(std::memory_order_relaxed))) {
        co_await boost::asio::post(boost::asio::deferred);
        const auto state = co_await boost::asio::this_coro::cancellation_state;
        const bool last_chance = cancelled_ && !link_->ended();  // the server stops, and the client still reads
        if (state.cancelled() != boost::asio::cancellation_type::none &&
            !last_chance)  // another answer may be given instead
            throw boost::system::system_error(boost::asio::error::operation_aborted);
    }
    begin_answer(response, Answer::finished);
    if (!has_no_body(response.status)) {
        out_.append("Content-Length: ");
        append_number(out_, response.body.size());
        out_.append("\r\n");
    }
    if (close_after_)
        out_.append("Connection: close\r\n");
    else if (framing_.http_1_0)
        out_.append("Connection: keep-alive\r\n");
    out_.append("\r\n");
    const bool with_body = head_.method != Method::head && !has_no_body(response.status);
    const bool copied = with_body && response.body.size() <= copied_size;
    if (copied)
        out_.append(response.body);
    Pieces pieces;
    pieces.add(out_);
    if (with_body && !copied)
        pieces.add(response.body);
    if (!send_now(pieces))
        co_return client_is_gone();
    if (!pieces.empty())
        DURE_CO_TRY_VOID(co_await send(pieces));
    return_room(out_);
    co_return Result<void>();
}

Task<Result<void>> Connection::start_stream(Response head)
{
    close_after_ = framing_.http_1_0;  // its end is told by closing
    begin_answer(head, Answer::streaming);
    chunked_answer_ = !framing_.http_1_0;
    bodiless_ = head_.method == Method::head;
    if (chunked_answer_)
        out_.append("Transfer-Encoding: chunked\r\n");
    out_.append(close_after_ ? "Connection: close\r\n\r\n" : "\r\n");
    head_pending_ = true;
    link_->bound_output(limits().stream_buffer);
    if (broken_)
        co_return client_is_gone();
    co_return Result<void>();
}

Task<Result<void>> Connection::write(std::string_view bytes)
{
    return send_chunk(bytes, false);
}

Task<Result<void>> Connection::finish_stream(std::string_view last_bytes)
{
    return send_chunk(last_bytes, true);
}

Task<Result<void>> Connection::send_chunk(std::string_view bytes, bool last)
{
    if (answer_ != Answer::streaming)
        throw InvariantBroken("no stream is open");
    if (!std::exchange(head_pending_, false)) {
        out_.clear();
        borrow_room(out_);
    }
    if (bodiless_)
        bytes = {};
    const bool framed = chunked_answer_ && !bodiless_;
    if (framed && !bytes.empty()) {
        append_number(out_, bytes.size(), 16);
        out_.append("\r\n");
    }
    const std::string_view behind_bytes = framed && !bytes.empty() ? "\r\n" : "";
    const std::string_view end = framed && last ? "0\r\n\r\n" : "";
    Pieces pieces;
    if (bytes.size() <= copied_size) {
        out_.append(bytes).append(behind_bytes).append(end);
        pieces.add(out_);
    } else {
        pieces.add(out_);
        pieces.add(bytes);
        pieces.add(behind_bytes);
        pieces.add(end);
    }
    if (!send_now(pieces))
        co_return client_is_gone();
    if (!pieces.empty())
        DURE_CO_TRY_VOID(co_await send(pieces));
    return_room(out_);  // a stream may last: it keeps no room between its chunks
    if (last)
        answer_ = Answer::finished;
    co_return Result<void>();
}

}  // namespace dure::http
