// Listening, accepting and stopping. Every socket is touched on its own core only; the calls of Server post there.
#include "dure/http/server.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>
#include <latch>

#include <unistd.h>

#include "http/server/connection.hpp"
#include "http/server/descriptors.hpp"
#include "http/server/shared.hpp"

namespace dure::http {
namespace server_parts {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using ReusePort = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

constexpr int backlog = 1024;
constexpr auto accept_pause = std::chrono::milliseconds(100);
constexpr auto told_again = std::chrono::seconds(10);

Error cannot_listen(const ServerOptions& options, const error_code& error)
{
    return Error(Errc::unavailable,
                 "Cannot listen on " + options.host + " port " + std::to_string(options.port) + ": " + error.message());
}

Result<tcp::endpoint> find_endpoint(asio::io_context& context, const ServerOptions& options)
{
    error_code error;
    const auto address = asio::ip::make_address(options.host, error);
    if (!error)
        return tcp::endpoint(address, options.port);
    tcp::resolver resolver(context);
    const auto found = resolver.resolve(options.host, std::to_string(options.port), tcp::resolver::passive, error);
    if (error || found.empty())
        return cannot_listen(options, error);
    return found.begin()->endpoint();
}

error_code bind_to(tcp::acceptor& acceptor, const tcp::endpoint& endpoint, bool shared_port)
{
    error_code error;
    acceptor.open(endpoint.protocol(), error);
    if (!error)
        acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error && shared_port)
        acceptor.set_option(ReusePort(true), error);
    if (!error)
        acceptor.bind(endpoint, error);
    return error;
}

Result<void> load_tls(Shared& shared)
{
    const auto& options = shared.options;
    if (options.tls_certificate_file.empty() && options.tls_key_file.empty())
        return {};
    return shared.tls.load(options.tls_certificate_file, options.tls_key_file);
}

void log_connection_failure(Shared& shared, const std::exception_ptr& thrown)
{
    try {
        std::rethrow_exception(thrown);
    } catch (const boost::system::system_error& error) {
        if (error.code() != asio::error::operation_aborted)
            shared.logger.warn("connection failed", {{"what", error.code().message()}});
    } catch (const std::exception& error) {
        shared.logger.error("connection failed", {{"what", error.what()}});
    }
}

void start_connection(Place place, tcp::socket socket)
{
    const auto& core = place.core();
    auto& shared = *core->shared;
    error_code error;
    const auto peer = socket.remote_endpoint(error);
    if (error)
        return;   // gone between the accept and now
    const auto address = plain_address(peer.address());
    if (!shared.connections.enter(address, shared.options.limits.connections,
                                  shared.options.limits.connections_per_address))
        return;   // over the limit: closed by leaving
    socket.set_option(tcp::no_delay(true), error);
    socket.non_blocking(true, error);
    auto connection = std::make_shared<Connection>(core, std::move(socket), address);
    core->connections.insert(connection.get());
    auto& context = core->context;
    auto ended = [place = std::move(place), connection, address](const std::exception_ptr& thrown) {
        auto& core = *place.core();
        if (thrown)
            log_connection_failure(*core.shared, thrown);
        connection->close();
        core.connections.erase(connection.get());
        core.shared->connections.leave(address);
    };
    asio::co_spawn(context, connection->run(), asio::bind_cancellation_slot(connection->slot(), std::move(ended)));
}

// The kernel deals connections to the listeners by a hash: of 64 on 16 cores one core has often nine and another none. A connection
// goes to the core that has the fewest when its own has that many more. A few more are left where they came: a core that is awake
// anyway answers for less than one that must be woken (27 µs beside 46 for each request of four connections on two cores).
constexpr std::size_t borne_difference = 4;

Place find_place(const std::shared_ptr<Core>& own)
{
    auto emptiest = own;
    auto fewest = own->places.load(std::memory_order_relaxed);
    const auto here = fewest;
    if (here > borne_difference)
        for (const auto& other : own->shared->cores)
            if (auto core = other.lock(); core && core->places.load(std::memory_order_relaxed) < fewest) {
                fewest = core->places.load(std::memory_order_relaxed);
                emptiest = std::move(core);
            }
    return Place(here > fewest + borne_difference ? std::move(emptiest) : own);
}

void deal_out(const std::shared_ptr<Core>& core, tcp::socket socket)
{
    auto place = find_place(core);
    if (place.core() == core)
        return start_connection(std::move(place), std::move(socket));
    error_code error;
    auto& context = place.core()->context;
    auto moved = std::make_unique<tcp::socket>(context);   // closed by leaving when the loop ends before it is taken
    const auto handle = socket.release(error);
    if (!error)
        moved->assign(core->shared->protocol, handle, error);
    if (error) {
        ::close(handle);
        return core->shared->logger.warn("connection not taken", {{"what", error.message()}});
    }
    asio::post(context, [place = std::move(place), moved = std::move(moved)]() mutable {
        start_connection(std::move(place), std::move(*moved));
    });
}

Task<void> pause_accepting(Core& core)
{
    core.pause.expires_after(accept_pause);
    co_await core.pause.async_wait(asio::as_tuple(asio::use_awaitable));
}

// Connections wait in the kernel's queue while those that stand need what is left. `told`: at most every so often, as one may come for
// each that goes.
Task<void> wait_for_descriptors(Core& core, Steady::time_point& told)
{
    if (Steady::now() - told > told_again) {
        core.shared->logger.warn("accepting is paused",
                                 {{"what", "only the file descriptors kept for open connections are left"}});
        told = Steady::now();
    }
    while (core.acceptor.is_open() && only_reserve_left(core.acceptor.native_handle()))
        co_await pause_accepting(core);
}

Task<void> accept_connections(std::shared_ptr<Core> core)
{
    bool paused = false;
    auto told = Steady::now() - 2 * told_again;
    while (core->acceptor.is_open()) {
        auto [error, socket] = co_await core->acceptor.async_accept(asio::as_tuple(asio::use_awaitable));
        if (!error) {
            paused = false;
            const bool last = is_of_reserve(socket.native_handle());
            deal_out(core, std::move(socket));
            if (last)
                co_await wait_for_descriptors(*core, told);
            continue;
        }
        if (error == asio::error::operation_aborted || error == asio::error::connection_aborted)
            continue;
        if (!std::exchange(paused, true))   // once until it works again: it may last
            core->shared->logger.warn("accepting is paused", {{"what", error.message()}});
        co_await pause_accepting(*core);
    }
}

}  // namespace server_parts

using namespace server_parts;

struct Server::State {
    // Runs `work` on every core; waits for it when the caller is on none of them and they still run.
    template <class Work>
    void on_cores(Work work)
    {
        const auto done = std::make_shared<std::latch>(static_cast<std::ptrdiff_t>(cores.size()));
        for (const auto& core : cores)
            asio::post(core->context, [core, work, done] {
                work(*core);
                done->count_down();
            });
        const auto until = Steady::now() + std::chrono::seconds(2);
        while (Cores::here() == Cores::outside && !done->try_wait() && Steady::now() < until && !stopped())
            std::this_thread::sleep_for(std::chrono::microseconds(200));
    }

    bool stopped() const
    {
        return std::all_of(cores.begin(), cores.end(), [](const auto& core) { return core->context.stopped(); });
    }

    std::shared_ptr<Shared> shared;
    std::vector<std::shared_ptr<Core>> cores;
    std::uint16_t port = 0;
    bool listening = false;
};

Server::Server(Cores& cores, Application& application, Logger& logger, ServerOptions options)
    : state_(std::make_unique<State>())
{
    state_->shared = std::make_shared<Shared>(application, logger, std::move(options));
    for (std::size_t i = 0; i < cores.size(); ++i)
        state_->cores.push_back(std::make_shared<Core>(state_->shared, cores.at(i)));
    state_->shared->cores.assign(state_->cores.begin(), state_->cores.end());
}

Server::~Server()
{
    if (!state_->listening)
        return;
    if (!state_->stopped()) {
        stop_accepting();
        close_all(std::chrono::seconds(2));
        return;
    }
    // The loops have ended: what still waits is destroyed here, on the last thread there is.
    for (const auto& core : state_->cores) {
        error_code ignored;
        core->acceptor.close(ignored);
        const auto left = std::exchange(core->connections, {});
        std::vector<std::shared_ptr<Connection>> held;
        for (auto* connection : left)
            held.push_back(connection->shared_from_this());
        for (const auto& connection : held)
            connection->abandon();
    }
}

Result<void> Server::listen()
{
    auto& shared = *state_->shared;
    if (auto loaded = load_tls(shared); !loaded)
        return loaded.error();
    auto found = find_endpoint(state_->cores.front()->context, shared.options);
    if (!found)
        return found.error();
    auto endpoint = *found;
    auto peers = PeerPolicy::make(shared.options, endpoint.address().is_loopback());
    if (!peers)
        return peers.error();
    shared.peers = *peers;
    {
        // Without SO_REUSEPORT a port that somebody else listens on is an error, not shared with him. Bound only: a
        // client that came while this socket listened would lose its handshake with it and wait a second.
        tcp::acceptor alone(state_->cores.front()->context);
        if (const error_code error = bind_to(alone, endpoint, false); error)
            return cannot_listen(shared.options, error);
        endpoint = alone.local_endpoint();
    }
    shared.protocol = endpoint.protocol();
    for (const auto& core : state_->cores) {
        error_code error = bind_to(core->acceptor, endpoint, true);
        if (!error)
            core->acceptor.listen(backlog, error);
        if (error)
            return cannot_listen(shared.options, error);
    }
    state_->port = endpoint.port();
    state_->listening = true;
    for (const auto& core : state_->cores)
        asio::co_spawn(core->context, accept_connections(core), asio::detached);
    return {};
}

Result<void> Server::reload_certificate()
{
    return load_tls(*state_->shared);
}

std::uint16_t Server::port() const
{
    return state_->port;
}

void Server::wind_down()
{
    state_->shared->stopping = true;
    state_->on_cores([](Core& core) {
        const auto all = core.connections;  // an ended one leaves the set
        for (auto* connection : all)
            connection->end_if_used_and_idle();
    });
}

void Server::stop_accepting()
{
    state_->shared->stopping = true;
    state_->on_cores([](Core& core) {
        error_code ignored;  // closed is closed
        core.acceptor.close(ignored);
        core.pause.cancel();
        const auto all = core.connections;  // an ended one leaves the set
        for (auto* connection : all)
            connection->end_if_idle();
    });
}

std::size_t Server::open_exchanges() const
{
    std::size_t open = 0;
    for (const auto& core : state_->cores)
        open += core->exchanges.load(std::memory_order_relaxed);
    return open;
}

void Server::close_all(std::chrono::milliseconds patience)
{
    const auto until = Steady::now() + patience;
    state_->on_cores([](Core& core) {
        const auto all = core.connections;
        for (auto* connection : all)
            connection->cancel();
    });
    if (Cores::here() != Cores::outside)
        return;  // a core cannot wait for itself
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Steady::now());
    if (state_->shared->connections.wait_until_none(std::max(left, std::chrono::milliseconds(0))))
        return;
    state_->shared->logger.warn("handlers do not end, their connections are cut",
                                {{"connections", state_->shared->connections.all()}});
    state_->on_cores([](Core& core) {
        const auto all = core.connections;
        for (auto* connection : all)
            connection->abort();
    });
}

}  // namespace dure::http
