// WebSockets are Beast's, on top of the connection's link: the bytes that are already read, the one outstanding read and
// TLS stay where they are. Pings and the close on silence are Beast's time-outs.
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/system/system_error.hpp>

#include "dure/base/text.hpp"
#include "dure/base/timeout.hpp"
#include "http/server/connection.hpp"

namespace dure::http {
namespace websocket_parts {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;

// A link as Beast's kind of stream.
class LinkStream {
public:
    using executor_type = asio::any_io_executor;

    explicit LinkStream(std::shared_ptr<Link> link) : link_(std::move(link)) {}

    executor_type get_executor() { return link_->socket().get_executor(); }
    void close() { link_->close(); }

    template <class Buffers, class Token>
    auto async_read_some(const Buffers& buffers, Token&& token)
    {
        return asio::async_initiate<Token, void(error_code, std::size_t)>(
            [link = link_](auto handler, asio::mutable_buffer target) {
                auto slot = asio::get_associated_cancellation_slot(handler);
                if (slot.is_connected())
                    slot.assign([link](asio::cancellation_type) { link->cancel_read_into(); });
                auto shared = std::make_shared<decltype(handler)>(std::move(handler));
                link->read_into(target, [link, shared, slot](error_code error, std::size_t bytes) mutable {
                    if (slot.is_connected())
                        slot.clear();
                    auto executor = asio::get_associated_executor(*shared, link->socket().get_executor());
                    asio::post(executor, [handler = std::move(*shared), error, bytes]() mutable { handler(error, bytes); });
                });
            },
            token, first_of(buffers));
    }

    template <class Buffers, class Token>
    auto async_write_some(const Buffers& buffers, Token&& token)
    {
        return asio::async_initiate<Token, void(error_code, std::size_t)>(
            [link = link_](auto handler, const Buffers& data) {
                if (link->tls())
                    link->tls()->async_write_some(data, std::move(handler));
                else
                    link->socket().async_write_some(data, std::move(handler));
            },
            token, buffers);
    }

private:
    template <class Buffers>
    static asio::mutable_buffer first_of(const Buffers& buffers)
    {
        for (auto at = asio::buffer_sequence_begin(buffers); at != asio::buffer_sequence_end(buffers); ++at)
            if (asio::mutable_buffer(*at).size() > 0)
                return asio::mutable_buffer(*at);
        return {};
    }

    std::shared_ptr<Link> link_;
};

// Beast finds these by name when a WebSocket ends or times out.
void beast_close_socket(LinkStream& stream)
{
    stream.close();
}

void teardown(beast::role_type, LinkStream& stream, error_code& error)
{
    stream.close();
    error = {};
}

template <class Handler>
void async_teardown(beast::role_type, LinkStream& stream, Handler&& handler)
{
    stream.close();
    asio::post(stream.get_executor(), [done = std::forward<Handler>(handler)]() mutable { done(error_code()); });
}

class BeastWebSocket final : public WebSocket {
public:
    BeastWebSocket(std::shared_ptr<Link> link, const ServerLimits& limits) : stream_(link), stall_(limits.write_stall)
    {
        beast::websocket::stream_base::timeout timeout{};
        timeout.handshake_timeout = limits.header_timeout;
        timeout.idle_timeout = limits.websocket_ping;
        timeout.keep_alive_pings = true;
        stream_.set_option(timeout);
        stream_.read_message_max(limits.websocket_message);
        stream_.text(true);
    }

    Task<Result<void>> accept(beast::http::request<beast::http::empty_body> request, std::string protocol, std::string id)
    {
        stream_.set_option(beast::websocket::stream_base::decorator([protocol, id](beast::websocket::response_type& answer) {
            answer.set(beast::http::field::server, "dure");
            answer.set("X-Request-ID", id);
            if (!protocol.empty())
                answer.set(beast::http::field::sec_websocket_protocol, protocol);
        }));
        const auto [error] = co_await stream_.async_accept(request, asio::as_tuple(asio::use_awaitable));
        if (error)
            co_return gone(error);
        co_return Result<void>();
    }

    Task<Result<std::string>> receive() override
    {
        std::string text;
        auto buffer = asio::dynamic_buffer(text);
        const auto [error, size] = co_await stream_.async_read(buffer, asio::as_tuple(asio::use_awaitable));
        co_await throw_when_cancelled();
        if (error == beast::websocket::error::message_too_big || error == beast::websocket::error::buffer_overflow)
            co_return Error(Errc::payload_too_large, "The message is too large.");
        if (error)
            co_return gone(error);
        if (!stream_.got_text()) {
            co_await close(1003, "text only");
            co_return Error(Errc::cancelled, "The peer sent a binary message.");
        }
        co_return text;
    }

    Task<Result<void>> send(std::string_view text) override
    {
        const auto sent = co_await with_timeout(write(text), Deadline::after(stall_));
        if (sent)
            co_return *sent;
        beast_close_socket(stream_.next_layer());
        co_return Error(Errc::cancelled, "The peer does not read.");
    }

    Task<void> close(std::uint16_t code, std::string_view reason) override
    {
        const auto text = utf8_prefix(reason, 120);   // a control frame has 125 bytes, two of them the code
        const beast::websocket::close_reason why(static_cast<beast::websocket::close_code>(code),
                                                 beast::string_view(text.data(), text.size()));
        // The answer to it is the peer's business: an error here means that the connection has ended already.
        co_await stream_.async_close(why, asio::as_tuple(asio::use_awaitable));
    }

private:
    Task<Result<void>> write(std::string_view text)
    {
        const auto [error, size] = co_await stream_.async_write(asio::buffer(text), asio::as_tuple(asio::use_awaitable));
        co_await throw_when_cancelled();
        if (error)
            co_return gone(error);
        co_return Result<void>();
    }

    static Task<void> throw_when_cancelled()
    {
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none)
            throw boost::system::system_error(asio::error::operation_aborted);
    }

    static Error gone(error_code error)
    {
        return Error(Errc::cancelled, "The peer closed the connection.").detail(error.message());
    }

    beast::websocket::stream<LinkStream> stream_;
    std::chrono::milliseconds stall_;
};

bool lists(const RequestHead& head, std::string_view name, std::string_view wanted)
{
    for (const auto& field : head.headers) {
        if (!equals_ignoring_case(field.name, name))
            continue;
        for (auto left = field.value; !left.empty();) {
            const auto element = left.substr(0, left.find(','));
            if (equals_ignoring_case(trim(element), wanted))
                return true;
            left.remove_prefix(std::min(element.size() + 1, left.size()));
        }
    }
    return false;
}

Error no_upgrade(std::string_view why)
{
    return Error(Errc::invalid_argument, std::string(why)).reason("websocket_required");
}

}  // namespace websocket_parts

using namespace websocket_parts;

Result<void> Connection::check_upgrade() const
{
    if (head_.method != Method::get || framing_.http_1_0 || head_.has_body)
        return no_upgrade("A WebSocket begins with a GET request of HTTP/1.1 without a body.");
    if (!lists(head_, "connection", "upgrade") || !lists(head_, "upgrade", "websocket"))
        return no_upgrade("This address speaks WebSocket only.");
    if (head_.count("sec-websocket-version") != 1 || *head_.header("sec-websocket-version") != "13")
        return no_upgrade("Only version 13 of WebSocket is spoken here.");
    const auto key = head_.header("sec-websocket-key");
    if (head_.count("sec-websocket-key") != 1 || key->size() != 24 || !key->ends_with("=="))
        return no_upgrade("The WebSocket key is malformed.");
    return {};
}

Task<Result<std::unique_ptr<WebSocket>>> Connection::upgrade(std::string_view subprotocol)
{
    if (answer_ != Answer::none)
        throw InvariantBroken("an exchange is answered once");
    DURE_CO_TRY_VOID(check_upgrade());
    beast::http::request<beast::http::empty_body> request(beast::http::verb::get, "/", 11);
    for (const auto& field : head_.headers)
        request.insert(beast::string_view(field.name.data(), field.name.size()),
                       beast::string_view(field.value.data(), field.value.size()));
    auto socket = std::make_unique<BeastWebSocket>(link_, limits());
    upgraded_ = true;
    answer_ = Answer::finished;
    status_ = 101;
    DURE_CO_TRY_VOID(co_await socket->accept(std::move(request), std::string(subprotocol), head_.request_id));
    co_return std::unique_ptr<WebSocket>(std::move(socket));
}

}  // namespace dure::http
