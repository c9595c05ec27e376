// See local_house.hpp.
#include "app/local_house.hpp"

namespace dure::app {

namespace {

constexpr auto local_tools_patience = std::chrono::seconds(5);

}  // namespace

LocalHouse::LocalHouse(const config::Settings& settings, http::EgressPolicy policy)
    : logger({LogLevel::error, false, ""}), client(cores, http::ClientOptions()), egress(std::move(policy)),
      gateway(cores, client, metrics, logger, settings), tools(logger, settings.tools)
{
    tools.add(tools::make_calculator());
}

Result<std::unique_ptr<LocalHouse>> LocalHouse::make(const config::Settings& settings)
{
    auto policy = http::EgressPolicy::make({settings.egress.allow, settings.egress.ports, "", 0});
    if (!policy)
        return policy.error();
    std::unique_ptr<LocalHouse> house(new LocalHouse(settings, std::move(*policy)));
    auto toolbox =
        tools::Toolbox::make({house->cores, house->client, house->egress, house->tools, house->logger, settings.tools});
    if (!toolbox)
        return toolbox.error();
    house->toolbox_ = std::move(*toolbox);
    house->cores.start();
    house->toolbox_->start(local_tools_patience);
    return house;
}

LocalHouse::~LocalHouse()
{
    if (!toolbox_)
        return;   // nothing was started
    toolbox_->stop(Deadline::after(local_tools_patience));
    client.close_idle();
    cores.stop();
    cores.join();
}

}  // namespace dure::app
