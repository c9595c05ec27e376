// The stream of a run (T3, T4): events are given out when they are durable, with numbers without gaps. RunStreams hands the
// newest events of this process's runs to readers; a reader that is slow, late, or of another process reads the same from
// the store. A reader costs its position only, so it never slows the run.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "dure/base/channel.hpp"
#include "dure/runs/run.hpp"
#include "dure/sql/database.hpp"

namespace dure::runs {

using SharedRunEvent = std::shared_ptr<const RunEvent>;

// Thread-safe.
class RunStreams {
public:
    static constexpr std::size_t kept_events = 256;  // of a run that somebody reads

    // Durable events, in order.
    void publish(const std::string& run, const std::vector<SharedRunEvent>& events);
    // Something about the run's row changed: it ended, was stopped or resumed.
    void nudge(const std::string& run);

    // What is kept from seq + 1 on without a gap; nothing: look into the store.
    std::vector<SharedRunEvent> after(const std::string& run, std::int64_t seq) const;

    enum class Wakes { by_events, by_changes };  // events and changes of the row; changes only: it ended, was stopped or resumed

    // Calls `wake` (from any thread, briefly) until the object is gone.
    class Subscription {
    public:
        Subscription(RunStreams& streams, std::string run, std::function<void()> wake, Wakes wakes = Wakes::by_events);
        ~Subscription();
        Subscription(const Subscription&) = delete;
        Subscription& operator=(const Subscription&) = delete;

    private:
        RunStreams& streams_;
        std::string run_;
        std::uint64_t number_;
    };
    std::size_t readers(const std::string& run) const;

private:
    struct Reader {
        std::function<void()> wake;
        Wakes wakes = Wakes::by_events;
    };
    struct Live {
        std::deque<SharedRunEvent> recent;
        std::map<std::uint64_t, Reader> readers;
    };

    mutable std::mutex guard_;
    std::unordered_map<std::string, Live> live_;  // only runs with readers
    std::uint64_t last_number_ = 0;
};

// Used by one coroutine, on the executor it was made with.
class RunWaiter {
public:
    RunWaiter(RunStreams& streams, boost::asio::any_io_executor executor, const std::string& run,
              RunStreams::Wakes wakes = RunStreams::Wakes::by_events);
    // Until the next nudge since the last wait, or the moment.
    Task<void> wait(Steady::time_point until);

private:
    struct State;
    std::shared_ptr<State> state_;
    RunStreams::Subscription subscription_;
};

// The events of a run after a number, through a filter that is the same for replay and live. Used by one coroutine.
class RunReader {
public:
    static constexpr std::int64_t longest_page = 100;
    static constexpr std::chrono::milliseconds look_interval{500};  // at the store, for runs of other processes

    RunReader(sql::Database& database, RunStreams& streams, boost::asio::any_io_executor executor, std::string run,
              std::int64_t after, EventFilter filter);

    // The next events; none when the time passed without any, or when the run is over: see ended(). An interrupted run's
    // stream ends too, and goes on after its last event when the run is resumed.
    Task<Result<std::vector<SharedRunEvent>>> next(Steady::time_point until);
    bool ended() const { return ended_; }
    // Goes on behind an end: whoever told what became of the run by another look at the store may have seen it set going again in
    // between. When the next page is empty and it has ended once more, that look and the log agree.
    void look_again() { ended_ = false; }
    // Everything up to here was given out, or did not pass the filter.
    std::int64_t position() const { return position_; }

private:
    struct Page {
        std::vector<SharedRunEvent> events;
        bool over = false;
    };
    Result<Page> read_page(sql::Connection& connection) const;
    std::vector<SharedRunEvent> filtered(const std::vector<SharedRunEvent>& events);

    sql::Database& database_;
    RunStreams& streams_;
    RunWaiter waiter_;
    std::string run_;
    std::int64_t position_;
    EventFilter filter_;
    bool ended_ = false;
};

}  // namespace dure::runs
