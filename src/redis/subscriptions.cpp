// Subscriptions; see subscriptions.hpp.
#include "redis/subscriptions.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

#include "dure/base/timeout.hpp"

namespace dure::redis {

namespace subscribing {

void append_subscribe(std::string& out, const std::string& channel)
{
    append_command(out, {"SUBSCRIBE", channel});
}

}  // namespace subscribing

Subscriptions::Subscriptions(boost::asio::io_context& core, Target target, Logger& logger, const ClientOptions& options)
    : core_(core), target_(std::move(target)), logger_(logger), options_(options), pausing_(core.get_executor())
{}

void Subscriptions::add(std::string channel, Subscriber subscriber)
{
    boost::asio::post(
        core_, [self = shared_from_this(), name = std::move(channel), one = std::move(subscriber)]() mutable {
            self->channels_[name].push_back(std::move(one));
            if (self->ready_) {   // asked for again, everybody of the channel hears that it stands
                std::string bytes;
                subscribing::append_subscribe(bytes, name);
                self->link_->write(bytes);
            }
            if (self->running_ || self->stopped_)
                return;
            self->running_ = true;
            boost::asio::co_spawn(self->core_, [self] { return self->keep_connected(); }, boost::asio::detached);
        });
}

void Subscriptions::stop()
{
    boost::asio::post(core_, [self = shared_from_this()] {
        self->stopped_ = true;
        self->channels_.clear();
        if (self->link_)
            self->link_->close();
        self->pausing_.notify();
    });
}

Task<void> Subscriptions::keep_connected()
{
    const auto self = shared_from_this();
    auto pause = std::chrono::milliseconds(100);
    while (!stopped_) {
        link_ = std::make_shared<Link>(core_, target_);
        if (co_await link_->open(Deadline::after(options_.connect))) {
            pause = std::chrono::milliseconds(100);
            ready_ = true;
            co_await serve();
            ready_ = false;
            if (!stopped_)
                logger_.warn("redis subscriptions lost, connecting again", {{"address", target_.address.shown()}});
        }
        link_->close();
        if (!stopped_)
            co_await pausing_.wait(Steady::now() + pause);
        pause = std::min(pause * 2, options_.probe);
    }
}

Task<void> Subscriptions::serve()
{
    std::string wanted;
    for (const auto& [channel, subscribers] : channels_)
        subscribing::append_subscribe(wanted, channel);
    link_->write(wanted);
    std::string ping;
    append_command(ping, {"PING"});
    bool asked = false;   // for a sign of life, without an answer so far
    while (!stopped_) {
        while (const auto reply = link_->take())
            hand_on(*reply);
        const auto filled = co_await with_timeout(link_->fill(), Deadline::after(options_.silence));
        if ((filled && !*filled) || (!filled && asked))
            co_return;
        asked = !filled;
        if (asked)
            link_->write(ping);
    }
}

void Subscriptions::hand_on(const Reply& reply)
{
    if (reply.items.size() != 3)
        return;   // the answer to PING
    const auto found = channels_.find(reply.items[1].text);
    if (found == channels_.end())
        return;
    const auto& kind = reply.items[0].text;
    for (const auto& subscriber : found->second) {
        if (kind == "message")
            subscriber.on_message(reply.items[2].text);
        else if (kind == "subscribe" && subscriber.on_subscribed)
            subscriber.on_subscribed();
    }
}

}  // namespace dure::redis
