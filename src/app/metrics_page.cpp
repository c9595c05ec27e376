// The page for the scraper; see metrics_page.hpp.
#include "app/metrics_page.hpp"

#include <charconv>

#include "app/address.hpp"

namespace dure::app {

namespace {

http::Response plain_text(int status, std::string text)
{
    http::Response response;
    response.status = status;
    response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    response.headers.emplace_back("Cache-Control", "no-store");
    response.body = std::move(text);
    return response;
}

}  // namespace

Task<void> MetricsPage::handle(http::Exchange& exchange)
{
    const auto& head = exchange.head();
    const bool reads = head.method == http::Method::get || head.method == http::Method::head;
    auto response = head.path != "/metrics" ? plain_text(404, "only /metrics is here\n")
                    : reads                 ? plain_text(200, registry_.text())
                                            : plain_text(405, "GET only\n");
    if (response.status == 405)
        response.headers.emplace_back("Allow", "GET, HEAD");
    (void)co_await exchange.respond(std::move(response));   // a scraper that left has no use for the reason
}

http::Response MetricsPage::render_error(const Refused&, const Error& error)
{
    return plain_text(error.code() == Errc::internal ? 500 : 400, error.message() + "\n");
}

http::ServerOptions metrics_listener(const config::Metrics& settings)
{
    const auto colon = settings.listen.rfind(':');
    http::ServerOptions options;
    options.host = settings.listen.substr(0, colon);
    if (options.host.starts_with('[') && options.host.ends_with(']'))
        options.host = options.host.substr(1, options.host.size() - 2);
    std::from_chars(settings.listen.data() + colon + 1, settings.listen.data() + settings.listen.size(), options.port);
    options.check_host = is_loopback(options.host);
    options.limits.connections = 64;   // a few scrapers
    options.limits.connections_per_address = 64;
    return options;
}

}  // namespace dure::app
