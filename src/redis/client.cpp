// Client: one lane per core and the subscriptions; see client.hpp.
#include "dure/redis/client.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "dure/base/tls.hpp"
#include "redis/lane.hpp"
#include "redis/subscriptions.hpp"

namespace dure::redis {

struct Client::State {
    State(Cores& all, const Address& address, Logger& logger, const ClientOptions& given) : cores(all), options(given)
    {
        const Target target{address, address.tls ? make_client_tls(options.extra_ca_file) : nullptr};
        for (std::size_t i = 0; i < cores.size(); ++i)
            lanes.push_back(std::make_shared<Lane>(cores.at(i), target, logger, options));
        subscriptions = std::make_shared<Subscriptions>(cores.at(0), target, logger, options);
    }

    Lane& lane() const
    {
        const auto here = Cores::here();
        if (here >= lanes.size())
            throw InvariantBroken("a Redis command was awaited outside of the cores");
        return *lanes[here];
    }

    Cores& cores;
    const ClientOptions options;
    std::vector<std::shared_ptr<Lane>> lanes;
    std::shared_ptr<Subscriptions> subscriptions;
};

Client::Client(Cores& cores, Address address, Logger& logger, ClientOptions options)
    : state_(std::make_shared<State>(cores, address, logger, options))
{}

Client::~Client()
{
    for (const auto& lane : state_->lanes)
        lane->stop();
    state_->subscriptions->stop();
}

Task<Result<Reply>> Client::command(Arguments arguments)
{
    return command(std::move(arguments), Deadline::after(state_->options.command));
}

Task<Result<Reply>> Client::command(Arguments arguments, Deadline until)
{
    std::string bytes;
    append_command(bytes, arguments);
    const auto state = state_;   // a request may outlive the client during a stop
    co_return co_await state->lane().command(std::move(bytes), until);
}

Task<Result<Reply>> Client::eval(const Script& script, Arguments keys, Arguments arguments)
{
    const auto until = Deadline::after(state_->options.command);
    Arguments call{"EVALSHA", script.sha1, std::to_string(keys.size())};
    call.insert(call.end(), std::make_move_iterator(keys.begin()), std::make_move_iterator(keys.end()));
    call.insert(call.end(), std::make_move_iterator(arguments.begin()), std::make_move_iterator(arguments.end()));
    std::string bytes;
    append_command(bytes, call);
    const auto state = state_;
    auto reply = co_await state->lane().command(std::move(bytes), until);
    if (reply || reply.error().detail().find("NOSCRIPT") == std::string::npos)
        co_return reply;
    call[0] = "EVAL";
    call[1] = script.text;
    bytes.clear();
    append_command(bytes, call);
    co_return co_await state->lane().command(std::move(bytes), until);
}

void Client::publish(std::string channel, std::string message)
{
    const auto here = Cores::here();
    const auto core = here < state_->lanes.size() ? here : 0;
    Arguments call{"PUBLISH", std::move(channel), std::move(message)};
    auto send = [state = state_, core, sent = std::move(call)]() -> Task<void> {
        std::string bytes;
        append_command(bytes, sent);
        // Nobody waits: a message that does not arrive is what the receivers' own time limits are for.
        [[maybe_unused]] const auto reply =
            co_await state->lanes[core]->command(std::move(bytes), Deadline::after(state->options.command));
    };
    boost::asio::co_spawn(state_->cores.at(core), std::move(send), boost::asio::detached);
}

void Client::subscribe(std::string channel, Subscriber subscriber)
{
    state_->subscriptions->add(std::move(channel), std::move(subscriber));
}

bool Client::available() const
{
    for (const auto& lane : state_->lanes)
        if (lane->unavailable())
            return false;
    return true;
}

}  // namespace dure::redis
