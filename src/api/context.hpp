// What a handler works with: the request's checked parts, and the answer. Handlers never read the Authorization header or
// touch sockets; they read input, call a service and answer through here, so that CORS and cache headers are on every
// answer, streams and errors included.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/answer_room.hpp"
#include "dure/auth/principal.hpp"
#include "dure/base/clock.hpp"
#include "dure/base/json.hpp"
#include "dure/http/router.hpp"
#include "dure/http/server.hpp"

namespace dure::schema {
class JsonIndex;
}

namespace dure::api {

using QueryParameters = std::vector<std::pair<std::string, std::string>>;

class RequestContext {
public:
    RequestContext(http::Exchange& exchange, std::vector<std::pair<std::string, std::string>> common_headers)
        : exchange_(exchange), common_headers_(std::move(common_headers))
    {
        common_headers_.reserve(common_headers_.size() + 3);  // those of the rate limit
    }

    const http::RequestHead& head() const { return exchange_.head(); }
    const std::string& request_id() const { return exchange_.head().request_id; }
    // Value of a header with white space trimmed; empty when absent. An empty header means absent (openai-clients §2).
    std::string header(std::string_view name) const;
    std::string path_parameter(std::string_view name) const;

    // The body of a route for JSON as it came, for readers that check the text themselves. unsupported_media_type for another
    // Content-Type (absent counts as JSON) or any Content-Encoding.
    Task<Result<std::string_view>> json_text(std::size_t limit);
    // The body as checked JSON text. unsupported_media_type for another Content-Type (absent counts as JSON) or any
    // Content-Encoding; invalid_argument (invalid_json) with the place of the fault. `members`: see schema::check_json.
    Task<Result<std::string_view>> json_body(std::size_t limit, schema::JsonIndex* members = nullptr);

    Task<Result<void>> respond(http::Response response);
    Task<Result<void>> respond_json(int status, const OrderedJson& body);
    // Holds nothing but its text while it is written.
    Task<Result<void>> respond_json(int status, OrderedJson&& body);
    Task<Result<void>> respond_json_text(int status, std::string text, QueryParameters headers = {});
    // `extra` come before the CORS headers; the stream itself goes through exchange().
    Task<Result<void>> start_event_stream(QueryParameters extra = {});
    http::Exchange& exchange() { return exchange_; }

    // On every answer to this request, errors and streams included.
    void add_header(std::string name, std::string value)
    {
        common_headers_.emplace_back(std::move(name), std::move(value));
    }

    const auth::Principal& principal() const { return *caller; }
    std::shared_ptr<const auth::Principal> caller = nobody();
    // What the caller of a WebSocket showed, as the Authorization header has it; for who has to ask again whether it is still good.
    std::optional<std::string> credential;
    std::string subprotocol;  // of a WebSocket whose credential came as one: the answer names it
    std::string_view route;  // pattern of the route; empty: none fits the address
    std::string_view permission;  // what the route asks for; empty: nothing beyond a credential
    http::PathParameters path;
    QueryParameters query;
    Deadline deadline = Deadline::never();
    // Whether the handler counts the request among the chats, with its model; else it was refused before.
    bool counts_chat = false;
    // Of an answer that may be large, until it is made.
    std::optional<AnswerRoom::Visit> visit;

private:
    static const std::shared_ptr<const auth::Principal>& nobody();
    Result<void> check_json_type() const;
    Task<Result<void>> respond_held(http::Response response);

    http::Exchange& exchange_;
    std::vector<std::pair<std::string, std::string>> common_headers_;
};

// A handler answers, or returns an error that the middleware renders (before the answer started).
using Handler = HandlerOfRoute;

}  // namespace dure::api
