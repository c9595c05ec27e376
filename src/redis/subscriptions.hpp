// The connection of the subscriptions: subscribes to every channel whenever it is connected, hands messages on, and
// asks a silent server for a sign of life. Everything but stop() and add() on its core.
#pragma once

#include <boost/asio/io_context.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "dure/base/channel.hpp"
#include "redis/link.hpp"

namespace dure::redis {

class Subscriptions : public std::enable_shared_from_this<Subscriptions> {
public:
    Subscriptions(boost::asio::io_context& core, Target target, Logger& logger, const ClientOptions& options);

    void add(std::string channel, Subscriber subscriber);
    void stop();

private:
    Task<void> keep_connected();
    Task<void> serve();
    void hand_on(const Reply& reply);

    boost::asio::io_context& core_;
    const Target target_;
    Logger& logger_;
    const ClientOptions options_;
    std::map<std::string, std::vector<Subscriber>, std::less<>> channels_;
    std::shared_ptr<Link> link_;
    bool ready_ = false;
    bool running_ = false;
    bool stopped_ = false;
    Signal pausing_;
};

}  // namespace dure::redis
