// A core, a client and short ways to send, for the tests of the HTTP client.
#pragma once

#include <gtest/gtest.h>

#include "dure/http/client.hpp"
#include "support/run_on_core.hpp"
#include "support/scripted_upstream.hpp"

namespace dure::http {

using namespace std::chrono_literals;
using test::chunk;
using test::chunked_head;
using test::http_answer;
using test::last_chunk;
using test::ScriptedUpstream;

class ClientTest : public testing::Test {
protected:
    ClientTest() { cores.start(); }

    static ClientRequest request_to(const std::string& base, const std::string& target = "/", Method method = Method::get)
    {
        return ClientRequest(method, parse_url(base + target).value());
    }

    // The body of a 200, or "status: body", or "error: reason".
    static Task<std::string> fetch(Client& through, ClientRequest request)
    {
        auto stream = co_await through.send(request);
        if (!stream)
            co_return "error: " + stream.error().reason();
        auto body = co_await (*stream)->read_all(64u << 20, Deadline::after(10s));
        if (!body)
            co_return "error: " + body.error().reason();
        co_return (*stream)->status() == 200 ? *body : std::to_string((*stream)->status()) + ": " + *body;
    }

    std::string fetch_now(Client& through, ClientRequest request)
    {
        std::string out;
        test::run_on_core(cores, [&]() -> Task<void> { out = co_await fetch(through, std::move(request)); });
        return out;
    }

    ScriptedUpstream upstream;
    Cores cores{1};
    Client client{cores, ClientOptions()};
};

}  // namespace dure::http
