// AppendBatches; see append_batches.hpp.
#include "events/append_batches.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/this_coro.hpp>

namespace dure::events {

namespace {

// Those that wait behind a batch have waited as long: they are not made to wait once more for what is away.
bool concerns_all(const Error& error)
{
    return error.code() == Errc::unavailable && error.reason() != "outcome_unknown";
}

}  // namespace

Task<Result<model::Event>> AppendBatches::append(store::NewEvent event, std::optional<std::int64_t> expected_version)
{
    const auto executor = co_await boost::asio::this_coro::executor;
    Waiting me{event, expected_version, {}};
    co_await await_callback([&](auto resume) {
        me.resume = resume;
        {
            const std::lock_guard lock(guard_);
            waiting_.push_back(&me);
            if (std::exchange(working_, true))
                return;
        }
        // Not the caller's own: who leaves takes nobody else's append with him.
        boost::asio::co_spawn(executor, [self = shared_from_this()] { return self->work(); }, boost::asio::detached);
    });
    if (me.thrown)
        std::rethrow_exception(me.thrown);
    co_return std::move(*me.outcome);
}

AppendBatches::Batch AppendBatches::next_batch()
{
    const std::lock_guard lock(guard_);
    const auto size = static_cast<std::ptrdiff_t>(std::min(largest_batch, waiting_.size()));
    Batch batch(waiting_.begin(), waiting_.begin() + size);
    waiting_.erase(waiting_.begin(), waiting_.begin() + size);
    working_ = !batch.empty();
    return batch;
}

AppendBatches::Batch AppendBatches::take_all()
{
    const std::lock_guard lock(guard_);
    return std::exchange(waiting_, {});
}

Task<void> AppendBatches::work()
{
    const auto self = shared_from_this();
    for (auto batch = next_batch(); !batch.empty(); batch = next_batch()) {
        try {
            co_await settle(batch);
        } catch (...) {
            for (auto* one : batch)
                if (!one->outcome)
                    one->thrown = std::current_exception();
        }
        for (auto* one : batch) {
            const auto resume = std::move(one->resume);   // `one` is gone as soon as it is called
            resume();
        }
    }
}

Task<void> AppendBatches::settle(Batch& batch)
{
    auto outcomes = co_await store(batch);
    if (outcomes) {
        for (std::size_t i = 0; i < batch.size(); ++i)
            batch[i]->outcome = std::move((*outcomes)[i]);
    } else if (batch.size() == 1 || outcomes.error().code() == Errc::unavailable) {
        if (concerns_all(outcomes.error()))
            for (auto* one : take_all())
                batch.push_back(one);
        for (auto* one : batch)
            one->outcome = outcomes.error();
    } else {
        for (auto* one : batch) {
            auto alone = co_await store({one});
            one->outcome = alone ? std::move(alone->front()) : Outcome(alone.error());
        }
    }
}

Task<Result<std::vector<AppendBatches::Outcome>>> AppendBatches::store(const Batch& batch)
{
    auto stored = co_await database_.write([&](sql::Connection& connection) -> Result<std::vector<Outcome>> {
        std::vector<store::EventToAppend> events;
        events.reserve(batch.size());
        for (const auto* one : batch)
            events.push_back({one->event, one->expected_version});
        auto outcomes = store::Events(connection).append_all(std::move(events));
        if (outcomes && batch.size() == 1 && !outcomes->front())
            return outcomes->front().error();
        return outcomes;
    });
    if (stored) {
        std::vector<model::Event> events;
        for (const auto& outcome : *stored)
            if (outcome)
                events.push_back(*outcome);
        bus_.publish(std::move(events));
    }
    co_return stored;
}

}  // namespace dure::events
