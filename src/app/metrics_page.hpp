// GET /metrics on an address of its own (metrics.listen), without a credential: whoever reaches that address may read it,
// so it is for the operator's network. Everything else there is 404.
#pragma once

#include "dure/config/settings.hpp"
#include "dure/http/server.hpp"
#include "dure/metrics/registry.hpp"

namespace dure::app {

class MetricsPage final : public http::Application {
public:
    explicit MetricsPage(metrics::Registry& registry) : registry_(registry) {}

    Task<void> handle(http::Exchange& exchange) override;
    http::Response render_error(const Refused& request, const Error& error) override;
    void finished(const http::RequestHead*, int, std::chrono::nanoseconds) override {}

private:
    metrics::Registry& registry_;
};

// Of "host:port", which the configuration has checked.
http::ServerOptions metrics_listener(const config::Metrics& settings);

}  // namespace dure::app
