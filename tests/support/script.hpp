// The steps of a ScriptedUpstream's answer, and HTTP answers as bytes.
#pragma once

#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dure::test {

struct Step {
    enum class Kind { send, send_split, pause, close, reset, await_word, await_peer_close, hang };
    Kind kind;
    std::string bytes;
    std::chrono::milliseconds time{0};
};
using Script = std::vector<Step>;

inline Step send(std::string bytes) { return {Step::Kind::send, std::move(bytes)}; }
// One segment per byte.
inline Step send_split(std::string bytes) { return {Step::Kind::send_split, std::move(bytes)}; }
// Ends early when the peer closes (which ends the script).
inline Step pause(std::chrono::milliseconds time) { return {Step::Kind::pause, {}, time}; }
// Waits until the test calls go_on(); ends early when the peer closes (which ends the script).
inline Step await_word() { return {Step::Kind::await_word, {}}; }
inline Step close_connection() { return {Step::Kind::close, {}}; }
inline Step reset() { return {Step::Kind::reset, {}}; }
// Waits until the peer closes, at most `time`; then the connection is closed.
inline Step await_peer_close(std::chrono::milliseconds time = std::chrono::seconds(10))
{
    return {Step::Kind::await_peer_close, {}, time};
}
// Does nothing any more and does not notice the peer; until the upstream's end.
inline Step hang() { return {Step::Kind::hang, {}}; }

using Fields = std::vector<std::pair<std::string, std::string>>;

// A whole answer with Content-Length.
inline std::string http_answer(int status, std::string_view content_type, std::string_view body, const Fields& fields = {})
{
    std::string out = "HTTP/1.1 " + std::to_string(status) + " Scripted\r\nContent-Type: " + std::string(content_type) +
                      "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
    for (const auto& [name, value] : fields)
        out += name + ": " + value + "\r\n";
    return out + "\r\n" + std::string(body);
}

inline std::string chunked_head(int status, std::string_view content_type, const Fields& fields = {})
{
    std::string out = "HTTP/1.1 " + std::to_string(status) + " Scripted\r\nContent-Type: " + std::string(content_type) +
                      "\r\nTransfer-Encoding: chunked\r\n";
    for (const auto& [name, value] : fields)
        out += name + ": " + value + "\r\n";
    return out + "\r\n";
}

inline std::string chunk(std::string_view bytes)
{
    char size[20];
    std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
    return size + std::string(bytes) + "\r\n";
}

inline std::string last_chunk() { return "0\r\n\r\n"; }

}  // namespace dure::test
