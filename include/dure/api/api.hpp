// The HTTP surface: takes each exchange of the server through the middleware to the handler of its route.
//   CORS preflight -> route -> who calls (auth) -> rate limit -> permission -> handler -> errors in the form of the route group
// The routes stand in src/api/routes.cpp and nowhere else; /openapi.json is made from the same table.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "dure/base/log.hpp"
#include "dure/base/secret.hpp"
#include "dure/config/settings.hpp"
#include "dure/http/server.hpp"

namespace dure::auth {
class Accounts;
class Administration;
class Authenticator;
class KeyService;
class RateLimiter;
class Tickets;
}  // namespace dure::auth
namespace dure::chat {
class ChatService;
class UsageReports;
}
namespace dure::events {
class AccessAudit;
class EventService;
}
namespace dure::executions {
class ExecutionService;
}
namespace dure::flows {
class FlowService;
}
namespace dure::metrics {
class Registry;
}
namespace dure::model {
class Budget;
}
namespace dure::sessions {
class SessionService;
}
namespace dure::tools {
class Registry;
class Selector;
class Toolbox;
}

namespace dure::api {

struct ApiParts {
    chat::ChatService& chat;
    sessions::SessionService& sessions;
    auth::Authenticator& authenticator;
    auth::RateLimiter& limiter;
    auth::Accounts& accounts;
    auth::Administration& administration;
    auth::KeyService& keys;
    metrics::Registry& metrics;
    Logger& logger;
    const config::Settings& settings;
    std::string version;
    SecretString cursor_key;      // signs page cursors
    // Asks what the process cannot work without (the database); an error means "not ready".
    std::function<Task<Result<void>>()> dependencies_ready;
    events::EventService& events;
    chat::UsageReports& usage;
    events::AccessAudit& audit;
    // Reads providers and models anew; gives the number of models.
    std::function<Task<Result<std::size_t>>()> reload_models;
    tools::Registry& tools;
    tools::Toolbox& toolbox;
    tools::Selector& selector;
    flows::FlowService& flows;
    executions::ExecutionService& executions;
    auth::Tickets& tickets;
    model::Budget& budget;
};

class Api final : public http::Application {
public:
    explicit Api(ApiParts parts);
    ~Api() override;

    Task<void> handle(http::Exchange& exchange) override;
    http::Response render_error(const Refused& request, const Error& error) override;
    void finished(const http::RequestHead* head, int status, std::chrono::nanoseconds took) override;

    // From here on /readyz says 503 and new work is refused (shutdown phase 1). Thread-safe.
    void stop_accepting_work();

    // The document of /openapi.json, also for `dure openapi`. Needs no services.
    static std::string openapi(const std::string& version);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace dure::api
