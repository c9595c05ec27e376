// The HTTP/1.1 client: pooled keep-alive connections per core and origin, TLS with verification, streamed bodies,
// deadlines, cancellation. A request runs on the core that awaits it and uses that core's pool. Cancelling the awaiting
// coroutine closes the upstream socket at once (a half-read connection is never reused).
//
//   send(request) -> ResponseStream{status, headers} -> read() ... read() -> end (connection back to the pool)
//
// Who sends many requests to one place writes their common parts down once: RequestForm::make(), then send(form, call).
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dure/base/clock.hpp"
#include "dure/base/cores.hpp"
#include "dure/base/error.hpp"
#include "dure/base/secret.hpp"
#include "dure/base/task.hpp"
#include "dure/http/message.hpp"

namespace dure::http {

class EgressPolicy;

// A parsed absolute http(s) URL. userinfo, fragments, control characters and backslashes are refused.
struct Url {
    bool tls = false;
    std::string host;
    std::uint16_t port = 80;
    std::string target = "/";  // path and query as written

    std::string origin() const;  // "https://host:port"
};
Result<Url> parse_url(std::string_view text);

struct ClientTimeouts {
    std::chrono::milliseconds connect{5000};  // DNS + TCP + TLS
    std::chrono::milliseconds head{30000};  // from the request's sending on
};

// Whether a request may carry this header field: it cannot become another one, and is not one the client sets itself.
bool may_be_sent(std::string_view name, std::string_view value);

// What differs from one request of a form to the next.
struct ClientCall {
    std::string_view body;  // must live until send() has returned
    ClientTimeouts timeouts;
    Deadline deadline = Deadline::never();
    // Where this request may go, checked for the URL, every address of its name and the peer; null: anywhere (model
    // providers, which the operator configured). Connections are shared only between requests with and those without.
    const EgressPolicy* egress = nullptr;
};

using HeaderFields = std::vector<std::pair<std::string, std::string>>;

struct ClientRequest : ClientCall {
    ClientRequest(Method verb, Url where) : method(verb), url(std::move(where)) {}
    Method method;
    Url url;
    HeaderFields headers;  // Host, Content-Length, Connection are set by the client
};

// Method, place and header fields that requests have in common, checked and written down.
class RequestForm {
public:
    // Errors: of reasons "invalid_url" and "invalid_header", as below.
    static Result<RequestForm> make(Method method, Url url, const HeaderFields& headers);

    Method method() const { return method_; }
    const Url& url() const { return url_; }
    const std::string& origin() const { return origin_; }
    std::string_view lines() const { return lines_.reveal(); }  // the request line and the fields, with their ends

private:
    RequestForm(Method method, Url url) : method_(method), url_(std::move(url)), origin_(url_.origin()) {}

    Method method_;
    Url url_;
    std::string origin_;
    SecretString lines_;  // one of the fields may be a credential
};

// How an exchange failed, as far as a caller must tell apart (llm-upstreams §6). Stands in Error::reason():
//   "connect"   nothing was sent: DNS, refused, TLS, timeout while connecting         Errc::upstream_failed / timeout
//   "no_descriptors"   nothing was sent: this process or machine can open no more      Errc::unavailable
//   "stale"     a reused connection was closed before the first answer byte           handled inside: replayed once on a fresh one
//   "head_timeout", "read_timeout"                                                    Errc::timeout
//   "protocol"  not HTTP, head > 64 KiB, broken chunking                              Errc::upstream_failed
//   "cut"       the answer ended before its head's end, length, or last chunk         Errc::upstream_failed
//   "egress"    the policy refuses the URL or an address of it; nothing was sent     Errc::permission_denied
//   "invalid_url", "invalid_header"   nothing was sent: the caller's own fault        Errc::invalid_argument
// A stream is used and destroyed on the core it came from.
class ResponseStream {
public:
    virtual ~ResponseStream() = default;
    virtual int status() const = 0;
    virtual const std::vector<std::pair<std::string, std::string>>& headers() const = 0;
    // First header of that name, any case; empty when absent.
    virtual std::string_view header(std::string_view name) const = 0;
    // Gives their memory back, for a body that lasts: providers send dozens. Behind it there are none.
    virtual void forget_headers() = 0;
    // The decoded body bytes of everything that has arrived, at least one byte; empty view at the end of the body.
    // Waits at most until `until`: Errc::timeout with reason "read_timeout" then, and reading may go on afterwards.
    // The view lives until the next call.
    virtual Task<Result<std::string_view>> read(Deadline until) = 0;
    // The whole body has been given: the next read() does not wait and is empty.
    virtual bool at_end() const = 0;
    // The whole body, when it came with its head and has at most `limit` bytes; it lives as long as the stream. Empty: read it.
    virtual std::optional<std::string_view> whole_at_once(std::size_t limit) = 0;
    // Reads what is left, up to `limit` bytes (payload_too_large beyond).
    virtual Task<Result<std::string>> read_all(std::size_t limit, Deadline until, Steady::duration silence) = 0;
    Task<Result<std::string>> read_all(std::size_t limit, Deadline until)
    {
        return read_all(limit, until, Steady::duration::max());
    }
};

struct ClientOptions {
    std::size_t connections_per_origin = 512;  // all cores together, divided between them
    std::size_t idle_per_origin = 64;
    std::chrono::seconds idle_time{55};
    std::chrono::seconds connection_life{600};  // so that changes of DNS are seen
    std::string extra_ca_file;  // besides the system's roots; tests use it
};

// The cores outlive the client.
class Client {
public:
    // Throws boost::system::system_error when extra_ca_file cannot be read.
    Client(Cores& cores, ClientOptions options);
    ~Client();

    // Called on a core. The returned stream gives its connection back when its body was read to the end, else closes it.
    Task<Result<std::unique_ptr<ResponseStream>>> send(const ClientRequest& request);
    // The form outlives the call.
    Task<Result<std::unique_ptr<ResponseStream>>> send(const RequestForm& form, const ClientCall& call);

    struct Counts {
        std::size_t open = 0, idle = 0;
    };
    Counts counts() const;  // for metrics; thread-safe
    // Closes idle connections; for shutdown, called on no core.
    void close_idle();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace dure::http
