// See webhooks.hpp. All state belongs to the sender's executor; the row alone says who makes a try, and how many there were.
#include "dure/runs/webhooks.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <limits>
#include <random>

#include "runs/storage_retry.hpp"
#include "runs/webhook_rows.hpp"

namespace dure::runs {

namespace {

constexpr auto storage_patience = std::chrono::seconds(30);

// So that receivers that were down are not met by all their ends at one moment.
std::chrono::milliseconds with_jitter(std::chrono::milliseconds pause)
{
    static thread_local std::mt19937 random{std::random_device{}()};
    std::uniform_real_distribution<double> factor(0.8, 1.2);
    return std::chrono::milliseconds(static_cast<std::int64_t>(static_cast<double>(pause.count()) * factor(random)));
}

std::chrono::milliseconds pause_behind(std::int64_t tries, const WebhookOptions& options)
{
    auto pause = options.first_pause;
    for (std::int64_t i = 1; i < tries && pause < options.longest_pause; ++i)
        pause *= 4;
    return std::min(pause, options.longest_pause);
}

}  // namespace

Webhooks::Webhooks(Runs& runs, boost::asio::any_io_executor executor, Logger& log, Post post, WebhookOptions options,
                   GivenUp given_up)
    : database_(runs.database()), clock_(runs.clock()), leases_(runs.lease_clock()), log_(log), post_(std::move(post)),
      options_(std::move(options)), given_up_(std::move(given_up)), woken_(executor), posts_(executor)
{}

Result<void> Webhooks::add_in(sql::Connection& connection, const Webhook& webhook)
{
    return WebhookRows(connection).add(webhook);
}

void Webhooks::drain(Deadline deadline)
{
    draining_ = true;
    drain_deadline_ = deadline;
    woken_.notify();
}

Task<Result<bool>> Webhooks::waits()
{
    co_return co_await database_.read([this](sql::Connection& c) { return WebhookRows(c).any(options_.graphs); });
}

Task<void> Webhooks::work()
{
    bool cancelled = false;
    try {
        while (!draining_) {
            co_await take_and_post();
            if (!draining_)
                co_await woken_.wait(Steady::now() + options_.look_interval);
        }
        while (posts_.size() > 0 && !drain_deadline_.passed())
            co_await woken_.wait(drain_deadline_.at());
    } catch (const boost::system::system_error& stopped) {
        if (stopped.code() != boost::asio::error::operation_aborted)
            throw;
        cancelled = true;
    }
    co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::disable_cancellation());
    posts_.cancel();
    co_await posts_.wait();
    if (cancelled)
        throw boost::system::system_error(boost::asio::error::operation_aborted);
}

// Usually there is nothing, which a read tells.
Task<void> Webhooks::take_and_post()
{
    if (posts_.size() >= options_.most_at_once || !co_await leases_.known(options_.lease / 3))
        co_return;
    const auto now = moment();
    const auto due = co_await database_.read([&](sql::Connection& c) { return WebhookRows(c).any_due(now, options_.graphs); });
    if (!due || !*due)
        co_return;   // what cannot be read now is read at the next look
    while (!draining_ && co_await take_some() > 0) {}
}

WebhookMoment Webhooks::moment() const
{
    const auto now = leases_.now();
    // SQLite's clock of leases begins anew with each process: a lease that a dead one left may end anywhere in it.
    const auto longest = database_.dialect() == sql::Dialect::sqlite ? now + 2 * options_.lease.count()
                                                                     : std::numeric_limits<UnixMillis>::max();
    return {clock_.now(), now, now + options_.lease.count(), longest};
}

Task<std::size_t> Webhooks::take_some()
{
    const auto room = options_.most_at_once - std::min(options_.most_at_once, posts_.size());
    if (room == 0)
        co_return 0;
    WebhookRows::Claim claim;
    claim.limit = static_cast<std::int64_t>(room);
    auto most_of_another = std::size_t{0};
    for (const auto& [owner, posting] : posting_) {
        if (posting >= options_.most_of_one)
            claim.without_owners.push_back(owner);
        else
            most_of_another = std::max(most_of_another, posting);
    }
    claim.limit_of_one = static_cast<std::int64_t>(options_.most_of_one - most_of_another);
    claim.graphs = options_.graphs;
    claim.moment = moment();
    auto taken = co_await database_.write([&](sql::Connection& c) { return WebhookRows(c).claim(claim); });
    if (!taken) {
        log_.warn("webhooks could not be taken", {{"cause", taken.error().message() + " " + taken.error().detail()}});
        co_return 0;
    }
    for (auto& webhook : *taken) {
        ++posting_[webhook.owner];
        posts_.spawn(post(std::move(webhook)));
    }
    co_return taken->size();
}

Task<void> Webhooks::post(Webhook webhook)
{
    struct Leaving {
        Webhooks& sender;
        const std::string owner;
        ~Leaving()
        {
            const auto own = sender.posting_.find(owner);
            if (--own->second == 0)
                sender.posting_.erase(own);
            sender.woken_.notify();
        }
    };
    const Leaving leaving{*this, webhook.owner};
    if (webhook.tries > options_.most_tries) {
        co_await give_up(webhook, "the process ended during the last try");
        co_return;
    }
    const auto outcome = co_await post_(webhook, Deadline::after(options_.try_limit));
    if (outcome.taken)
        co_await remove(webhook);
    else if (outcome.hopeless || webhook.tries >= options_.most_tries)
        co_await give_up(webhook, outcome.cause);
    else
        co_await put_off(webhook, outcome);
}

Task<void> Webhooks::put_off(const Webhook& webhook, const PostOutcome& outcome)
{
    const auto ours = with_jitter(pause_behind(webhook.tries, options_));
    const auto pause = std::min(std::max(ours, outcome.pause.value_or(ours)), options_.longest_pause);
    log_.info("a webhook was not taken; it is tried again",
              {{"run", webhook.run}, {"tries", std::to_string(webhook.tries)}, {"cause", outcome.cause}});
    const auto due_at = clock_.now() + pause.count();
    const auto stored = co_await until_stored(
        [&] { return database_.write([&](sql::Connection& c) { return WebhookRows(c).put_off(webhook, due_at); }); },
        storage_patience);
    if (!stored)
        log_.warn("a webhook could not be put off", {{"run", webhook.run}, {"cause", stored.error().detail()}});
}

Task<void> Webhooks::give_up(const Webhook& webhook, std::string cause)
{
    log_.warn("a webhook was given up",
              {{"run", webhook.run}, {"tries", std::to_string(std::min(webhook.tries, options_.most_tries))}, {"cause", cause}});
    if (given_up_)
        if (const auto told = co_await given_up_(webhook, std::move(cause)); !told) {
            log_.warn("the end of a webhook could not be told", {{"run", webhook.run}, {"cause", told.error().detail()}});
            co_return;   // when the lease is over it is told again
        }
    co_await remove(webhook);
}

// What cannot be removed is posted again when its lease is over: receivers know it by its id.
Task<void> Webhooks::remove(const Webhook& webhook)
{
    const auto removed = co_await until_stored(
        [&] { return database_.write([&](sql::Connection& c) { return WebhookRows(c).remove(webhook.id); }); },
        storage_patience);
    if (!removed)
        log_.warn("a webhook that was taken could not be removed",
                  {{"run", webhook.run}, {"cause", removed.error().detail()}});
}

}  // namespace dure::runs
