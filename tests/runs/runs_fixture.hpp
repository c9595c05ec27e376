// A migrated, empty database per test, for each driver.
#pragma once

#include "dure/store/migrations.hpp"
#include "support/databases.hpp"

namespace dure::runs {

inline std::shared_ptr<sql::Database> migrated(std::unique_ptr<sql::Database> empty)
{
    const auto done = sql::migrate(*empty, store::migrations(), 1);
    if (!done)
        throw std::runtime_error(done.error().message() + " " + done.error().detail());
    return empty;
}

class RunsTest : public testing::TestWithParam<test::Driver> {
protected:
    void SetUp() override { database_ = migrated(GetParam().open_empty({})); }

    std::int64_t count(const std::string& sql)
    {
        return *database_->run_now([&sql](sql::Connection& c) -> Result<std::int64_t> {
            auto rows = c.query(sql);
            if (!rows)
                return rows.error();
            return rows->front().integer(0);
        });
    }

    std::shared_ptr<sql::Database> database_;
};

}  // namespace dure::runs
