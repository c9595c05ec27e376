// What an HTTP message is for the rest of the product: a checked request head and an answer to send.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dure::http {

enum class Method { get, head, post, put, patch, delete_, options };

std::string_view name_of(Method method);
std::optional<Method> parse_method(std::string_view text);

struct HeaderView {
    std::string_view name;
    std::string_view value;
};

// A request head that has passed the head guard. Views point into the connection's buffer and live as long as the
// exchange they came with.
struct RequestHead {
    Method method = Method::get;
    std::string_view target;        // as sent: path and query
    std::string_view path;          // before the '?'
    std::string_view query;         // behind it, without the '?'
    std::vector<HeaderView> headers;
    std::string client_address;     // the socket's, or the one a trusted proxy named (threat-model §3)
    std::string request_id;         // the client's if it is well-formed, else new
    std::optional<std::uint64_t> content_length;   // absent with chunked, and without a body
    bool has_body = false;
    bool keep_alive = true;

    // First header of that name, any case; empty optional when absent.
    std::optional<std::string_view> header(std::string_view name) const;
    std::size_t count(std::string_view name) const;
};

struct Response {
    int status = 200;
    std::string content_type;       // empty: no body and no Content-Type
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
};

// The standard phrase of a status, "Unknown" for others.
std::string_view reason_phrase(int status);

// Decoded query parameters in the order sent; empty when an escape is broken or the text is not UTF-8.
std::optional<std::vector<std::pair<std::string, std::string>>> parse_query(std::string_view query);
// Decoded path segments; empty when the path breaks a rule of threat-model §3 (., .., empty segments, encoded / \ NUL).
// encoded_slash: a segment may hold %2F (only a {name...} parameter may take it; model ids are sent that way), its parts
// keep to the same rules.
enum class EncodedSlash { refused, kept };
std::optional<std::vector<std::string>> parse_path(std::string_view path, EncodedSlash encoded_slash = EncodedSlash::refused);

}  // namespace dure::http
