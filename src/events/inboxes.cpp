// Inboxes; see inboxes.hpp.
#include "events/inboxes.hpp"

#include <boost/asio/post.hpp>

#include <optional>

#include "dure/base/channel.hpp"

namespace dure::events {

class Inbox : public std::enable_shared_from_this<Inbox> {
public:
    Inbox(boost::asio::any_io_executor executor, std::size_t capacity)
        : executor_(std::move(executor)), capacity_(capacity), changed_(std::in_place, executor_)
    {}

    // The subscriber leaves, on its core: from here on nothing of that core is touched, also when a publisher on another
    // one still holds this object and the core's loop ends.
    void detach()
    {
        const std::lock_guard lock(guard_);
        changed_.reset();
        executor_ = {};
    }

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

    void miss()
    {
        {
            const std::lock_guard lock(guard_);
            held_.missed = true;
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
            co_await changed_->wait(until);
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
        const std::lock_guard lock(guard_);
        if (changed_)
            boost::asio::post(executor_, [self = shared_from_this()] { self->notify(); });
    }

    void notify()
    {
        const std::lock_guard lock(guard_);
        if (changed_)
            changed_->notify();
    }

    boost::asio::any_io_executor executor_;
    const std::size_t capacity_;
    std::mutex guard_;
    Arrivals held_;
    std::optional<Signal> changed_;   // nothing: detached
};

namespace {

class InboxSubscription final : public Subscription {
public:
    explicit InboxSubscription(std::shared_ptr<Inbox> inbox) : inbox_(std::move(inbox)) {}
    ~InboxSubscription() override { inbox_->detach(); }
    InboxSubscription(const InboxSubscription&) = delete;
    InboxSubscription& operator=(const InboxSubscription&) = delete;
    Task<Arrivals> wait(Steady::time_point until) override { return inbox_->wait(until); }

private:
    std::shared_ptr<Inbox> inbox_;
};

}  // namespace

std::vector<std::shared_ptr<Inbox>> Inboxes::alive()
{
    const std::lock_guard lock(guard_);
    std::vector<std::shared_ptr<Inbox>> found;
    for (const auto& one : inboxes_)
        if (auto inbox = one.lock())
            found.push_back(std::move(inbox));
    return found;
}

bool Inboxes::have_readers()
{
    const std::lock_guard lock(guard_);
    std::erase_if(inboxes_, [](const std::weak_ptr<Inbox>& one) { return one.expired(); });
    return !inboxes_.empty();
}

void Inboxes::publish(std::vector<model::Event> events)
{
    const auto readers = alive();
    if (events.empty() || readers.empty())
        return;
    std::vector<SharedEvent> shared;
    shared.reserve(events.size());
    for (auto& event : events)
        shared.push_back(std::make_shared<const model::Event>(std::move(event)));
    for (const auto& inbox : readers)
        inbox->add(shared);
}

void Inboxes::tell_of_a_gap()
{
    for (const auto& inbox : alive())
        inbox->miss();
}

std::unique_ptr<Subscription> Inboxes::subscribe(boost::asio::any_io_executor executor)
{
    auto inbox = std::make_shared<Inbox>(std::move(executor), capacity_);
    const std::lock_guard lock(guard_);
    if (closed_)
        inbox->close();
    std::erase_if(inboxes_, [](const std::weak_ptr<Inbox>& one) { return one.expired(); });
    inboxes_.push_back(inbox);
    return std::make_unique<InboxSubscription>(std::move(inbox));
}

void Inboxes::close()
{
    {
        const std::lock_guard lock(guard_);
        closed_ = true;
    }
    for (const auto& inbox : alive())
        inbox->close();
}

}  // namespace dure::events
