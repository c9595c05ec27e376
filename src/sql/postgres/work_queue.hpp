// WorkQueue: the bounded queue between callers and the workers of a PostgreSQL pool. Writes that may share a transaction gather while the
// workers that are allowed to take them are busy: whoever is free takes what has gathered. Units are owned by their callers.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <vector>

#include "dure/sql/database.hpp"

namespace dure::sql {

class WorkQueue {
public:
    // most_sharing: workers that are at shared writes at once; the others stay free for everything else.
    WorkQueue(std::size_t limit, std::size_t most_sharing) : limit_(limit), most_sharing_(most_sharing) {}

    // False: full or closed.
    bool push(Unit& unit);
    struct Taken {
        std::vector<Unit*> units;
        bool shares = false;  // then the taker says done_sharing()
        bool nudged = false;  // nothing was taken; look at your connection
    };
    // Waits for work: the oldest unit, with it up to `together` shared writes if it is one; or for a nudge(). `nudges`: those the taker
    // has had. Empty and not nudged when the queue is closed and drained.
    Taken pop(std::size_t together, std::uint64_t& nudges);
    // Wakes all who wait, once.
    void nudge();
    void done_sharing();
    // To the place of its age, for a unit that was taken and could not be run; also when the queue is full or closed.
    void put_back(Unit& unit);
    // Takes the units that wait since before `moment`.
    std::vector<Unit*> take_older(Steady::time_point moment);
    void close();
    std::size_t size() const;
    // Threads that wait in pop().
    std::size_t idle() const;

private:
    using Units = std::deque<Unit*>;
    Units& home_of(const Unit& unit) { return unit.shares_transaction ? shared_ : alone_; }
    bool may_share() const { return !shared_.empty() && (sharing_ < most_sharing_ || closed_); }

    const std::size_t limit_;
    const std::size_t most_sharing_;
    mutable std::mutex guard_;
    std::condition_variable filled_;
    Units alone_, shared_;
    std::size_t sharing_ = 0;
    std::size_t idle_ = 0;
    std::uint64_t nudges_ = 0;
    bool closed_ = false;
};

}  // namespace dure::sql
