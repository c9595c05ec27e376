// See models.hpp.
#include "app/models.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <iostream>

#include "dure/base/cores.hpp"
#include "dure/http/client.hpp"
#include "dure/metrics/registry.hpp"

namespace dure::app {

Models::Models(llm::Gateway& gateway, std::function<config::Loaded()> load_again, Logger& logger)
    : gateway_(gateway), load_again_(std::move(load_again)), logger_(logger)
{}

Result<std::size_t> Models::reload()
{
    const std::lock_guard lock(guard_);
    const auto loaded = load_again_();
    std::string problems;
    for (const auto& problem : loaded.problems)
        problems += (problems.empty() ? "" : "; ") + problem.text();
    Result<void> taken;
    if (!problems.empty())
        taken = Error(Errc::invalid_argument, "The configuration has problems: " + problems)
                    .reason("invalid_configuration");
    else
        taken = gateway_.reload(loaded.settings);
    if (!taken) {
        logger_.error("models not read again", {{"detail", taken.error().message()}});
        return taken.error();
    }
    const auto count = gateway_.models().size();
    logger_.info("models read again", {{"models", count}});
    return count;
}

Task<Result<std::size_t>> Models::reload_from_a_core()
{
    return pool_.run([this] { return reload(); });
}

// Nobody asked by a request, so the event names the signal.
void Models::reload_by_signal(events::AccessAudit& audit, boost::asio::io_context& core)
{
    const auto count = reload();
    if (!count)
        return;   // told already
    std::string problem;
    try {
        auto recording = audit.configuration_reloaded({}, {{"what", "models"}, {"models", *count}, {"by", "SIGHUP"}});
        const auto recorded = boost::asio::co_spawn(core, std::move(recording), boost::asio::use_future).get();
        if (!recorded)
            problem = recorded.error().message() + " " + recorded.error().detail();
    } catch (const std::exception& failed) {
        problem = failed.what();
    }
    if (!problem.empty())
        logger_.warn("that models were read again is not on record", {{"detail", problem}});
}

int models_check(const config::Settings& settings)
{
    Logger logger({LogLevel::error, false, ""});
    metrics::Registry metrics;
    Cores cores(1);
    http::Client client(cores, http::ClientOptions());
    llm::Gateway gateway(cores, client, metrics, logger, settings);
    cores.start();
    bool all = true;
    const auto show = [&](const llm::TargetCheck& check) {
        std::cout << (check.error.empty() ? "ok      " : "FAILED  ") << check.model << "  " << check.target << "  "
                  << check.took.count() << " ms" << (check.error.empty() ? "" : "  " + check.error) << std::endl;
        all = all && check.error.empty();
    };
    boost::asio::co_spawn(cores.at(0), gateway.check_targets(show), boost::asio::use_future).get();
    client.close_idle();
    cores.stop();
    cores.join();
    return all ? 0 : 1;
}

}  // namespace dure::app
