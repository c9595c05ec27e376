// SessionService on a SQLite database of its own, with a clock of the test's.
#pragma once

#include "dure/sessions/service.hpp"

#include <gtest/gtest.h>

#include "dure/events/journal.hpp"
#include "dure/sql/migrator.hpp"
#include "dure/sql/sqlite.hpp"
#include "dure/store/migrations.hpp"

namespace dure::sessions {

class StepClock final : public Clock {
public:
    UnixMillis now() const override { return now_; }
    Steady::time_point steady_now() const override { return Steady::time_point(std::chrono::milliseconds(now_)); }
    void step(std::chrono::milliseconds by) { now_ += by.count(); }

private:
    UnixMillis now_ = 1'700'000'000'000;
};

class SessionServiceTest : public ::testing::Test {
protected:
    SessionServiceTest()
    {
        sql::SqliteOptions options;
        options.path = ":memory:";
        database = sql::open_sqlite(std::move(options)).value();
        EXPECT_TRUE(sql::migrate(*database, store::migrations(), clock.now()));
        settings.keep_messages = 6;
        journal.emplace(*database, *bus, clock);
        service = std::make_unique<SessionService>(*database, *journal, in_process_sessions(clock, settings.ttl),
                                                   settings, clock);
    }

    static TurnRecord turn(const model::Session& session, std::string user, std::string assistant, std::string key = {})
    {
        TurnRecord record;
        record.session_id = session.id;
        record.owner_id = session.owner_id;
        record.turn_key = std::move(key);
        record.user_text = std::move(user);
        record.assistant_text = std::move(assistant);
        record.model = "mock";
        return record;
    }

    StepClock clock;
    config::Sessions settings;
    std::unique_ptr<sql::Database> database;
    std::unique_ptr<events::Bus> bus = events::in_process_bus();
    std::optional<events::Journal> journal;
    std::unique_ptr<SessionService> service;
};

}  // namespace dure::sessions
