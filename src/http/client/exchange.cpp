// The exchange; see exchange.hpp. Whatever goes wrong closes the connection: only Stream::finish_body keeps it.
#include "http/client/exchange.hpp"

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
    Task<Result<std::string>> read_all(std::size_t limit, Deadline until) override;

private:
    void finish_body_if_done();
    std::string_view decode_arrived();
    Result<void> after_fill(const IoResult& got);
    Error fail(Error error);

    Lease lease_;
    ResponseHead head_;
    BodyDecoder decoder_;
    std::optional<Error> failure_;   // given again by every later read
    bool ended_cleanly_ = false;
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

Task<Result<std::string_view>> Stream::read(Deadline until)
{
    for (;;) {
        if (failure_)
            co_return *failure_;
        if (decoder_.state() == BodyDecoder::State::need_more && lease_.connection() == nullptr)
            co_return fail(upstream_error("cut", "reading was cancelled before"));
        if (decoder_.state() == BodyDecoder::State::need_more)
            if (const std::string_view bytes = decode_arrived(); !bytes.empty())
                co_return bytes;
        if (decoder_.state() == BodyDecoder::State::broken)
            co_return fail(upstream_error("protocol", "broken chunking"));
        if (decoder_.state() == BodyDecoder::State::done) {
            if (std::exchange(ended_cleanly_, false))
                lease_.keep();
            else
                lease_.close();
            co_return std::string_view();
        }
        CloseUnlessReleased guard(lease_);
        const IoResult got = co_await lease_.connection()->fill(until);
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
        const auto bytes = co_await read(until);
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
    const std::array<boost::asio::const_buffer, 2> bytes{boost::asio::buffer(head),
                                                        boost::asio::buffer(request.body.data(), request.body.size())};
    const IoResult sent = co_await connection.write(bytes, request.deadline.sooner(request.timeouts.head));
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
