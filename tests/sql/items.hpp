// A table, and units on threads of their own, for tests of what SQLite's writer and readers do at once.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

#include "dure/base/clock.hpp"
#include "dure/sql/database.hpp"

namespace dure::sql {

using namespace std::chrono_literals;

inline Result<std::int64_t> make_table(Connection& c)
{
    return c.execute("CREATE TABLE item (id TEXT PRIMARY KEY)");
}
inline Result<std::int64_t> insert_item(Connection& c, std::string_view id)
{
    return c.execute("INSERT INTO item (id) VALUES ($1)", id);
}
inline Result<std::int64_t> count_items(Connection& c)
{
    auto rows = c.query("SELECT COUNT(*) FROM item");
    if (!rows)
        return rows.error();
    return rows->front().integer(0);
}

// A unit on a thread of its own.
class Running {
public:
    template <class Work>
    explicit Running(Work work)
        : thread_([this, work] {
              good_ = work();
              ended_ = true;
          })
    {}
    ~Running() { thread_.join(); }
    bool ended() const { return ended_; }
    bool good()
    {
        while (!ended_)
            std::this_thread::sleep_for(1ms);
        return good_;
    }

private:
    std::atomic<bool> ended_ = false;
    std::atomic<bool> good_ = false;
    std::thread thread_;
};

inline bool comes_true(const std::function<bool()>& condition)
{
    for (const auto end = Steady::now() + 20s; Steady::now() < end; std::this_thread::sleep_for(1ms))
        if (condition())
            return true;
    return false;
}

}  // namespace dure::sql
