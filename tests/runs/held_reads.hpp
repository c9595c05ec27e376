// A database whose reads can be held back, as those of a server that froze; everything else passes.
#pragma once

#include <atomic>
#include <vector>

#include "dure/sql/database.hpp"

namespace dure::runs {

// For units that come from one loop.
class HeldReads final : public sql::Database {
public:
    explicit HeldReads(sql::Database& real) : real_(real) {}
    sql::Dialect dialect() const override { return real_.dialect(); }
    std::size_t queued() const override { return real_.queued(); }
    Threads threads() const override { return real_.threads(); }

    void hold() { holds_ = true; }
    void release()
    {
        holds_ = false;
        for (auto* unit : std::exchange(held_, {}))
            if (auto taken = submit(*unit, Access::read); !taken) {
                unit->error = taken.error();
                unit->done();
            }
    }
    std::size_t held() const { return held_.size(); }
    int reads() const { return reads_; }

private:
    struct Reach : sql::Database {
        using Database::submit;
    };
    Result<void> submit(sql::Unit& unit, Access access) override
    {
        if (access == Access::read) {
            ++reads_;
            if (holds_) {
                held_.push_back(&unit);
                return {};
            }
        }
        return (real_.*&Reach::submit)(unit, access);
    }

    sql::Database& real_;
    std::atomic<int> reads_ = 0;
    bool holds_ = false;
    std::vector<sql::Unit*> held_;
};

}  // namespace dure::runs
