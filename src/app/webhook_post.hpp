// How webhooks go out (runs/webhooks.hpp): one POST under the egress policy, without redirects; any 2xx takes it.
#pragma once

#include "dure/http/client.hpp"
#include "dure/http/egress.hpp"
#include "dure/runs/webhooks.hpp"

namespace dure::app {

// Awaited on a core of the client; client and policy outlive it.
runs::Webhooks::Post webhook_post(http::Client& client, const http::EgressPolicy& policy);

// invalid_argument: no http(s) address, or one that the policy refuses before its name is looked up.
Result<void> check_webhook(const http::EgressPolicy& policy, const std::string& url);

}  // namespace dure::app
