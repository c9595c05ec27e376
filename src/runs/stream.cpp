// See stream.hpp. A reader subscribes first and looks into the store then, so nothing falls between the two.
#include "dure/runs/stream.hpp"

#include <boost/asio/post.hpp>
#include <utility>

#include "runs/run_rows.hpp"
#include "runs/storage_retry.hpp"

namespace dure::runs {

void RunStreams::publish(const std::string& run, const std::vector<SharedRunEvent>& events)
{
    const std::lock_guard lock(guard_);
    const auto found = live_.find(run);
    if (found == live_.end())
        return;
    auto& recent = found->second.recent;
    for (const auto& event : events) {
        if (!recent.empty() && recent.back()->seq + 1 != event->seq)
            recent.clear();
        recent.push_back(event);
        if (recent.size() > kept_events)
            recent.pop_front();
    }
    for (const auto& [number, reader] : found->second.readers)
        if (reader.wakes == Wakes::by_events)
            reader.wake();
}

void RunStreams::nudge(const std::string& run)
{
    const std::lock_guard lock(guard_);
    if (const auto found = live_.find(run); found != live_.end())
        for (const auto& [number, reader] : found->second.readers)
            reader.wake();
}

std::vector<SharedRunEvent> RunStreams::after(const std::string& run, std::int64_t seq) const
{
    const std::lock_guard lock(guard_);
    const auto found = live_.find(run);
    if (found == live_.end() || found->second.recent.empty())
        return {};
    const auto& recent = found->second.recent;
    const auto skip = seq + 1 - recent.front()->seq;
    if (skip < 0 || skip >= static_cast<std::int64_t>(recent.size()))
        return {};
    return {recent.begin() + skip, recent.end()};
}

std::size_t RunStreams::readers(const std::string& run) const
{
    const std::lock_guard lock(guard_);
    const auto found = live_.find(run);
    return found == live_.end() ? 0 : found->second.readers.size();
}

RunStreams::Subscription::Subscription(RunStreams& streams, std::string run, std::function<void()> wake,
                                       Wakes wakes)
    : streams_(streams), run_(std::move(run))
{
    const std::lock_guard lock(streams_.guard_);
    number_ = ++streams_.last_number_;
    streams_.live_[run_].readers.emplace(number_, Reader{std::move(wake), wakes});
}

RunStreams::Subscription::~Subscription()
{
    const std::lock_guard lock(streams_.guard_);
    const auto found = streams_.live_.find(run_);
    found->second.readers.erase(number_);
    if (found->second.readers.empty())
        streams_.live_.erase(found);
}

struct RunWaiter::State {
    explicit State(boost::asio::any_io_executor on) : executor(on), changed(on) {}
    boost::asio::any_io_executor executor;
    Signal changed;
    bool nudged = false;

    static void nudge(const std::weak_ptr<State>& state);  // from any thread
};

void RunWaiter::State::nudge(const std::weak_ptr<State>& state)
{
    const auto alive = state.lock();
    if (!alive)
        return;
    boost::asio::post(alive->executor, [state] {
        if (const auto here = state.lock()) {
            here->nudged = true;
            here->changed.notify();
        }
    });
}

RunWaiter::RunWaiter(RunStreams& streams, boost::asio::any_io_executor executor, const std::string& run,
                     RunStreams::Wakes wakes)
    : state_(std::make_shared<State>(executor)),
      subscription_(streams, run, [state = std::weak_ptr(state_)] { State::nudge(state); }, wakes)
{}

Task<void> RunWaiter::wait(Steady::time_point until)
{
    if (!state_->nudged)
        co_await state_->changed.wait(until);
    state_->nudged = false;
}

RunReader::RunReader(sql::Database& database, RunStreams& streams, boost::asio::any_io_executor executor,
                     std::string run, std::int64_t after, EventFilter filter)
    : database_(database), streams_(streams), waiter_(streams, std::move(executor), run), run_(std::move(run)),
      position_(after), filter_(std::move(filter))
{}

// The row before the events: a run that ended in between shows its last events at the next look.
Result<RunReader::Page> RunReader::read_page(sql::Connection& connection) const
{
    RunRows rows(connection);
    const auto run = rows.find(run_, "");
    if (!run)
        return run.error();
    auto events = rows.events_after(run_, position_, longest_page);
    if (!events)
        return events.error();
    Page page;
    page.over = !is_open(run->status) && !events->cut && std::cmp_less(events->size(), longest_page);
    for (auto& event : *events)
        page.events.push_back(std::make_shared<const RunEvent>(std::move(event)));
    return page;
}

std::vector<SharedRunEvent> RunReader::filtered(const std::vector<SharedRunEvent>& events)
{
    std::vector<SharedRunEvent> wanted;
    for (const auto& event : events) {
        position_ = event->seq;
        if (filter_.passes(*event))
            wanted.push_back(event);
    }
    return wanted;
}

Task<Result<std::vector<SharedRunEvent>>> RunReader::next(Steady::time_point until)
{
    const auto read = [this](sql::Connection& c) { return read_page(c); };
    while (!ended_) {
        if (auto events = filtered(streams_.after(run_, position_)); !events.empty())
            co_return events;
        auto page = co_await database_.read(read);
        if (!page)
            co_return as_storage_error(page.error());
        ended_ = page->over;
        if (auto events = filtered(page->events); !events.empty())
            co_return events;
        if (ended_ || !page->events.empty())
            continue;
        if (Steady::now() >= until)
            break;
        co_await waiter_.wait(std::min(until, Steady::now() + look_interval));
    }
    co_return std::vector<SharedRunEvent>();
}

}  // namespace dure::runs
