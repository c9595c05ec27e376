// Webhooks (X5): the end of a run is posted to the address it began with. What ends the run leaves a row in the same unit of
// work (add_in); the sender of any process that works on the database takes it under a lease and posts it until the receiver
// takes it or the last try was made. Once in ordinary operation, again after a crash: each end has an id of its own.
//   Webhooks sender(runs, executor, log, post, options); co_spawn(executor, sender.work()); … sender.drain(deadline);
#pragma once

#include <functional>
#include <map>

#include "dure/base/log.hpp"
#include "dure/base/task_group.hpp"
#include "dure/runs/runs.hpp"

namespace dure::runs {

// The option of a run that names the address.
inline constexpr const char* webhook_option = "webhook";

struct Webhook {
    std::string id;   // of this end of this run, the same at every try
    std::string run;
    std::string graph;
    std::string url;   // may hold a token: never in logs, events or errors
    std::string body;   // JSON
    std::int64_t tries = 0;   // with the one being made
    UnixMillis created_at = 0;   // when the run ended
    std::string owner = {};   // the run's; known when it is posted
};

Webhook webhook_of(std::string run, std::string graph, std::string url, const Json& view, UnixMillis ended_at);

struct PostOutcome {
    bool taken = false;
    bool hopeless = false;   // no other try can do better
    std::string cause;   // for people, without the address
    std::optional<std::chrono::milliseconds> pause;   // the receiver asked for it
};

struct WebhookOptions {
    std::int64_t most_tries = 8;
    std::chrono::milliseconds first_pause{2'000};   // four times as long before each further try,
    std::chrono::milliseconds longest_pause{600'000};   // also when the receiver asks for more
    std::chrono::milliseconds try_limit{10'000};
    std::chrono::milliseconds lease{15'000};   // above try_limit: until then no other process makes the same try
    std::chrono::milliseconds look_interval{1'000};
    std::size_t most_at_once = 32;
    std::size_t most_of_one = 8;   // owner: slow receivers of one hold up nobody else
    std::string graphs = {};   // posts for runs whose graph's name begins so; empty: all
};

struct WebhookMoment;

class Webhooks {
public:
    // One try, over by the deadline. Awaited on the sender's executor.
    using Post = std::function<Task<PostOutcome>(const Webhook& webhook, Deadline deadline)>;
    // Told before the row of an end goes that nobody took; again when that fails.
    using GivenUp = std::function<Task<Result<void>>(Webhook webhook, std::string cause)>;

    // Made, run and destroyed on one executor; runs and log outlive it.
    Webhooks(Runs& runs, boost::asio::any_io_executor executor, Logger& log, Post post, WebhookOptions options,
             GivenUp given_up = nullptr);

    // Within the unit of work that ends the run.
    static Result<void> add_in(sql::Connection& connection, const Webhook& webhook);

    // Until drain() is called, or until cancelled: what is not posted then is posted later, by whoever works on the database.
    Task<void> work();
    // Begins nothing more; what is being posted has until the deadline.
    void drain(Deadline deadline);

    // Whether an end of such runs is still to be posted.
    Task<Result<bool>> waits();

private:
    Task<void> take_and_post();
    WebhookMoment moment() const;
    // How many were begun; 0: there is nothing, no room or no storage.
    Task<std::size_t> take_some();
    Task<void> post(Webhook webhook);
    Task<void> put_off(const Webhook& webhook, const PostOutcome& outcome);
    Task<void> give_up(const Webhook& webhook, std::string cause);
    Task<void> remove(const Webhook& webhook);

    sql::Database& database_;
    const Clock& clock_;
    LeaseClock& leases_;
    Logger& log_;
    const Post post_;
    const WebhookOptions options_;
    const GivenUp given_up_;
    bool draining_ = false;
    Deadline drain_deadline_ = Deadline::never();
    std::map<std::string, std::size_t> posting_;   // of each owner
    Signal woken_;
    TaskGroup posts_;
};

}  // namespace dure::runs
