// The exchange; see exchange.hpp. Whatever goes wrong closes the connection: only Stream::finish_body keeps it.
#include "http/client/exchange.hpp"

#include <algorithm>
#include <boost/asio/deferred.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

#include "dure/base/text.hpp"

namespace dure::http::outgoing {
namespace exchange_parts {

constexpr int most_interim_answers = 16;

Error upstream_error(const char* reason, std::string detail)
{
    return Error(Errc::upstream_failed, "The upstream did not answer properly.").reason(reason).detail(std::move(detail));
}

Error waited_too_long(const char* reason)
{
    return Error(Errc::timeout, "The upstream did not answer in time.").reason(reason);
}

class Stream final : public ResponseStream {
public:
    Stream(Lease lease, ResponseHead head)
        : lease_(std::move(lease)), head_(std::move(head)), decoder_(head_.framing, head_.length)
    {
        finish_body_if_done();
    }

    ~Stream() override
    {
        if (ended_cleanly_)
            lease_.keep();
    }

    int status() const override { return head_.status; }
    const std::vector<std::pair<std::string, std::string>>& headers() const override { return head_.headers; }
    std::string_view header(std::string_view name) const override;
    void forget_headers() override { std::vector<std::pair<std::string, std::string>>().swap(head_.headers); }
    Task<Result<std::string_view>> read(Deadline until) override;
    bool at_end() const override { return !failure_ && decoder_.state() == BodyDecoder::State::done; }
    Task<Result<std::string>> read_all(std::size_t limit, Deadline until) override;

private:
    void finish_body_if_done();
    std::string_view decode_arrived();
    // What read() gives without waiting.
    std::optional<Result<std::string_view>> ready();
    Result<void> after_fill(const IoResult& got);
    Error fail(Error error);

    Lease lease_;
    ResponseHead head_;
    BodyDecoder decoder_;
    std::optional<Error> failure_;   // given again by every later read
    bool ended_cleanly_ = false;
    bool waited_ = false;   // the body did not come with its head
};

// Closes the connection unless the read it watches over comes to a regular end; a cancelled one does not.
class CloseUnlessReleased {
public:
    explicit CloseUnlessReleased(Lease& lease) : lease_(&lease) {}
    CloseUnlessReleased(const CloseUnlessReleased&) = delete;
    CloseUnlessReleased& operator=(const CloseUnlessReleased&) = delete;
    ~CloseUnlessReleased()
    {
        if (lease_ != nullptr)
            lease_->close();
    }
    void release() { lease_ = nullptr; }

private:
    Lease* lease_;
};

std::string_view Stream::header(std::string_view name) const
{
    for (const auto& [key, value] : head_.headers)
        if (equals_ignoring_case(key, name))
            return value;
    return {};
}

// The connection stays in the lease until the stream or the next read ends, since the last view points into its buffer.
void Stream::finish_body_if_done()
{
    if (decoder_.state() != BodyDecoder::State::done || lease_.connection() == nullptr)
        return;
    ended_cleanly_ = head_.keep_alive && lease_.connection()->unread() == 0;
}

Error Stream::fail(Error error)
{
    lease_.close();
    failure_ = error;
    return error;
}

std::string_view Stream::decode_arrived()
{
    Connection& connection = *lease_.connection();
    if (connection.unread() == 0)
        return {};
    char* const bytes = connection.unread_begin();
    const auto step = decoder_.decode(bytes, connection.unread());
    connection.consume(step.consumed);
    finish_body_if_done();
    return {bytes, step.body};
}

std::optional<Result<std::string_view>> Stream::ready()
{
    if (failure_)
        return *failure_;
    if (decoder_.state() == BodyDecoder::State::need_more && lease_.connection() == nullptr)
        return fail(upstream_error("cut", "reading was cancelled before"));
    if (decoder_.state() == BodyDecoder::State::need_more)
        if (const std::string_view bytes = decode_arrived(); !bytes.empty())
            return bytes;
    if (decoder_.state() == BodyDecoder::State::broken)
        return fail(upstream_error("protocol", "broken chunking"));
    if (decoder_.state() != BodyDecoder::State::done)
        return std::nullopt;
    if (std::exchange(ended_cleanly_, false))
        lease_.keep();
    else
        lease_.close();
    return std::string_view();
}

Task<Result<std::string_view>> Stream::read(Deadline until)
{
    for (;;) {
        if (auto now = ready())
            co_return *std::move(now);
        CloseUnlessReleased guard(lease_);
        Connection& connection = *lease_.connection();
        if (!std::exchange(waited_, true))
            connection.delay_acknowledgements();
        IoResult got;
        if (!connection.plain())
            got = co_await connection.fill(until);
        else if (connection.has_had_its_turn())
            co_await boost::asio::post(boost::asio::deferred);
        while (connection.plain() && !connection.receive_now(got)) {
            co_await connection.readable(until);
            if (!connection.may_receive(co_await boost::asio::this_coro::cancellation_state, got))
                break;
        }
        guard.release();
        if (auto usable = after_fill(got); !usable)
            co_return usable.error();
    }
}

Result<void> Stream::after_fill(const IoResult& got)
{
    if (got.ok())
        return boost::system::in_place_value;
    if (got.timed_out)
        return waited_too_long("read_timeout");
    if (got.error == boost::asio::error::eof)
        decoder_.end_of_input();
    if (decoder_.state() == BodyDecoder::State::done)
        return boost::system::in_place_value;
    return fail(upstream_error("cut", got.error.message()));
}

Task<Result<std::string>> Stream::read_all(std::size_t limit, Deadline until)
{
    const auto too_large = [] { return Error(Errc::payload_too_large, "The upstream's answer is too large."); };
    if (head_.framing == Framing::length && head_.length > limit)
        co_return fail(too_large());
    std::string all;
    for (;;) {
        auto now = ready();   // a short answer came whole with its head: no frame for looking
        const auto bytes = now ? *std::move(now) : co_await read(until);
        if (!bytes)
            co_return bytes.error();
        if (bytes->empty())
            co_return all;
        if (bytes->size() > limit - all.size())
            co_return fail(too_large());
        all.append(*bytes);
    }
}

struct ArrivedHead {
    std::optional<ResponseHead> head;
    std::optional<Error> error;
    bool stale = false;
};

// Told by its first bytes: such a peer may never end a line.
bool may_become_http(std::string_view arrived)
{
    constexpr std::string_view beginning = "HTTP/";
    const auto length = std::min(arrived.size(), beginning.size());
    return arrived.substr(0, length) == beginning.substr(0, length);
}

// The next whole head, interim ones too.
Task<ArrivedHead> read_head(Connection& connection, Method method, Deadline until, bool may_be_stale)
{
    ArrivedHead out;
    std::size_t scanned = 0;
    for (;;) {
        const std::string_view arrived(connection.unread_begin(), connection.unread());
        const std::size_t size = find_head_end(arrived, scanned);
        if (size > longest_response_head || (size == 0 && arrived.size() >= longest_response_head)) {
            out.error = upstream_error("protocol", "the head is too large");
            co_return out;
        }
        if (size > 0) {
            const char* problem = nullptr;
            out.head = parse_response_head(arrived.substr(0, size), method, problem);
            if (!out.head)
                out.error = upstream_error("protocol", problem);
            connection.consume(size);
            co_return out;
        }
        if (!may_become_http(arrived)) {
            out.error = upstream_error("protocol", "not HTTP");
            co_return out;
        }
        const IoResult got = co_await connection.fill(until);
        if (got.ok())
            continue;
        out.stale = may_be_stale && !got.timed_out && arrived.empty();
        if (got.timed_out)
            out.error = waited_too_long("head_timeout");
        else if (!out.stale)
            out.error = upstream_error("cut", "before the end of the head: " + got.error.message());
        co_return out;
    }
}

}  // namespace exchange_parts

using namespace exchange_parts;

Task<HeadOutcome> exchange_heads(Lease lease, const ClientRequest& request, const std::string& head)
{
    HeadOutcome out;
    Connection& connection = *lease.connection();
    RequestBytes bytes{boost::asio::buffer(head), boost::asio::buffer(request.body.data(), request.body.size())};
    IoResult sent = connection.write_at_once(bytes);
    if (sent.ok() && sent.bytes < boost::asio::buffer_size(bytes)) {
        const auto of_head = std::min(sent.bytes, bytes[0].size());
        bytes[0] += of_head;
        bytes[1] += sent.bytes - of_head;
        sent = co_await connection.write(bytes, request.deadline.sooner(request.timeouts.head));
    }
    if (sent.timed_out) {
        out.error = waited_too_long("head_timeout");
        co_return out;
    }
    // A failed write may still be followed by an answer (a refusal before the whole body was read).
    const Deadline until = request.deadline.sooner(request.timeouts.head);
    bool may_be_stale = connection.reused();
    for (int interim = 0; interim < most_interim_answers; ++interim) {
        auto arrived = co_await read_head(connection, request.method, until, may_be_stale);
        may_be_stale = false;
        if (!arrived.head) {
            out.error = std::move(arrived.error);
            co_return out;
        }
        if (arrived.head->status == 101) {
            out.error = upstream_error("protocol", "it switched the protocol unasked");
            co_return out;
        }
        if (arrived.head->status < 200)
            continue;
        arrived.head->keep_alive = arrived.head->keep_alive && sent.ok();
        out.stream = std::make_unique<Stream>(std::move(lease), std::move(*arrived.head));
        co_return out;
    }
    out.error = upstream_error("protocol", "too many interim answers");
    co_return out;
}

}  // namespace dure::http::outgoing
