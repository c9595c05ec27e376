// The HTTP/1.1 server: sockets, head guard, bodies, keep-alive, time limits, graceful stop. It knows no routes: each
// request whose head passed the guard becomes an Exchange that is handed to the Application, on the core of its
// connection. One exchange of a connection runs at a time; pipelined requests wait.
//
//   accept -> head guard -> Application::handle(exchange) -> read_body -> respond | start_stream, write*, finish_stream
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dure/base/clock.hpp"
#include "dure/base/cores.hpp"
#include "dure/base/error.hpp"
#include "dure/base/log.hpp"
#include "dure/base/task.hpp"
#include "dure/http/message.hpp"

namespace dure::http {

class WebSocket;

// What a handler may do when the client closes its connection while the handler runs.
enum class OnClientGone {
    cancel,     // terminal cancellation reaches whatever the handler awaits, within 100 ms
    finish,     // the handler runs to its end; writing then gives Errc::cancelled
};

// One request and its answer. Not thread-safe: used by the one coroutine that handles it.
class Exchange {
public:
    virtual ~Exchange() = default;

    virtual const RequestHead& head() const = 0;
    virtual Steady::time_point began() const = 0;   // when the head was there

    // The whole body, at most `limit` bytes. Errors: payload_too_large (from Content-Length before anything is read),
    // request_timeout, invalid_argument (broken chunking), unavailable (all bodies together at their bound), cancelled.
    // Call once, before the answer starts; the view lives as long as the exchange. Sends 100 Continue when asked for.
    virtual Task<Result<std::string_view>> read_body(std::size_t limit) = 0;

    // From here on, what happens when the client leaves. Default: finish.
    virtual void on_client_gone(OnClientGone policy) = 0;
    virtual bool client_gone() const = 0;

    // Sends a whole answer. Adds Content-Length, Date, Server, X-Request-ID, X-Content-Type-Options, Connection.
    // HEAD: the same head, no body. Errors: cancelled (peer gone or stalled longer than write_stall).
    virtual Task<Result<void>> respond(Response response) = 0;

    // A streamed answer: chunked, one chunk and one send per write() call (callers pass whole events).
    // write() waits while the peer does not read; after write_stall without progress it fails with cancelled.
    virtual Task<Result<void>> start_stream(Response head) = 0;
    virtual Task<Result<void>> write(std::string_view bytes) = 0;
    // write() and finish_stream() in one send, for the last piece.
    virtual Task<Result<void>> finish_stream(std::string_view last_bytes = {}) = 0;
    virtual bool answer_started() const = 0;
    virtual int status() const = 0;   // of the answer that was started; 0 before

    // Takes the connection over as a WebSocket (RFC 6455 handshake checked); the exchange is over for HTTP then.
    // invalid_argument when the request is no upgrade. `subprotocol` empty: none is named in the answer.
    virtual Task<Result<std::unique_ptr<WebSocket>>> upgrade(std::string_view subprotocol = {}) = 0;
};

// A WebSocket after its handshake. receive() and send() may each be awaited by one coroutine at a time.
class WebSocket {
public:
    virtual ~WebSocket() = default;
    // Text of the next message; cancelled when the peer closed or was silent over the ping limit,
    // payload_too_large (after closing with 1009) over the message limit.
    virtual Task<Result<std::string>> receive() = 0;
    virtual Task<Result<void>> send(std::string_view text) = 0;
    virtual Task<void> close(std::uint16_t code, std::string_view reason) = 0;
};

class Application {
public:
    virtual ~Application() = default;
    // Must answer the exchange. What it throws is logged and answered as Errc::internal.
    virtual Task<void> handle(Exchange& exchange) = 0;
    // What of a request is known when an error is rendered for it; empty: not told, or not read by then.
    struct Refused {
        std::string_view path;     // whose route group says the form of the answer
        std::string_view origin;   // its Origin field: a page of an allowed one is shown the error
    };
    // Renders an error that no handler has answered.
    virtual Response render_error(const Refused& request, const Error& error) = 0;
    // Called for every refused head and every finished exchange: logs and metrics. Must not throw.
    virtual void finished(const RequestHead* head, int status, std::chrono::nanoseconds took) = 0;
};

struct ServerLimits {
    std::size_t head_bytes = 32 * 1024;
    std::size_t target_bytes = 8 * 1024;
    std::size_t header_fields = 100;
    std::size_t chunk_line_bytes = 4 * 1024;
    std::size_t trailer_bytes = 8 * 1024;
    std::size_t chunk_overhead_bytes = 16 * 1024;   // plus the body so far
    std::size_t connections = 4096;
    std::size_t connections_per_address = 256;
    std::size_t requests_per_connection = 10000;
    std::size_t bodies_in_memory = 512ull << 20;    // all requests of the process together
    std::size_t stream_buffer = 256 * 1024;         // output of one stream that waits for its reader
    std::size_t websocket_message = 64 * 1024;
    std::chrono::milliseconds header_timeout{10000};
    std::chrono::milliseconds body_idle{15000};
    std::chrono::milliseconds body_total{60000};
    std::chrono::milliseconds keep_alive{60000};
    std::chrono::milliseconds write_stall{20000};
    std::chrono::milliseconds websocket_ping{30000};
};

struct ServerOptions {
    std::string host = "127.0.0.1";
    std::uint16_t port = 8000;                  // 0: a free one
    ServerLimits limits;
    std::vector<std::string> trusted_proxies;   // addresses or CIDR blocks
    std::string proxy_header;                   // e.g. "X-Forwarded-For"; empty: the socket's address always counts
    std::vector<std::string> allowed_hosts;     // names besides loopback that Host may hold; empty and not loopback: any
    bool check_host = true;                     // embedded on loopback: refuse other Host names (DNS rebinding)
    std::string tls_certificate_file;           // both empty: plain HTTP
    std::string tls_key_file;
};

// Whether the two files are a certificate chain and its key, as a server with them would find at its start; the detail says why not.
Result<void> check_tls_files(const std::string& certificate_file, const std::string& key_file);

class Server {
public:
    // Application and logger outlive the server.
    Server(Cores& cores, Application& application, Logger& logger, ServerOptions options);
    ~Server();

    // Binds and listens on every core. Errors: unavailable (address taken or not ours), invalid_argument (TLS files).
    Result<void> listen();
    std::uint16_t port() const;
    // Reads the TLS files again, for connections that come from now on. Those that stand keep what they began with, and all keep
    // the certificate there was when the files cannot be used (invalid_argument). Nothing without TLS. Any thread.
    Result<void> reload_certificate();

    // Phase 1 of a stop: idle connections closed, answers from now on carry Connection: close. New connections are taken still, and
    // those that have asked for nothing yet are kept: who comes is told by an answer, and a probe sees it.
    void wind_down();
    // Phase 2: no new connections either.
    void stop_accepting();
    std::size_t open_exchanges() const;
    // Phase 3: cancels what still runs and closes every connection. Returns when none is left or the time is over.
    void close_all(std::chrono::milliseconds patience);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace dure::http
