// A user u1 with one API key k1 in a database of the test's choice, and a core to ask on.
#pragma once

#include <gtest/gtest.h>

#include "dure/auth/api_key.hpp"
#include "dure/base/cores.hpp"
#include "dure/base/log.hpp"
#include "dure/config/settings.hpp"
#include "dure/sql/migrator.hpp"
#include "dure/store/api_keys.hpp"
#include "dure/store/migrations.hpp"
#include "dure/store/users.hpp"
#include "support/databases.hpp"
#include "support/run_on_core.hpp"

namespace dure::auth {

class OneKeyFixture : public testing::Test {
protected:
    explicit OneKeyFixture(std::unique_ptr<sql::Database> opened) : database(std::move(opened))
    {
        EXPECT_TRUE(sql::migrate(*database, store::migrations(), 1));
        model::User user;
        user.id = "u1";
        user.email = "u1@example.org";
        model::ApiKey record;
        record.id = "k1";
        record.owner_id = user.id;
        record.name = "k";
        record.hash = hash_of_key(key.reveal());
        record.prefix = prefix_of_key(key.reveal());
        EXPECT_TRUE(database->run_now([&](sql::Connection& connection) -> Result<void> {
            if (auto stored = store::Users(connection).insert(user); !stored)
                return stored;
            return store::ApiKeys(connection).insert(record);
        }));
        cores.start();
    }
    void TearDown() override
    {
        database.reset();
        cores.stop();
        cores.join();
    }

    SecretString key = make_api_key();
    SystemClock clock;
    Logger logger{{LogLevel::error, true, {}}};
    config::Auth settings;
    Cores cores{1};
    std::unique_ptr<sql::Database> database;
};

}  // namespace dure::auth
