// A migrated, empty database per test, for each driver, and records with sensible contents.
#pragma once

#include "dure/model/records.hpp"
#include "dure/store/migrations.hpp"
#include "support/databases.hpp"

namespace dure::store {

class StoreTest : public testing::TestWithParam<test::Driver> {
protected:
    void SetUp() override
    {
        database_ = GetParam().open_empty({});
        const auto migrated = sql::migrate(*database_, migrations(), 1);
        ASSERT_TRUE(migrated) << migrated.error().message() << migrated.error().detail();
    }

    // One method of a repository in a transaction of its own: in<Users>([](auto users) { return users.find("a"); }).
    template <class Repository, class F>
    auto in(F work)
    {
        return database_->run_now([&work](sql::Connection& c) { return work(Repository(c)); });
    }
    // The same as a read.
    template <class Repository, class F>
    auto from(F work)
    {
        return test::read_now(*database_, [&work](sql::Connection& c) { return work(Repository(c)); });
    }

    std::unique_ptr<sql::Database> database_;
};

inline model::User user_named(const std::string& id, const std::string& email)
{
    model::User user;
    user.id = id;
    user.email = email;
    user.created_at = 100;
    user.updated_at = 100;
    return user;
}

inline model::Session session_of(const std::string& owner, const std::string& id, UnixMillis created_at = 100)
{
    model::Session session;
    session.id = id;
    session.token = "token of " + id;
    session.owner_id = owner;
    session.created_at = created_at;
    session.updated_at = created_at;
    session.expires_at = created_at + 3'600'000;
    return session;
}

}  // namespace dure::store
