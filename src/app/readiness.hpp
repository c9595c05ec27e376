// What /readyz asks (threat-model §9, disk full): the database answers, a write goes through, and there is room for more.
#pragma once

#include <atomic>
#include <string>

#include "dure/base/clock.hpp"
#include "dure/base/task.hpp"
#include "dure/sql/database.hpp"

namespace dure::app {

class Readiness {
public:
    // `folder`: where the database's files are; empty: it has none of its own.
    Readiness(sql::Database& database, std::string folder) : database_(database), folder_(std::move(folder)) {}

    Task<Result<void>> check();

private:
    sql::Database& database_;
    std::string folder_;
    std::atomic<Steady::rep> written_{0};   // when the last trial write went through: anybody may ask, a sync is not free
};

}  // namespace dure::app
