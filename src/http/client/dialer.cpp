// Dialer; see dialer.hpp.
#include "http/client/dialer.hpp"

#include <boost/asio/ip/basic_resolver.hpp>
#include <list>

#include "dure/http/egress.hpp"

namespace dure::http::outgoing {
namespace dialer_parts {

Error connect_failed(const Url& url, const std::string& why)
{
    return Error(Errc::upstream_failed, "The upstream could not be reached.")
        .reason("connect")
        .detail(url.origin() + ": " + why);
}

Error connect_timeout(const Url& url, const char* step)
{
    return Error(Errc::timeout, "The upstream could not be reached in time.")
        .reason("connect")
        .detail(url.origin() + ": time is over during " + step);
}

// What this process or this machine has no more of says nothing of the upstream.
bool is_want_of_descriptors(const boost::system::error_code& error)
{
    return error == boost::system::errc::too_many_files_open ||
           error == boost::system::errc::too_many_files_open_in_system;
}

Error no_descriptors(const Url& url, const boost::system::error_code& error)
{
    return Error(Errc::unavailable, "The server has no file descriptor left for a new connection.")
        .reason("no_descriptors")
        .detail(url.origin() + ": " + error.message());
}

}  // namespace dialer_parts

using namespace dialer_parts;

struct Dialer::Lookup {
    explicit Lookup(CoreExecutor executor) : resolver(executor), executor_(executor) {}

    // Each waiter has its own signal: one that gives up must not wake the others.
    void finish(boost::system::error_code outcome, Endpoints found)
    {
        done = true;
        error = outcome;
        addresses = std::move(found);
        for (Signal* const waiter : waiters)
            waiter->notify();
    }

    Task<void> wait(Deadline until)
    {
        Signal signal{boost::asio::any_io_executor(executor_)};
        struct Place {
            std::list<Signal*>& all;
            std::list<Signal*>::iterator at;
            ~Place() { all.erase(at); }
        } const place{waiters, waiters.insert(waiters.end(), &signal)};
        while (!done && !until.passed())
            co_await signal.wait(until.at());
    }

    boost::asio::ip::basic_resolver<boost::asio::ip::tcp, CoreExecutor> resolver;
    CoreExecutor executor_;
    std::list<Signal*> waiters;
    bool done = false;
    boost::system::error_code error;
    Endpoints addresses;
};

Dialer::Dialer(CoreExecutor executor, std::shared_ptr<boost::asio::ssl::context> context)
    : executor_(executor), context_(std::move(context))
{
}

Task<Result<std::unique_ptr<Connection>>> Dialer::dial(const Url& url, std::shared_ptr<TlsSession> session, const EgressPolicy* policy,
                                                       Deadline until)
{
    auto addresses = co_await resolve(url, until);
    if (!addresses)
        co_return addresses.error();
    for (const auto& address : *addresses)
        if (auto allowed = policy ? policy->check(url, address.address()) : Result<void>(); !allowed)
            co_return allowed.error();
    auto connection = co_await open(url, std::move(*addresses), std::move(session), until);
    if (connection && policy)
        if (auto allowed = policy->check(url, (*connection)->peer()); !allowed)
            co_return allowed.error();
    co_return connection;
}

std::shared_ptr<Dialer::Lookup> Dialer::lookup(const Url& url)
{
    const std::string key = url.host + ":" + std::to_string(url.port);
    auto& entry = running_[key];
    if (entry)
        return entry;
    entry = std::make_shared<Lookup>(executor_);
    auto done = [this, key, running = entry, alive = std::weak_ptr<bool>(alive_)](boost::system::error_code error,
                                                                                const auto& results) {
        Endpoints found;
        for (const auto& result : results)
            found.push_back(result.endpoint());
        running->finish(error, std::move(found));
        if (!alive.expired())
            running_.erase(key);
    };
    entry->resolver.async_resolve(url.host, std::to_string(url.port), boost::asio::ip::resolver_base::numeric_service,
                                  std::move(done));
    return entry;
}

Task<Result<Dialer::Endpoints>> Dialer::resolve(const Url& url, Deadline until)
{
    boost::system::error_code not_an_address;
    const auto address = boost::asio::ip::make_address(url.host, not_an_address);
    if (!not_an_address)
        co_return Endpoints(1, boost::asio::ip::tcp::endpoint(address, url.port));
    const auto running = lookup(url);
    co_await running->wait(until);
    if (!running->done)
        co_return connect_timeout(url, "the look-up of its name");
    if (is_want_of_descriptors(running->error))
        co_return no_descriptors(url, running->error);
    if (running->error || running->addresses.empty())
        co_return connect_failed(url, "name not found: " + running->error.message());
    co_return running->addresses;
}

Task<Result<std::unique_ptr<Connection>>> Dialer::open(const Url& url, Endpoints addresses,
                                                       std::shared_ptr<TlsSession> session, Deadline until)
{
    std::string problems;
    bool timed_out = false;
    for (std::size_t i = 0; i < addresses.size() && !until.passed(); ++i) {
        // A silent address must leave time for those behind it.
        const Deadline share = until.sooner(until.left() / static_cast<long>(addresses.size() - i));
        auto connection = std::make_unique<Connection>(executor_);
        IoResult step = co_await connection->connect(addresses[i], share);
        if (step.ok() && url.tls)
            step = co_await connection->start_tls(context_, url.host, session, share);
        if (step.ok())
            co_return connection;
        if (is_want_of_descriptors(step.error))
            co_return no_descriptors(url, step.error);
        timed_out = step.timed_out;
        const std::string refused = connection->verify_problem();
        problems += (problems.empty() ? "" : "; ") + addresses[i].address().to_string() + ": " +
                    (timed_out ? "time is over" : refused.empty() ? step.error.message() : refused);
    }
    if (timed_out || problems.empty())
        co_return connect_timeout(url, "the connect");
    co_return connect_failed(url, problems);
}

}  // namespace dure::http::outgoing
