// What /readyz asks (threat-model §9, disk full): the database answers, a write goes through, and there is room for more.
// Nobody who asks waits longer than `limit`, whatever has become of the database. Thread-safe.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "dure/base/clock.hpp"
#include "dure/base/task.hpp"
#include "dure/sql/database.hpp"

namespace dure::app {

class Readiness {
public:
    static constexpr std::chrono::milliseconds limit{1500};

    // `folder`: where the database's files are; empty: it has none of its own.
    Readiness(sql::Database& database, std::string folder);

    Task<Result<void>> check();

private:
    struct State;
    struct Question;
    static Task<Result<void>> ask(State& state);
    static Task<void> answer(std::shared_ptr<State> state, std::shared_ptr<Question> question);

    std::shared_ptr<State> state_;  // shared with questions under way: a unit of work cannot be given up
};

}  // namespace dure::app
