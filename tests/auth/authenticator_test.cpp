// Who is let in, for how long what was read is remembered, and what a key can do; over a real database.
#include "dure/auth/authenticator.hpp"

#include <gmock/gmock.h>

#include "auth/stepped_clock.hpp"
#include "dure/auth/api_key.hpp"
#include "dure/auth/key_service.hpp"
#include "dure/auth/roles.hpp"
#include "dure/events/journal.hpp"
#include "dure/sql/migrator.hpp"
#include "dure/store/api_keys.hpp"
#include "dure/store/migrations.hpp"
#include "dure/store/users.hpp"
#include "support/databases.hpp"
#include "support/run_task.hpp"

namespace dure::auth {

using testing::ElementsAre;
using testing::IsEmpty;

namespace {

class Authentication : public testing::Test {
protected:
    void SetUp() override
    {
        sql::SqliteOptions options;
        options.path = ":memory:";
        database_ = test::open_or_throw(options);
        ASSERT_TRUE(sql::migrate(*database_, store::migrations(), 1));
        journal_ = std::make_unique<events::Journal>(*database_, *bus_, clock_);
        add_user("u1", "user");
        start();
    }

    void start(bool accounts = true)
    {
        config::Auth settings;
        settings.accounts = accounts;
        authenticator_ = std::make_unique<Authenticator>(*database_, clock_, logger_, settings,
                                                         Authenticator::Options{.journal = journal_.get()});
        keys_ = std::make_unique<KeyService>(*database_, *journal_, *authenticator_, clock_);
    }

    void add_user(const std::string& id, const std::string& role)
    {
        model::User user;
        user.id = id;
        user.email = id + "@example.com";
        user.role = role;
        const auto stored = database_->run_now([&](sql::Connection& c) { return store::Users(c).insert(user); });
        ASSERT_TRUE(stored) << stored.error().message();
    }

    void change_user(const std::string& id, const std::function<void(model::User&)>& change)
    {
        const auto stored = database_->run_now([&](sql::Connection& c) -> Result<void> {
            auto user = store::Users(c).find(id);
            if (!user)
                return user.error();
            change(*user);
            return store::Users(c).update(*user);
        });
        ASSERT_TRUE(stored) << stored.error().message();
    }

    Result<MadeKey> make(NewKey wanted, const std::string& owner = "u1")
    {
        std::optional<Result<MadeKey>> made;
        test::run([&]() -> Task<void> { made = co_await keys_->create(owner, std::move(wanted)); });
        return *made;
    }

    std::string key_named(const std::string& name)
    {
        const auto made = make({name, {}, {}, {}});
        return made ? std::string(made->key.reveal()) : made.error().message();
    }

    Result<Principal> enter(std::optional<std::string> header)
    {
        std::optional<Result<Principal>> outcome;
        test::run([&]() -> Task<void> {
            outcome = co_await authenticator_->authenticate(
                header ? std::optional<std::string_view>(*header) : std::nullopt, "192.0.2.1", "request 1");
        });
        return *outcome;
    }

    std::vector<model::ApiKey> listed()
    {
        std::vector<model::ApiKey> all;
        test::run([&]() -> Task<void> { all = (co_await keys_->list("u1", 100)).value().keys; });
        return all;
    }

    HandClock clock_;
    Logger logger_{{}};
    std::unique_ptr<sql::Database> database_;
    std::unique_ptr<events::Bus> bus_ = events::in_process_bus();
    std::unique_ptr<events::Journal> journal_;
    std::unique_ptr<Authenticator> authenticator_;
    std::unique_ptr<KeyService> keys_;
};

NewKey named(const std::string& name)
{
    return {name, {}, {}, {}};
}

}  // namespace

TEST_F(Authentication, LetsAGoodKeyInWithTheRightsOfItsOwner)
{
    const auto key = key_named("mine");
    for (const auto& header : {"Bearer " + key, "bearer " + key, "BEARER  " + key + " "}) {
        const auto principal = enter(header);
        ASSERT_TRUE(principal) << header << principal.error().message();
        EXPECT_EQ(principal->user_id, "u1");
        EXPECT_EQ(principal->role, "user");
        EXPECT_EQ(principal->display, "u1@example.com");
        EXPECT_TRUE(principal->may("chat:create"));
        EXPECT_FALSE(principal->may("flows:manage"));
        EXPECT_TRUE(principal->may_use_model("anything"));
    }
}

TEST_F(Authentication, RefusesEverythingElseAlike)
{
    const auto key = key_named("mine");
    const std::vector<std::optional<std::string>> headers = {std::nullopt,
                                                             "",
                                                             "Bearer",
                                                             "Bearer ",
                                                             key,
                                                             "Basic " + key,
                                                             "Bearer " + key + "x",
                                                             "Bearer x " + key,
                                                             "Bearer " + key + ", Bearer " + key,
                                                             "Bearer " + std::string(make_api_key().reveal()),
                                                             "Bearer sk-1234",
                                                             "Bearer " + std::string(100000, 'a'),
                                                             std::string("Bearer \0", 8)};
    for (const auto& header : headers) {
        const auto principal = enter(header);
        ASSERT_FALSE(principal) << header.value_or("(none)").substr(0, 80);
        EXPECT_EQ(principal.error().code(), Errc::unauthenticated);
        EXPECT_EQ(principal.error().reason(), "invalid_api_key");
        EXPECT_EQ(principal.error().message().find(key.substr(3, 20)), std::string::npos);
    }
}

TEST_F(Authentication, NarrowsPermissionsAndModelsToThoseOfTheKey)
{
    NewKey wanted = named("narrow");
    wanted.permissions = {"chat:create"};
    wanted.models = {"flow:report"};
    const auto made = make(wanted);
    ASSERT_TRUE(made);
    const auto principal = enter("Bearer " + std::string(made->key.reveal()));
    ASSERT_TRUE(principal);
    EXPECT_THAT(principal->permissions, ElementsAre("chat:create"));
    EXPECT_TRUE(principal->may_use_model("flow:report"));
    EXPECT_FALSE(principal->may_use_model("mock"));
}

TEST_F(Authentication, NeverGivesAKeyMoreThanItsOwnerHasNow)
{
    add_user("dev", "developer");
    NewKey wanted = named("flows");
    wanted.permissions = {"flows:manage"};
    const auto made = make(wanted, "dev");
    ASSERT_TRUE(made);
    const auto header = "Bearer " + std::string(made->key.reveal());
    EXPECT_TRUE(enter(header)->may("flows:manage"));
    change_user("dev", [](model::User& user) { user.role = "user"; });
    authenticator_->forget_user("dev");
    EXPECT_THAT(enter(header)->permissions, IsEmpty());
}

TEST_F(Authentication, NeverLetsAKeyManageAccounts)
{
    add_user("boss", "admin");
    const auto made = make(named("all"), "boss");
    ASSERT_TRUE(made);
    const auto principal = enter("Bearer " + std::string(made->key.reveal()));
    EXPECT_TRUE(principal->may("metrics:read"));
    EXPECT_FALSE(principal->may("users:manage"));
    NewKey wanted = named("accounts");
    wanted.permissions = {"users:manage"};
    EXPECT_EQ(make(wanted, "boss").error().param(), "permissions");
}

TEST_F(Authentication, SeesChangesElsewhereAfterFiveSecondsAtTheLatest)
{
    const auto header = "Bearer " + key_named("mine");
    ASSERT_TRUE(enter(header));
    change_user("u1", [](model::User& user) { user.is_active = false; });
    clock_.step(std::chrono::milliseconds(4999));
    EXPECT_TRUE(enter(header));    // remembered: the database is not asked
    clock_.step(std::chrono::milliseconds(1));
    EXPECT_FALSE(enter(header));
    change_user("u1", [](model::User& user) { user.is_active = true; });
    EXPECT_TRUE(enter(header));    // refusals are not remembered
}

// For the time without a database: what was known last, for an hour, and nothing that was seen to have ended.
TEST_F(Authentication, KnowsForAnHourWhoCameLast)
{
    const auto header = "Bearer " + key_named("mine");
    EXPECT_EQ(authenticator_->last_known(header), nullptr);
    ASSERT_TRUE(enter(header));
    clock_.step(std::chrono::minutes(59));
    ASSERT_NE(authenticator_->last_known(header), nullptr);
    EXPECT_EQ(authenticator_->last_known(header)->user_id, "u1");
    EXPECT_EQ(authenticator_->last_known("Bearer " + key_named("another")), nullptr);
    clock_.step(std::chrono::minutes(1));
    EXPECT_EQ(authenticator_->last_known(header), nullptr);
    ASSERT_TRUE(enter(header));
    change_user("u1", [](model::User& user) { user.is_active = false; });
    clock_.step(std::chrono::seconds(5));
    ASSERT_NE(authenticator_->last_known(header), nullptr);
    EXPECT_FALSE(enter(header));
    EXPECT_EQ(authenticator_->last_known(header), nullptr) << "it was seen to have ended";
}

TEST_F(Authentication, ForgetsARevokedKeyAtOnce)
{
    const auto header = "Bearer " + key_named("mine");
    ASSERT_TRUE(enter(header));
    const auto id = listed().at(0).id;
    Result<void> revoked;
    test::run([&]() -> Task<void> { revoked = co_await keys_->revoke("u1", id); });
    ASSERT_TRUE(revoked);
    EXPECT_FALSE(enter(header));
    test::run([&]() -> Task<void> { revoked = co_await keys_->revoke("somebody else", id); });
    EXPECT_EQ(revoked.error().code(), Errc::not_found);
}

TEST_F(Authentication, EndsAKeyAtItsTimeEvenWhileItIsRemembered)
{
    NewKey wanted = named("short");
    wanted.expires_at = clock_.now() + 1000;
    const auto header = "Bearer " + std::string(make(wanted)->key.reveal());
    EXPECT_TRUE(enter(header));
    clock_.step(std::chrono::milliseconds(999));
    EXPECT_TRUE(enter(header));
    clock_.step(std::chrono::milliseconds(1));
    EXPECT_FALSE(enter(header));
    clock_.step(std::chrono::hours(1));
    EXPECT_FALSE(enter(header));
}

TEST_F(Authentication, WritesTheLastUseOnceAMinute)
{
    const auto header = "Bearer " + key_named("mine");
    EXPECT_FALSE(listed().at(0).last_used_at);
    ASSERT_TRUE(enter(header));
    const auto first = clock_.now();
    EXPECT_EQ(listed().at(0).last_used_at, first);
    clock_.step(std::chrono::milliseconds(59999));
    ASSERT_TRUE(enter(header));
    EXPECT_EQ(listed().at(0).last_used_at, first);
    clock_.step(std::chrono::milliseconds(1));
    ASSERT_TRUE(enter(header));
    EXPECT_EQ(listed().at(0).last_used_at, first + 60000);
}

TEST_F(Authentication, KnowsAtOnceWhoCameAMomentAgo)
{
    const auto header = "Bearer " + key_named("mine");
    EXPECT_FALSE(authenticator_->remembered(header));
    ASSERT_TRUE(enter(header));
    const auto known = authenticator_->remembered(header);
    ASSERT_TRUE(known);
    EXPECT_EQ(known->user_id, "u1");
    EXPECT_FALSE(authenticator_->remembered(header + "x"));
    EXPECT_FALSE(authenticator_->remembered(""));
    EXPECT_FALSE(authenticator_->remembered(std::nullopt));
    authenticator_->forget_user("u1");
    EXPECT_FALSE(authenticator_->remembered(header));
    EXPECT_EQ(known->user_id, "u1") << "who is served still is who he was";
    ASSERT_TRUE(enter(header));
    EXPECT_TRUE(authenticator_->remembered(header));
    authenticator_->forget_key(hash_of_key(header.substr(7)));
    EXPECT_FALSE(authenticator_->remembered(header));
    ASSERT_TRUE(enter(header));
    clock_.step(std::chrono::seconds(5));
    EXPECT_FALSE(authenticator_->remembered(header));
}

TEST_F(Authentication, DoesNotPassOverAUseThatIsDue)
{
    const auto header = "Bearer " + key_named("mine");
    ASSERT_TRUE(enter(header));
    clock_.step(std::chrono::seconds(59));
    ASSERT_TRUE(enter(header));
    EXPECT_TRUE(authenticator_->remembered(header));
    clock_.step(std::chrono::seconds(1));
    EXPECT_FALSE(authenticator_->remembered(header));
    ASSERT_TRUE(enter(header));
    EXPECT_EQ(listed().at(0).last_used_at, clock_.now());
    EXPECT_TRUE(authenticator_->remembered(header));
}

TEST_F(Authentication, TheFirstUseOfAKeyIsAnEvent)
{
    const auto header = "Bearer " + key_named("mine");
    const auto id = listed().at(0).id;
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(enter(header));
        clock_.step(std::chrono::minutes(2));
    }
    const auto events = test::read_now(*database_, [&](sql::Connection& c) {
        return store::Events(c).of_aggregate({id, "ApiKey", {}});
    });
    ASSERT_EQ(events.value().size(), 2u);   // it was made, it was used
    EXPECT_EQ((*events)[1].event_type, "ApiKeyFirstUsed");
    EXPECT_EQ((*events)[1].owner_id, "u1");
    EXPECT_EQ((*events)[1].metadata, (Json{{"user_id", "u1"}, {"key_id", id}, {"address", "192.0.2.1"}, {"request_id", "request 1"}}));
}

TEST_F(Authentication, WithoutAccountsEveryCallerIsTheLocalDeveloper)
{
    start(false);
    for (const auto& header : {std::optional<std::string>(), std::optional<std::string>("Bearer nonsense")}) {
        const auto principal = enter(header);
        ASSERT_TRUE(principal);
        EXPECT_EQ(principal->user_id, "local");
        EXPECT_EQ(principal->role, "developer");
        EXPECT_EQ(principal->permissions, permissions_of_builtin_role("developer"));
    }
}

TEST_F(Authentication, RefusesKeysThatCannotBe)
{
    struct Case {
        NewKey wanted;
        Errc code;
        std::string param;
    };
    const std::vector<Case> cases = {
        {named(""), Errc::invalid_argument, "name"},
        {named(std::string(201, 'x')), Errc::invalid_argument, "name"},
        {{"k", {{"chat:destroy"}}, {}, {}}, Errc::invalid_argument, "permissions"},
        {{"k", {{"flows:manage"}}, {}, {}}, Errc::permission_denied, "permissions"},
        {{"k", {}, {{""}}, {}}, Errc::invalid_argument, "models"},
        {{"k", {}, {}, clock_.now()}, Errc::invalid_argument, "expires_at"},
    };
    for (const auto& [wanted, code, param] : cases) {
        const auto made = make(wanted);
        ASSERT_FALSE(made) << wanted.name;
        EXPECT_EQ(made.error().code(), code);
        EXPECT_EQ(made.error().param(), param);
    }
    EXPECT_EQ(make(named("k"), "nobody").error().code(), Errc::not_found);
}

TEST_F(Authentication, StoresOnlyTheHash)
{
    const auto made = make(named("mine"));
    ASSERT_TRUE(made);
    const auto stored = listed().at(0);
    EXPECT_EQ(stored.hash, hash_of_key(made->key.reveal()));
    EXPECT_EQ(stored.prefix, made->key.reveal().substr(0, 8));
}

}  // namespace dure::auth
