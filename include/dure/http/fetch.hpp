// fetch: one whole request for somebody who is not trusted with the network (tools, flows): egress policy at every step,
// redirects followed within bounds, a bounded answer. For streams and model providers use the Client itself.
#pragma once

#include "dure/http/client.hpp"
#include "dure/http/egress.hpp"

namespace dure::http {

struct FetchRequest {
    Method method = Method::get;
    std::string url = {};
    std::vector<std::pair<std::string, std::string>> headers = {};
    std::string body = {};
    Deadline deadline = Deadline::never();
    ClientTimeouts timeouts = {};
    std::size_t largest_answer = 4u << 20;  // bytes; compressed answers are neither asked for nor taken
    bool only_for_first_origin = false;  // a redirect to another one gets no headers, and is not followed if the body would go along
};

struct FetchAnswer {
    int status = 0;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;

    // First header of that name, any case; empty when absent.
    std::string_view header(std::string_view name) const;
};

// At most 3 redirects, each checked anew, none from https to http; on another origin only Accept, Accept-Language and
// Content-Type are sent again. 303, and 301/302 after POST, go on as GET. Errors: permission_denied (reason "egress"),
// invalid_argument (URL, header), payload_too_large, upstream_failed, timeout.
// Awaited on a core; client and policy outlive it.
Task<Result<FetchAnswer>> fetch(Client& client, const EgressPolicy& policy, FetchRequest request);

// What a Location header means for a request to `from`; invalid_argument when it is no URL.
Result<Url> resolve_reference(const Url& from, std::string_view location);

}  // namespace dure::http
