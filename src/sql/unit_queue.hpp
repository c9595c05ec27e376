// UnitQueue: the bounded queue between callers and the threads of a driver. Units are owned by their callers.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <vector>

#include "dure/sql/database.hpp"

namespace dure::sql {

class UnitQueue {
public:
    explicit UnitQueue(std::size_t limit) : limit_(limit) {}

    // False: full or closed.
    bool push(Unit& unit);
    // Waits for work and takes what is there, at most `most`; empty when the queue is closed and drained, or `until` has passed.
    std::vector<Unit*> pop(std::size_t most, std::optional<Steady::time_point> until = std::nullopt);
    // The same, but waits for `least` units, as long as `worth_waiting` says yes: then for no more than are there. It is asked again after
    // look_again(). For a queue with one taker, who is not woken for less.
    std::vector<Unit*> pop_while(std::size_t most, std::size_t least, const std::function<bool()>& worth_waiting);
    void look_again();
    // To the head of the queue, for a unit that was taken and could not be run; also when the queue is full or closed.
    void put_back(Unit& unit);
    // Takes the units that wait since before `moment`.
    std::vector<Unit*> take_older(Steady::time_point moment);
    // Since when the first one waits; nothing: none does.
    std::optional<Steady::time_point> oldest() const;
    void close();
    bool closed() const;
    bool drained() const;   // and closed: nothing more comes
    std::size_t size() const;
    // Threads that wait in pop().
    std::size_t idle() const;

private:
    std::vector<Unit*> take(std::size_t most);

    const std::size_t limit_;
    mutable std::mutex guard_;
    std::condition_variable filled_;
    std::deque<Unit*> units_;
    bool closed_ = false;
    std::size_t wanted_ = 1;  // units for which somebody who waits is woken
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
