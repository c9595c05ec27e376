// The bus within one process: a bounded inbox per subscriber. publish() fills inboxes under their locks and wakes each
// subscriber on its own core.
#include <boost/asio/post.hpp>

#include "dure/base/channel.hpp"
#include "dure/events/bus.hpp"

namespace dure::events {

namespace {

class Inbox : public std::enable_shared_from_this<Inbox> {
public:
    Inbox(boost::asio::any_io_executor executor, std::size_t capacity)
        : executor_(std::move(executor)), capacity_(capacity), changed_(executor_)
    {}

    void add(const std::vector<SharedEvent>& events)
    {
        {
            const std::lock_guard lock(guard_);
            for (const auto& event : events) {
                if (held_.events.size() < capacity_)
                    held_.events.push_back(event);
                else
                    held_.missed = true;
            }
        }
        wake();
    }

    void close()
    {
        {
            const std::lock_guard lock(guard_);
            held_.closed = true;
        }
        wake();
    }

    // Between a look that found nothing and the wait the core does nothing else, so no wake-up gets lost.
    Task<Arrivals> wait(Steady::time_point until)
    {
        while (empty() && Steady::now() < until)
            co_await changed_.wait(until);
        co_return take();
    }

private:
    bool empty()
    {
        const std::lock_guard lock(guard_);
        return held_.events.empty() && !held_.missed && !held_.closed;
    }

    Arrivals take()
    {
        const std::lock_guard lock(guard_);
        auto taken = std::move(held_);
        held_ = Arrivals{};
        held_.closed = taken.closed;
        return taken;
    }

    void wake()
    {
        boost::asio::post(executor_, [self = shared_from_this()] { self->changed_.notify(); });
    }

    const boost::asio::any_io_executor executor_;
    const std::size_t capacity_;
    std::mutex guard_;
    Arrivals held_;
    Signal changed_;
};

class InProcessSubscription final : public Subscription {
public:
    explicit InProcessSubscription(std::shared_ptr<Inbox> inbox) : inbox_(std::move(inbox)) {}
    Task<Arrivals> wait(Steady::time_point until) override { return inbox_->wait(until); }

private:
    std::shared_ptr<Inbox> inbox_;
};

class InProcessBus final : public Bus {
public:
    explicit InProcessBus(std::size_t capacity) : capacity_(capacity) {}

    void publish(std::vector<model::Event> events) override
    {
        const auto readers = inboxes();
        if (events.empty() || readers.empty())
            return;
        std::vector<SharedEvent> shared;
        shared.reserve(events.size());
        for (auto& event : events)
            shared.push_back(std::make_shared<const model::Event>(std::move(event)));
        for (const auto& inbox : readers)
            inbox->add(shared);
    }

    std::unique_ptr<Subscription> subscribe(boost::asio::any_io_executor executor) override
    {
        auto inbox = std::make_shared<Inbox>(std::move(executor), capacity_);
        const std::lock_guard lock(guard_);
        if (closed_)
            inbox->close();
        std::erase_if(inboxes_, [](const std::weak_ptr<Inbox>& one) { return one.expired(); });
        inboxes_.push_back(inbox);
        return std::make_unique<InProcessSubscription>(std::move(inbox));
    }

    void close() override
    {
        {
            const std::lock_guard lock(guard_);
            closed_ = true;
        }
        for (const auto& inbox : inboxes())
            inbox->close();
    }

private:
    std::vector<std::shared_ptr<Inbox>> inboxes()
    {
        const std::lock_guard lock(guard_);
        std::vector<std::shared_ptr<Inbox>> alive;
        for (const auto& one : inboxes_)
            if (auto inbox = one.lock())
                alive.push_back(std::move(inbox));
        return alive;
    }

    const std::size_t capacity_;
    std::mutex guard_;
    std::vector<std::weak_ptr<Inbox>> inboxes_;
    bool closed_ = false;
};

}  // namespace

std::unique_ptr<Bus> in_process_bus(std::size_t capacity)
{
    return std::make_unique<InProcessBus>(capacity);
}

}  // namespace dure::events
