// The transport over Streamable HTTP; see http_transport.hpp.
#include "tools/mcp/http_transport.hpp"

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>

#include "dure/base/text.hpp"
#include "dure/base/timeout.hpp"
#include "dure/http/fetch.hpp"
#include "dure/http/sse.hpp"
#include "tools/mcp/protocol.hpp"

namespace dure::tools::mcp {
namespace http_parts {

constexpr std::size_t longest_session_id = 512;
constexpr std::size_t shown_of_a_refusal = 300;
constexpr auto tail_patience = std::chrono::milliseconds(100);   // for the end of a stream whose answer has come
constexpr auto first_pause = std::chrono::milliseconds(500);
constexpr auto longest_pause = std::chrono::seconds(10);
constexpr int most_redirects_here = 3;
constexpr int listen_attempts = 3;   // of the GET stream in a row, then the connection counts as lost

std::string media_type(const http::ResponseStream& answer)
{
    const auto type = answer.header("content-type");
    return ascii_lower(trim(type.substr(0, type.find(';'))));
}

Error refused(int status, std::string_view body)
{
    const char* const reason = status == 401 || status == 403 ? "credential" : "status";
    return Error(Errc::upstream_failed, "The tool server answered with status " + std::to_string(status) + ".")
        .reason(reason)
        .detail(redact(to_valid_utf8(utf8_prefix(body, shown_of_a_refusal))));
}

class HttpTransport : public std::enable_shared_from_this<HttpTransport> {
public:
    HttpTransport(boost::asio::any_io_executor executor, HttpOptions options, http::Client& client,
                  const http::EgressPolicy& policy, Logger& logger, TransportEvents events)
        : executor_(std::move(executor)), options_(std::move(options)), client_(client), policy_(policy),
          logger_(logger), events_(std::move(events)), url_(options_.url)
    {}

    Task<Result<void>> send(std::string message, std::optional<std::int64_t> answer_to, Deadline deadline)
    {
        auto request = request_for(http::Method::post, "application/json, text/event-stream", deadline);
        request.headers.emplace_back("Content-Type", "application/json");
        request.body = message;
        auto answer = co_await send_where_it_lives(std::move(request));
        if (!answer)
            co_return answer.error();
        const int status = (*answer)->status();
        if (status < 200 || status >= 300)
            co_return co_await refusal(**answer, deadline);
        remember_session(**answer);
        if (!answer_to || status == 202 || status == 204)
            co_return answer_to ? Result<void>(refused(status, "no answer to a request")) : Result<void>();
        if (media_type(**answer) == "text/event-stream")
            co_return co_await read_stream(**answer, *answer_to, deadline);
        auto body = co_await (*answer)->read_all(longest_message, deadline);
        if (!body)
            co_return body.error();
        auto messages = read_messages(*body);
        if (!messages)
            co_return messages.error();
        if (!tell_all(std::move(*messages), *answer_to))
            co_return Error(Errc::upstream_failed, "The tool server's answer is not that to the request.")
                .reason("protocol");
        co_return Result<void>();
    }

    void initialized(const std::string& version)
    {
        version_ = version;
        auto ended = [self = shared_from_this()](std::exception_ptr) {};   // cancelled by close()
        boost::asio::co_spawn(executor_, listen(shared_from_this()),
                              boost::asio::bind_cancellation_slot(listening_.slot(), std::move(ended)));
    }

    Task<void> close(Deadline deadline)
    {
        events_ = {};
        listening_.emit(boost::asio::cancellation_type::terminal);
        if (session_.empty())
            co_return;
        const auto request = request_for(http::Method::delete_, "application/json", deadline);
        const auto answer = co_await client_.send(request);   // 405: the server ends sessions by itself
        if (!answer)
            logger_.debug("tool server's session was not ended",
                          {{"server", options_.server}, {"error", answer.error().detail()}});
    }

    void abandon()
    {
        events_ = {};
        listening_.emit(boost::asio::cancellation_type::terminal);
    }

private:
    http::ClientRequest request_for(http::Method method, const char* accept, Deadline deadline) const
    {
        http::ClientRequest request(method, url_);
        request.egress = &policy_;
        request.deadline = deadline;
        request.timeouts.head = std::chrono::duration_cast<std::chrono::milliseconds>(
            std::min<Steady::duration>(deadline.left(), std::chrono::hours(1)));
        request.headers.emplace_back("Accept", accept);
        request.headers.emplace_back("Accept-Encoding", "identity");
        for (const auto& [name, value] : options_.headers)
            request.headers.emplace_back(name, value.reveal());
        if (!session_.empty())
            request.headers.emplace_back("Mcp-Session-Id", session_);
        if (!version_.empty())
            request.headers.emplace_back("MCP-Protocol-Version", version_);
        return request;
    }

    // A server at "/mcp/" sends who asks for "/mcp" there. Another server is not followed: it is not the configured one.
    Task<Result<std::unique_ptr<http::ResponseStream>>> send_where_it_lives(http::ClientRequest request)
    {
        for (int redirects = 0;; ++redirects) {
            auto answer = co_await client_.send(request);
            if (!answer || ((*answer)->status() != 307 && (*answer)->status() != 308) ||
                redirects == most_redirects_here)
                co_return answer;
            const auto to = http::resolve_reference(request.url, (*answer)->header("location"));
            if (!to || to->origin() != request.url.origin())
                co_return answer;
            request.url = url_ = *to;
        }
    }

    // 404 is the word for a session that is gone; servers built after the SDK's examples say 400.
    Task<Error> refusal(http::ResponseStream& answer, Deadline deadline)
    {
        const int status = answer.status();
        const auto body = co_await answer.read_all(64 * 1024, deadline);
        auto error = refused(status, body ? std::string_view(*body) : std::string_view());
        if (!session_.empty() && (status == 404 || status == 400))
            co_return Error(Errc::upstream_failed, "The tool server has forgotten the session.")
                .reason("session")
                .detail(error.detail());
        co_return error;
    }

    void remember_session(const http::ResponseStream& answer)
    {
        const auto id = answer.header("mcp-session-id");
        const bool fits = id.size() <= longest_session_id &&
                          std::all_of(id.begin(), id.end(), [](char c) { return c > ' ' && c < 0x7f; });
        if (session_.empty() && fits)
            session_ = id;
    }

    void tell(Json message)
    {
        if (events_.on_message)
            events_.on_message(std::move(message));
    }

    // True when the response to `answer_to` was among them. Others may come before it: of requests that were given up, say.
    bool tell_all(std::vector<Json> messages, std::optional<std::int64_t> answer_to)
    {
        bool answered = false;
        for (auto& one : messages) {
            answered = answered || (answer_to && kind_of(one) == MessageKind::response && one["id"] == *answer_to);
            tell(std::move(one));
        }
        return answered;
    }

    bool take(const http::SseEvent& event, std::optional<std::int64_t> answer_to)
    {
        if (event.data.empty())
            return false;
        auto messages = read_messages(event.data);
        if (!messages) {
            logger_.warn("tool server sent what is no message", {{"server", options_.server}});
            return false;
        }
        return tell_all(std::move(*messages), answer_to);
    }

    Task<Result<void>> read_stream(http::ResponseStream& answer, std::int64_t answer_to, Deadline deadline)
    {
        http::SseReader reader(longest_message);
        bool answered = false;
        for (;;) {
            const auto bytes = co_await answer.read(answered ? deadline.sooner(tail_patience) : deadline);
            if (answered && (!bytes || bytes->empty()))
                co_return Result<void>();
            if (!bytes)
                co_return bytes.error();
            http::SseEvent event;
            if (bytes->empty()) {
                if (reader.finish(event) && take(event, answer_to))
                    co_return Result<void>();
                co_return Error(Errc::upstream_failed, "The tool server ended its stream without an answer.")
                    .reason("cut");
            }
            reader.feed(*bytes);
            while (reader.next(event))
                answered = take(event, answer_to) || answered;
            if (reader.overflowed())
                co_return answer_too_long();
        }
    }

    // The GET stream, again and again while the server offers it. Where it cannot be had any more, the server is gone.
    Task<void> listen(std::shared_ptr<HttpTransport>)
    {
        Steady::duration pause = first_pause;
        for (int failures = 0; failures < listen_attempts;) {
            auto request = request_for(http::Method::get, "text/event-stream", Deadline::never());
            request.timeouts.head = std::chrono::milliseconds(30000);
            if (!last_event_.empty())
                request.headers.emplace_back("Last-Event-ID", last_event_);
            auto answer = co_await client_.send(request);
            const bool offered = answer && (*answer)->status() == 200 && media_type(**answer) == "text/event-stream";
            if (answer && !offered) {
                if (!session_.empty() && (*answer)->status() == 404)
                    break;
                co_return;  // 405: this server has no such stream
            }
            const bool lived = offered && co_await follow(**answer);
            failures = lived ? 0 : failures + 1;
            pause = lived ? Steady::duration(first_pause) : std::min<Steady::duration>(pause * 2, longest_pause);
            co_await sleep_for(pause);
        }
        if (events_.on_lost)
            std::exchange(events_.on_lost, nullptr)("it no longer answers");
    }

    // Until the stream ends; true when it brought anything.
    Task<bool> follow(http::ResponseStream& answer)
    {
        http::SseReader reader(longest_message);
        bool lived = false;
        for (;;) {
            const auto bytes = co_await answer.read(Deadline::never());
            if (!bytes || bytes->empty() || reader.overflowed())
                co_return lived;
            lived = true;
            reader.feed(*bytes);
            for (http::SseEvent event; reader.next(event);) {
                if (!event.id.empty() && event.id.size() <= longest_session_id)
                    last_event_ = event.id;
                take(event, {});
            }
        }
    }

    boost::asio::any_io_executor executor_;
    const HttpOptions options_;
    http::Client& client_;
    const http::EgressPolicy& policy_;
    Logger& logger_;
    TransportEvents events_;
    boost::asio::cancellation_signal listening_;
    http::Url url_;  // where the server said it lives
    std::string session_;
    std::string version_;
    std::string last_event_;
};

class HttpHandle final : public Transport {
public:
    explicit HttpHandle(std::shared_ptr<HttpTransport> transport) : transport_(std::move(transport)) {}
    ~HttpHandle() override { transport_->abandon(); }

    Task<Result<void>> open() override { co_return Result<void>(); }
    Task<Result<void>> send(std::string message, std::optional<std::int64_t> answer_to, Deadline deadline) override
    {
        co_return co_await transport_->send(std::move(message), answer_to, deadline);
    }
    void initialized(const std::string& version) override { transport_->initialized(version); }
    Task<void> close(Deadline deadline) override { co_return co_await transport_->close(deadline); }

private:
    const std::shared_ptr<HttpTransport> transport_;  // the GET stream holds it too
};

}  // namespace http_parts

std::unique_ptr<Transport> make_http_transport(boost::asio::any_io_executor executor, HttpOptions options,
                                               http::Client& client, const http::EgressPolicy& policy, Logger& logger,
                                               TransportEvents events)
{
    using namespace http_parts;
    return std::make_unique<HttpHandle>(std::make_shared<HttpTransport>(std::move(executor), std::move(options), client,
                                                                        policy, logger, std::move(events)));
}

}  // namespace dure::tools::mcp
