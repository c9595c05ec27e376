// Users and roles as administrators manage them, rotation of keys, and who may not.
#include <gtest/gtest.h>

#include "auth/account_fixture.hpp"
#include "auth/account_rules.hpp"
#include "dure/auth/api_key.hpp"
#include "dure/auth/roles.hpp"

namespace dure::auth::administration_tests {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::ElementsAre;

class AdministrationTest : public AccountsFixture {
protected:
    AdministrationTest()
    {
        admin_ = enrolled("admin@example.kr", "admin").user;
        boss_ = enter(token_for("admin@example.kr")).value();
        user_ = enrolled("kim@example.kr").user;
    }

    Result<Account> change(const std::string& id, AccountChange wanted, std::optional<Principal> by = {})
    {
        return finish(administration_->change(by.value_or(boss_), id, std::move(wanted), from_here()));
    }
    Result<void> remove(const std::string& id, std::optional<Principal> by = {})
    {
        return finish(administration_->remove(by.value_or(boss_), id, from_here()));
    }
    Result<Role> make_role(const std::string& name, std::vector<std::string> permissions,
                           std::optional<Principal> by = {})
    {
        return finish(administration_->create_role(by.value_or(boss_), name, std::move(permissions), from_here()));
    }
    static AccountChange to_role(const std::string& role)
    {
        AccountChange change;
        change.role = role;
        return change;
    }
    static AccountChange active(bool yes)
    {
        AccountChange change;
        change.is_active = yes;
        return change;
    }
    // Somebody who manages users without being admin.
    Principal helper()
    {
        EXPECT_TRUE(
            make_role("helper", {"users:manage", "chat:create", "tools:execute", "flows:read", "flows:execute"}));
        enrolled("helper@example.kr", "helper");
        return enter(token_for("helper@example.kr")).value();
    }

    model::User admin_;
    model::User user_;
    Principal boss_;
};

}  // namespace

TEST_F(AdministrationTest, AnotherRoleCountsAtOnceAndEndsTheTokens)
{
    const auto token = token_for("kim@example.kr");
    ASSERT_TRUE(valid(token));
    const auto changed = change(user_.id, to_role("developer"));
    ASSERT_TRUE(changed) << changed.error().message();
    EXPECT_THAT(changed->permissions, Contains("flows:manage"));
    EXPECT_FALSE(valid(token));
    EXPECT_TRUE(enter(token_for("kim@example.kr"))->may("flows:manage"));
    EXPECT_EQ(change(user_.id, to_role("emperor")).error().extra().problems.at(0).location.back(), "role");
    EXPECT_EQ(change("nobody", to_role("user")).error().code(), Errc::not_found);
}

TEST_F(AdministrationTest, DeactivationEndsTokensAndKeysAtOnce)
{
    const auto token = token_for("kim@example.kr");
    const auto key = finish(keys_->create(user_.id, {"k", {}, {}, {}}));
    ASSERT_TRUE(valid(token) && valid(std::string(key->key.reveal())));
    ASSERT_TRUE(change(user_.id, active(false)));
    EXPECT_FALSE(valid(token));
    EXPECT_FALSE(valid(std::string(key->key.reveal())));
    ASSERT_TRUE(change(user_.id, active(true)));
    EXPECT_FALSE(valid(token));   // ended tokens stay ended
    EXPECT_TRUE(valid(std::string(key->key.reveal())));
}

TEST_F(AdministrationTest, TheLastActiveAdminStays)
{
    for (const auto& wanted : {to_role("user"), active(false)})
        EXPECT_EQ(change(admin_.id, wanted).error().reason(), "last_admin");
    EXPECT_EQ(remove(admin_.id).error().reason(), "last_admin");
    enrolled("second@example.kr", "admin");
    EXPECT_TRUE(change(admin_.id, to_role("user")));
}

TEST_F(AdministrationTest, ADeletedUserIsGoneWithKeysAndTokens)
{
    const auto token = token_for("kim@example.kr");
    const auto key = std::string(finish(keys_->create(user_.id, {"k", {}, {}, {}}))->key.reveal());
    ASSERT_TRUE(valid(token) && valid(key));
    ASSERT_TRUE(remove(user_.id));
    EXPECT_FALSE(valid(token));
    EXPECT_FALSE(valid(key));
    EXPECT_EQ(finish(administration_->find(user_.id)).error().code(), Errc::not_found);
    EXPECT_EQ(remove(user_.id).error().code(), Errc::not_found);
    EXPECT_THAT(events_of(user_.id), Contains("UserDeleted"));
}

TEST_F(AdministrationTest, NobodyGivesOrTakesMoreThanHeHas)
{
    const auto by = helper();
    EXPECT_TRUE(change(user_.id, active(false), by));
    EXPECT_EQ(change(user_.id, to_role("admin"), by).error().code(), Errc::permission_denied);
    EXPECT_EQ(change(user_.id, to_role("developer"), by).error().code(), Errc::permission_denied);
    AccountChange password;
    password.password = SecretString("taken over now");
    EXPECT_EQ(change(admin_.id, password, by).error().code(), Errc::permission_denied);
    EXPECT_EQ(remove(admin_.id, by).error().code(), Errc::permission_denied);
    EXPECT_EQ(make_role("root", {"tools:manage"}, by).error().code(), Errc::permission_denied);
    EXPECT_EQ(finish(administration_->change_role(by, "helper", all_permissions(), from_here())).error().code(),
              Errc::permission_denied);
    EXPECT_TRUE(log_in("admin@example.kr"));
}

TEST_F(AdministrationTest, ACustomRoleLivesAndItsChangesCountAtOnce)
{
    const auto made = make_role("reader", {"flows:read", "chat:create", "flows:read"});
    ASSERT_TRUE(made) << made.error().message();
    EXPECT_THAT(made->permissions, ElementsAre("chat:create", "flows:read"));
    EXPECT_EQ(make_role("reader", {}).error().reason(), "role_exists");
    ASSERT_TRUE(change(user_.id, to_role("reader")));
    const auto token = token_for("kim@example.kr");
    EXPECT_FALSE(enter(token)->may("tools:execute"));
    ASSERT_TRUE(finish(administration_->change_role(boss_, "reader", {"tools:execute"}, from_here())));
    EXPECT_THAT(enter(token)->permissions, ElementsAre("tools:execute"));
    EXPECT_EQ(finish(administration_->remove_role(boss_, "reader", from_here())).error().reason(), "role_in_use");
    ASSERT_TRUE(change(user_.id, to_role("user")));
    ASSERT_TRUE(finish(administration_->remove_role(boss_, "reader", from_here())));
    EXPECT_THAT(events_of("reader"), ElementsAre("RoleCreated", "RoleUpdated", "RoleDeleted"));
}

// Between the look at the role and the write another replica can remove it: the change hook stands for that moment.
TEST_F(AdministrationTest, ARoleThatIsRemovedMeanwhileIsNamedAsTheFault)
{
    const auto changed = finish(rules::change_user(parts(), user_.id, to_role("gone"), from_here(),
                                                   [](auto&, const auto&) { return Result<void>(); }));
    ASSERT_FALSE(changed);
    EXPECT_EQ(changed.error().code(), Errc::invalid_argument);
    EXPECT_EQ(changed.error().reason(), "validation_error");
    ASSERT_EQ(changed.error().extra().problems.size(), 1u);
    EXPECT_EQ(changed.error().extra().problems.front().location, (std::vector<std::string>{"body", "role"}));
}

TEST_F(AdministrationTest, ARoleMayHaveAKoreanName)
{
    ASSERT_TRUE(make_role("검토자", {"flows:read"}));
    ASSERT_TRUE(make_role("QA-팀_2", {"flows:read"}));
    ASSERT_TRUE(change(user_.id, to_role("검토자")));
    EXPECT_THAT(enter(token_for("kim@example.kr"))->permissions, ElementsAre("flows:read"));
}

TEST_F(AdministrationTest, BuiltInRolesStayAndWrongOnesAreRefused)
{
    for (const auto* name : {"user", "developer", "admin"}) {
        EXPECT_EQ(finish(administration_->remove_role(boss_, name, from_here())).error().code(), Errc::conflict);
        EXPECT_EQ(finish(administration_->change_role(boss_, name, {}, from_here())).error().code(), Errc::conflict);
        EXPECT_EQ(make_role(name, {}).error().code(), Errc::conflict);
    }
    for (const auto& name :
         {std::string(), std::string("a b"), std::string("1st"), std::string("-x"), std::string("名"), std::string(65, 'a')})
        EXPECT_EQ(make_role(name, {}).error().extra().problems.at(0).location.back(), "name") << name;
    const auto wrong = make_role("r", {"chat:create", "chat:destroy"}).error().extra().problems.at(0);
    EXPECT_EQ(wrong.location.back(), "permissions");
    EXPECT_THAT(wrong.message, testing::HasSubstr("chat:destroy"));
    EXPECT_EQ(make_role("Admin", {}).error().reason(), "role_exists");
    EXPECT_EQ(finish(administration_->remove_role(boss_, "nothing", from_here())).error().code(), Errc::not_found);
    EXPECT_EQ(finish(administration_->roles())->size(), 3u);
}

TEST_F(AdministrationTest, RotationLeavesBothKeysGoodForAWhile)
{
    NewKey wanted{"ci", {{"chat:create"}}, {{"mock"}}, clock_.now() + std::chrono::milliseconds(72h).count()};
    const auto old = finish(keys_->create(user_.id, wanted));
    const auto old_key = std::string(old->key.reveal());
    ASSERT_TRUE(valid(old_key));
    clock_.step(1h);
    const auto fresh = finish(keys_->rotate(user_.id, old->record.id, {}, from_here()));
    ASSERT_TRUE(fresh) << fresh.error().message();
    const auto fresh_key = std::string(fresh->key.reveal());
    EXPECT_TRUE(valid(old_key));
    EXPECT_THAT(enter(fresh_key)->permissions, ElementsAre("chat:create"));
    EXPECT_FALSE(enter(fresh_key)->may_use_model("other"));
    EXPECT_EQ(*fresh->record.expires_at - clock_.now(), std::chrono::milliseconds(72h).count());
    clock_.step(24h - 1ms);
    EXPECT_TRUE(valid(old_key));
    clock_.step(1ms);
    EXPECT_FALSE(valid(old_key));
    EXPECT_TRUE(valid(fresh_key));
    EXPECT_EQ(finish(keys_->rotate(user_.id, old->record.id, {}, from_here())).error().code(), Errc::conflict);
    EXPECT_EQ(finish(keys_->rotate(admin_.id, fresh->record.id, {}, from_here())).error().code(), Errc::not_found);
    EXPECT_THAT(events_of(old->record.id), ElementsAre("ApiKeyCreated", "ApiKeyRotated"));
}

TEST_F(AdministrationTest, AKeyIsRotatedOnceAndItsSuccessorLivesAsLongAsItDid)
{
    const auto old = finish(keys_->create(user_.id, {"ci", {}, {}, {}}));
    const auto fresh = finish(keys_->rotate(user_.id, old->record.id, {}, from_here()));
    ASSERT_TRUE(fresh) << fresh.error().message();
    const auto again = finish(keys_->rotate(user_.id, old->record.id, {}, from_here()));
    ASSERT_FALSE(again) << "a third key beside the two";
    EXPECT_EQ(again.error().code(), Errc::conflict);
    EXPECT_EQ(again.error().reason(), "key_rotated");
    const auto next = finish(keys_->rotate(user_.id, fresh->record.id, {}, from_here()));
    ASSERT_TRUE(next) << next.error().message();
    EXPECT_FALSE(next->record.expires_at) << "no end was set for the first one";
}

TEST_F(AdministrationTest, ARotatedKeyNeverLivesLongerThanItWould)
{
    NewKey wanted{"ci", {}, {}, clock_.now() + 1000};
    const auto old = finish(keys_->create(user_.id, wanted));
    ASSERT_TRUE(finish(keys_->rotate(user_.id, old->record.id, clock_.now() + 100000, from_here())));
    clock_.step(1s);
    EXPECT_FALSE(valid(std::string(old->key.reveal())));
}

TEST_F(AdministrationTest, AnyKeyIsRevokedOnceByWhoHasAllThatItsOwnerHas)
{
    const auto made = finish(keys_->create(user_.id, {"k", {}, {}, {}}));
    EXPECT_EQ(finish(keys_->revoke(admin_.id, made->record.id)).error().code(), Errc::not_found);
    ASSERT_TRUE(finish(keys_->revoke_of_anybody(boss_, made->record.id, from_here())));
    ASSERT_TRUE(finish(keys_->revoke_of_anybody(boss_, made->record.id, from_here())));
    EXPECT_FALSE(valid(std::string(made->key.reveal())));
    const auto by = helper();
    const auto admins = finish(keys_->create(admin_.id, {"k", {}, {}, {}}));
    EXPECT_EQ(finish(keys_->revoke_of_anybody(by, admins->record.id)).error().code(), Errc::permission_denied);
    EXPECT_TRUE(valid(std::string(admins->key.reveal())));
    EXPECT_EQ(finish(keys_->revoke_of_anybody(by, "none")).error().code(), Errc::not_found);
    const auto users = finish(keys_->create(user_.id, {"k", {}, {}, {}}));
    ASSERT_TRUE(finish(keys_->revoke_of_anybody(by, users->record.id)));
    EXPECT_FALSE(valid(std::string(users->key.reveal())));
    EXPECT_THAT(events_of(made->record.id), ElementsAre("ApiKeyCreated", "ApiKeyRevoked"));
}

TEST_F(AdministrationTest, GuessesAtKeysAndTokensAreLimitedByAddress)
{
    const auto foreign =
        TokenSigner(SecretString(std::string(32, 'z')), "at+jwt", "dure:api", 1h).sign({"u", {}, 1, {}}, clock_.now());
    const auto good = std::string(finish(keys_->create(user_.id, {"k", {}, {}, {}}))->key.reveal());
    for (int i = 0; i < 30; ++i)
        EXPECT_EQ(enter(std::string(i % 2 ? foreign.reveal() : make_api_key().reveal()), "6.6.6.6").error().code(),
                  Errc::unauthenticated);
    EXPECT_EQ(enter(std::string(foreign.reveal()), "6.6.6.6").error().code(), Errc::rate_limited);
    EXPECT_EQ(enter("dk_mistyped", "6.6.6.6").error().code(), Errc::unauthenticated) << "that is no guess";
    EXPECT_TRUE(enter(good, "6.6.6.6"));   // who has a good key is not stopped by a neighbour
    EXPECT_EQ(enter(std::string(foreign.reveal()), "7.7.7.7").error().code(), Errc::unauthenticated);
}

}  // namespace dure::auth::administration_tests
