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
    std::optional<std::string_view> whole_at_once(std::size_t limit) override;
    Task<Result<std::string>> read_all(std::size_t limit, Deadline until, Steady::duration silence) override;

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
    bool touched_ = false;  // some of the body has been handed out
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
    touched_ = true;
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

std::optional<std::string_view> Stream::whole_at_once(std::size_t limit)
{
    if (head_.framing != Framing::length || head_.length > limit || touched_ || lease_.connection() == nullptr ||
        lease_.connection()->unread() < head_.length)
        return std::nullopt;
    return decode_arrived();
}

Task<Result<std::string>> Stream::read_all(std::size_t limit, Deadline until, Steady::duration silence)
{
    const auto too_large = [] { return Error(Errc::payload_too_large, "The upstream's answer is too large."); };
    if (head_.framing == Framing::length && head_.length > limit)
        co_return fail(too_large());
    std::string all;
    for (;;) {
        auto now = ready();   // a short answer came whole with its head: no frame for looking
        const bool bounded = silence != Steady::duration::max();
        const auto bytes = now ? *std::move(now) : co_await read(bounded ? until.sooner(silence) : until);
        if (!bytes)
            co_return bytes.error();
        if (bytes->empty())
            co_return all;
        if (bytes->size() > limit - all.size())
            co_return fail(too_large());
        all.append(*bytes);
    }
}

// Told by its first bytes: such a peer may never end a line.
bool may_become_http(std::string_view arrived)
{
    constexpr std::string_view beginning = "HTTP/";
    const auto length = std::min(arrived.size(), beginning.size());
    return arrived.substr(0, length) == beginning.substr(0, length);
}

// The heads of one exchange as they arrive; without waits.
class HeadReader {
public:
    HeadReader(Connection& connection, Method method) : connection_(connection), method_(method) {}

    // Looks at what has arrived. True: done, with head() or, when that is empty, with error() or none ("stale").
    bool look();
    // Behind a wait for more. False: done.
    bool take(const IoResult& got, bool may_be_stale);
    std::optional<ResponseHead>& head() { return head_; }
    std::optional<Error>& error() { return error_; }

private:
    std::string_view arrived() const { return {connection_.unread_begin(), connection_.unread()}; }
    bool fail(const char* reason, std::string detail)
    {
        error_ = upstream_error(reason, std::move(detail));
        return true;
    }

    Connection& connection_;
    const Method method_;
    std::size_t scanned_ = 0;
    std::optional<ResponseHead> head_;
    std::optional<Error> error_;
};

// The next whole head, interim ones too.
bool HeadReader::look()
{
    const std::size_t size = find_head_end(arrived(), scanned_);
    if (size > longest_response_head || (size == 0 && arrived().size() >= longest_response_head))
        return fail("protocol", "the head is too large");
    if (size == 0)
        return may_become_http(arrived()) ? false : fail("protocol", "not HTTP");
    const char* problem = nullptr;
    head_ = parse_response_head(arrived().substr(0, size), method_, problem);
    connection_.consume(size);
    scanned_ = 0;
    return head_ ? true : fail("protocol", problem);
}

bool HeadReader::take(const IoResult& got, bool may_be_stale)
{
    if (got.ok())
        return true;
    if (got.timed_out)
        error_ = waited_too_long("head_timeout");
    else if (!may_be_stale || !arrived().empty())
        error_ = upstream_error("cut", "before the end of the head: " + got.error.message());
    return false;
}

// What a write left to do.
void skip_sent(RequestBytes& bytes, std::size_t sent)
{
    for (auto& part : bytes) {
        const auto of_part = std::min(sent, part.size());
        part += of_part;
        sent -= of_part;
    }
}

}  // namespace exchange_parts

using namespace exchange_parts;

Task<HeadOutcome> exchange_heads(Lease lease, const RequestForm& form, const ClientCall& call, Steady::time_point now)
{
    HeadOutcome out;
    Connection& connection = *lease.connection();
    const HeadEnd head_end(form.method(), call.body);
    const auto lines = form.lines();
    RequestBytes bytes{boost::asio::buffer(lines.data(), lines.size()),
                       boost::asio::buffer(head_end.text().data(), head_end.text().size()),
                       boost::asio::buffer(call.body.data(), call.body.size())};
    IoResult sent = connection.write_at_once(bytes);
    if (sent.ok() && sent.bytes < boost::asio::buffer_size(bytes)) {
        skip_sent(bytes, sent.bytes);
        sent = co_await connection.write(bytes, call.deadline.sooner(call.timeouts.head));
        now = Steady::now();
    }
    if (sent.timed_out) {
        out.error = waited_too_long("head_timeout");
        co_return out;
    }
    // A failed write may still be followed by an answer (a refusal before the whole body was read).
    const Deadline until(std::min(call.deadline.at(), now + call.timeouts.head));
    HeadReader heads(connection, form.method());
    bool may_be_stale = connection.reused();
    for (int interim = 0; interim < most_interim_answers; ++interim) {
        while (!heads.look())
            if (!heads.take(co_await connection.fill(until), may_be_stale))
                break;
        may_be_stale = false;
        auto& head = heads.head();
        if (!head || heads.error()) {
            out.error = std::move(heads.error());
            co_return out;
        }
        if (head->status == 101) {
            out.error = upstream_error("protocol", "it switched the protocol unasked");
            co_return out;
        }
        if (head->status < 200) {
            head.reset();
            continue;
        }
        head->keep_alive = head->keep_alive && sent.ok();
        out.stream = std::make_unique<Stream>(std::move(lease), std::move(*head));
        co_return out;
    }
    out.error = upstream_error("protocol", "too many interim answers");
    co_return out;
}

}  // namespace dure::http::outgoing
