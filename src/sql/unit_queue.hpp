// UnitQueue: the bounded queue between callers and the threads of a driver. Units are owned by their callers.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <vector>

#include "dure/sql/database.hpp"

namespace dure::sql {

class UnitQueue {
public:
    explicit UnitQueue(std::size_t limit) : limit_(limit) {}

    // False: full or closed.
    bool push(Unit& unit);
    // Waits for work and takes what is there, at most `most`; empty when the queue is closed and drained.
    std::vector<Unit*> pop(std::size_t most);
    // To the head of the queue, for a unit that was taken and could not be run; also when the queue is full or closed.
    void put_back(Unit& unit);
    // Takes the units that wait since before `moment`.
    std::vector<Unit*> take_older(Steady::time_point moment);
    void close();
    std::size_t size() const;
    // Threads that wait in pop().
    std::size_t idle() const;

private:
    const std::size_t limit_;
    mutable std::mutex guard_;
    std::condition_variable filled_;
    std::deque<Unit*> units_;
    bool closed_ = false;
    std::size_t idle_ = 0;
};

// Tells the caller. The unit may be gone when this returns.
void finish(Unit& unit);

// False: it gave an Error or threw (then `thrown` is set).
bool run_caught(Unit& unit, Connection& connection);

// Finishes the units that waited longer than `limit` as unavailable; the others stay.
void refuse_stale(std::vector<Unit*>& units, Steady::duration limit);

Error busy_error(std::string detail);

}  // namespace dure::sql
