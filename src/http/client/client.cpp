// Client: one pool and one dialer per core; a request that meets a stale connection is sent once more on a fresh one.
#include "dure/http/client.hpp"

#include "dure/http/egress.hpp"
#include "http/client/dialer.hpp"
#include "http/client/exchange.hpp"
#include "http/client/pool.hpp"
#include "http/send_turn.hpp"

namespace dure::http {

struct Client::State {
    struct PerCore {
        PerCore(outgoing::CoreExecutor executor_of_core, const outgoing::PoolLimits& limits,
                std::shared_ptr<boost::asio::ssl::context> tls)
            : executor(executor_of_core), pool(std::make_shared<outgoing::Pool>(executor_of_core, limits)),
              dialer(std::make_shared<outgoing::Dialer>(executor_of_core, std::move(tls)))
        {
        }
        outgoing::CoreExecutor executor;
        std::shared_ptr<outgoing::Pool> pool;      // leases hold it too
        std::shared_ptr<outgoing::Dialer> dialer;
    };

    State(Cores& cores, const ClientOptions& options);
    // Where no connection is at hand: a lease on one, after a wait for a place, or new; errors are of reason "connect". `lease`:
    // empty, or a place.
    static Task<Result<outgoing::Lease>> connection_for(const PerCore& here, const RequestForm& form, const ClientCall& call,
                                                        const std::string& name, bool fresh,
                                                        std::optional<outgoing::Lease> lease);

    std::vector<PerCore> per_core;
};

Client::State::State(Cores& cores, const ClientOptions& options)
{
    const auto tls = outgoing::make_tls_context(options.extra_ca_file);
    outgoing::PoolLimits limits;
    limits.connections = std::max<std::size_t>(1, options.connections_per_origin / cores.size());
    limits.idle = std::max<std::size_t>(1, options.idle_per_origin / cores.size());
    limits.idle_time = options.idle_time;
    limits.life = options.connection_life;
    for (std::size_t core = 0; core < cores.size(); ++core)
        per_core.emplace_back(cores.at(core).get_executor(), limits, tls);
}

Task<Result<outgoing::Lease>> Client::State::connection_for(const PerCore& here, const RequestForm& form, const ClientCall& call,
                                                            const std::string& name, bool fresh,
                                                            std::optional<outgoing::Lease> lease)
{
    if (!lease) {
        // The wait for a place has its own bound, so that a caller without a deadline does not wait for ever.
        const Deadline place_until = call.deadline.sooner(call.timeouts.connect + call.timeouts.head);
        auto granted = co_await here.pool->wait_for_place(name, fresh, place_until);
        if (!granted || granted->connection() != nullptr)
            co_return granted;
        lease = std::move(*granted);
    }
    auto connection = co_await here.dialer->dial(form.url(), lease->session(), call.egress,
                                                 call.deadline.sooner(call.timeouts.connect));
    if (!connection)
        co_return connection.error();
    lease->put(std::move(*connection));
    co_return std::move(*lease);
}

Client::Client(Cores& cores, ClientOptions options) : state_(std::make_unique<State>(cores, options)) {}

// Sockets belong to their core's thread. A core that has stopped drops the function, and the pool with it, when its
// context is destroyed.
Client::~Client()
{
    for (auto& core : state_->per_core)
        boost::asio::post(core.executor, [pool = std::move(core.pool), dialer = std::move(core.dialer)] { pool->shut(); });
}

Task<Result<std::unique_ptr<ResponseStream>>> Client::send(const ClientRequest& request)
{
    const auto form = RequestForm::make(request.method, request.url, request.headers);
    if (!form)
        co_return form.error();
    co_return co_await send(*form, request);
}

Task<Result<std::unique_ptr<ResponseStream>>> Client::send(const RequestForm& form, const ClientCall& call)
{
    if (Cores::here() >= state_->per_core.size())
        throw InvariantBroken("an HTTP request was started outside of a core");
    const State::PerCore here = state_->per_core[Cores::here()];
    if (call.egress)
        if (auto allowed = call.egress->check(form.url()); !allowed)
            co_return allowed.error();
    // Connections that nobody checked are never given to a request that has a policy.
    const std::string checked = call.egress ? form.origin() + " checked" : std::string();
    const auto& name = call.egress ? checked : form.origin();
    for (const bool fresh : {false, true}) {
        auto now = Steady::now();
        auto lease = here.pool->take(name, fresh, now);
        if (!lease || lease->connection() == nullptr) {
            auto connected = co_await State::connection_for(here, form, call, name, fresh, std::move(lease));
            if (!connected)
                co_return connected.error();
            lease = std::move(*connected);
            now = Steady::now();
        }
        if (send_waits_its_turn(here.pool->leased_count()))
            co_await boost::asio::post(boost::asio::deferred);
        auto outcome = co_await outgoing::exchange_heads(std::move(*lease), form, call, now);
        if (outcome.stream)
            co_return std::move(outcome.stream);
        if (outcome.error)
            co_return *outcome.error;
    }
    throw InvariantBroken("a fresh connection was reported as stale");
}

Client::Counts Client::counts() const
{
    Counts all;
    for (const auto& core : state_->per_core) {
        all.open += core.pool->open_count();
        all.idle += core.pool->idle_count();
    }
    return all;
}

void Client::close_idle()
{
    for (const auto& core : state_->per_core)
        boost::asio::post(core.executor, [pool = core.pool] { pool->close_idle(); });
}

}  // namespace dure::http
