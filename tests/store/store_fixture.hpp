// A migrated, empty database per test, for each driver, and records with sensible contents.
#pragma once

#include "dure/model/records.hpp"
#include "dure/store/migrations.hpp"
#include "dure/store/turns.hpp"
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

    Result<StoredTurn> record(const NewTurn& turn)
    {
        StoredTurn stored;
        const auto done = in<Turns>([&](Turns all) { return all.record(turn, stored); });
        return done ? Result<StoredTurn>(stored) : done.error();
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

// A turn of the owner "kim": messages named after it, in the order of their ids, and an event.
inline NewTurn turn_of(const std::string& session, const std::string& name, const std::string& key = "",
                       UnixMillis now = 500)
{
    NewTurn turn;
    turn.session_id = session;
    turn.owner_id = "kim";
    turn.turn_key = key;
    turn.now = now;
    turn.expires_at = now + 1000;
    turn.question_id = name + "-1q";
    turn.question = "질문 " + name;
    turn.answer_id = name + "-2a";
    turn.answer = "답 " + name;
    turn.metadata = R"({"status":"complete"})";
    turn.model = "mock";
    turn.tokens_used = 7;
    turn.cost_nano = 11;
    turn.event.event_id = name + "-e";
    turn.event.aggregate_id = session;
    turn.event.aggregate_type = "Session";
    turn.event.event_type = "TurnRecorded";
    turn.event.owner_id = "kim";
    turn.event.user_id = "lee";
    turn.event.created_at = now;
    turn.event_metadata = R"({"request_id":"r"})";
    turn.event_data = [](const RecordedTurn& counted) {
        return R"({"turn":)" + std::to_string(counted.turn) + R"(,"counted":)" + (counted.counted ? "true}" : "false}");
    };
    return turn;
}

}  // namespace dure::store
