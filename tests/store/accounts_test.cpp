// Users, roles and API keys.
#include "dure/store/api_keys.hpp"
#include "dure/store/ended_tokens.hpp"
#include "dure/store/users.hpp"
#include "store/store_fixture.hpp"

namespace dure::store {
namespace {

class AccountsTest : public StoreTest {
protected:
    void add(const model::User& user)
    {
        const auto added = in<Users>([&](Users users) { return users.insert(user); });
        ASSERT_TRUE(added) << added.error().detail();
    }
    void add(const model::ApiKey& key)
    {
        const auto added = in<ApiKeys>([&](ApiKeys keys) { return keys.insert(key); });
        ASSERT_TRUE(added) << added.error().detail();
    }
    static model::ApiKey key_of(const std::string& owner, const std::string& id, UnixMillis created_at = 100)
    {
        model::ApiKey key;
        key.id = id;
        key.owner_id = owner;
        key.name = "Schlüssel 열쇠";
        key.hash = "hash of " + id;
        key.prefix = "dk_12345";
        key.created_at = created_at;
        return key;
    }
};

TEST_P(AccountsTest, AUserComesBackAsStored)
{
    auto user = user_named("u1", "Kim@Example.kr");
    user.username = "김철수";
    user.role = "developer";
    user.password_hash = "$argon2id$x";
    user.is_active = false;
    user.is_verified = true;
    user.token_version = 7;
    user.updated_at = 200;
    add(user);
    const auto found = from<Users>([](Users users) { return users.find("u1"); });
    ASSERT_TRUE(found);
    EXPECT_EQ(found->email, "Kim@Example.kr");
    EXPECT_EQ(found->username, "김철수");
    EXPECT_EQ(found->role, "developer");
    EXPECT_EQ(found->password_hash, "$argon2id$x");
    EXPECT_FALSE(found->is_active);
    EXPECT_TRUE(found->is_verified);
    EXPECT_EQ(found->token_version, 7);
    EXPECT_EQ(found->created_at, 100);
    EXPECT_EQ(found->updated_at, 200);
    EXPECT_EQ(from<Users>([](Users users) { return users.find("u2"); }).error().code(), Errc::not_found);
}

TEST_P(AccountsTest, AddressesAndNamesAreUniqueWithoutRegardToCase)
{
    auto first = user_named("u1", "kim@example.kr");
    first.username = "Kim";
    add(first);
    auto same_name = user_named("u2", "other@example.kr");
    same_name.username = "kIM";
    for (const auto& taken : {user_named("u1", "x@example.kr"), user_named("u2", "KIM@example.kr"), same_name}) {
        const auto refused = in<Users>([&](Users users) { return users.insert(taken); });
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code(), Errc::conflict);
    }
    EXPECT_EQ(from<Users>([](Users users) { return users.find_by_email("KIM@EXAMPLE.KR"); })->id, "u1");
    EXPECT_EQ(from<Users>([](Users users) { return users.count(); }).value(), 1);
}

TEST_P(AccountsTest, UsersWithoutANameDoNotCollide)
{
    add(user_named("u1", "a@example.kr"));
    add(user_named("u2", "b@example.kr"));
    EXPECT_EQ(from<Users>([](Users users) { return users.count(); }).value(), 2);
}

TEST_P(AccountsTest, AnAddressWinsOverAUserNameOfTheSameText)
{
    auto impostor = user_named("u1", "evil@example.kr");
    impostor.username = "kim@example.kr";
    add(impostor);
    add(user_named("u2", "kim@example.kr"));
    EXPECT_EQ(from<Users>([](Users users) { return users.find_by_login("Kim@example.kr"); })->id, "u2");
    EXPECT_EQ(from<Users>([](Users users) { return users.find_by_login("EVIL@example.kr"); })->id, "u1");
    EXPECT_EQ(from<Users>([](Users users) { return users.find_by_login("nobody"); }).error().code(), Errc::not_found);
}

TEST_P(AccountsTest, EndedTokensAreKnownUntilTheyWouldHaveExpired)
{
    add(user_named("u1", "a@example.kr"));
    const auto end = [&](const std::string& jti, UnixMillis expires_at, UnixMillis now) {
        return in<EndedTokens>([&](EndedTokens tokens) { return tokens.end(jti, "u1", expires_at, now); });
    };
    const auto ended = [&](const std::string& jti) {
        return from<EndedTokens>([&](EndedTokens tokens) { return tokens.contains(jti); }).value();
    };
    EXPECT_TRUE(end("t1", 1000, 100));
    EXPECT_TRUE(end("t1", 1000, 200));
    EXPECT_TRUE(ended("t1"));
    EXPECT_FALSE(ended("t2"));
    EXPECT_TRUE(end("t2", 100'000, 61'000));   // the first one may still have its leeway
    EXPECT_TRUE(ended("t1"));
    EXPECT_TRUE(end("t3", 100'000, 61'001));
    EXPECT_FALSE(ended("t1"));
    EXPECT_TRUE(in<Users>([](Users users) { return users.remove("u1"); }));
    EXPECT_FALSE(ended("t2"));
}

TEST_P(AccountsTest, AHashIsReplacedOnlyWhileItIsTheOldOne)
{
    auto user = user_named("u1", "a@example.kr");
    user.password_hash = "old";
    add(user);
    EXPECT_TRUE(in<Users>([](Users users) { return users.replace_hash("u1", "other", "never"); }));
    EXPECT_EQ(from<Users>([](Users users) { return users.find("u1"); })->password_hash, "old");
    EXPECT_TRUE(in<Users>([](Users users) { return users.replace_hash("u1", "old", "new"); }));
    const auto now = from<Users>([](Users users) { return users.find("u1"); });
    EXPECT_EQ(now->password_hash, "new");
    EXPECT_EQ(now->token_version, 1);
}

TEST_P(AccountsTest, AnotherAdminMustBeActiveAndSomebodyElse)
{
    auto admin = user_named("u1", "a@example.kr");
    admin.role = "admin";
    add(admin);
    auto sleeping = user_named("u2", "b@example.kr");
    sleeping.role = "admin";
    sleeping.is_active = false;
    add(sleeping);
    EXPECT_FALSE(in<Users>([](Users users) { return users.any_admin_but("u1"); }).value());
    EXPECT_TRUE(in<Users>([](Users users) { return users.any_admin_but("u2"); }).value());
    EXPECT_EQ(from<Users>([](Users users) { return users.count_in_role("admin"); }).value(), 2);
    EXPECT_EQ(in<Users>([](Users users) { return users.find_for_update("u1"); })->email, "a@example.kr");
    EXPECT_EQ(in<Users>([](Users users) { return users.find_for_update("u9"); }).error().code(), Errc::not_found);
}

TEST_P(AccountsTest, AnUnknownRoleIsRefused)
{
    auto user = user_named("u1", "a@example.kr");
    user.role = "emperor";
    EXPECT_EQ(in<Users>([&](Users users) { return users.insert(user); }).error().code(), Errc::conflict);
}

TEST_P(AccountsTest, UsersAreListedInPagesWithoutGapsOrDoubles)
{
    for (int i = 0; i < 5; ++i)
        add(user_named("u" + std::to_string(i),
                       std::to_string(i) + "@example.kr"));   // all made in the same millisecond
    std::vector<std::string> seen;
    Page page{{}, 2};
    for (;;) {
        const auto users = from<Users>([&](Users all) { return all.list(page); }).value();
        for (const auto& user : users)
            seen.push_back(user.id);
        if (users.size() < 2)
            break;
        page.after = Position{users.back().created_at, users.back().id};
    }
    EXPECT_EQ(seen, (std::vector<std::string>{"u0", "u1", "u2", "u3", "u4"}));
}

TEST_P(AccountsTest, ChangesReachTheNamedUserOnly)
{
    add(user_named("u1", "a@example.kr"));
    add(user_named("u2", "b@example.kr"));
    EXPECT_FALSE(from<Users>([](Users users) { return users.any_admin(); }).value());
    auto changed = user_named("u1", "new@example.kr");
    changed.role = "admin";
    changed.password_hash = "hash";
    changed.token_version = 3;
    changed.updated_at = 900;
    ASSERT_TRUE(in<Users>([&](Users users) { return users.update(changed); }));
    const auto found = from<Users>([](Users users) { return users.find_by_email("new@example.kr"); });
    EXPECT_EQ(found->password_hash, "hash");
    EXPECT_EQ(found->token_version, 3);
    EXPECT_EQ(found->updated_at, 900);
    EXPECT_EQ(from<Users>([](Users users) { return users.find("u2"); })->token_version, 1);
    EXPECT_TRUE(from<Users>([](Users users) { return users.any_admin(); }).value());
    const auto missing = user_named("u3", "c@example.kr");
    EXPECT_EQ(in<Users>([&](Users users) { return users.update(missing); }).error().code(), Errc::not_found);
    EXPECT_EQ(in<Users>([](Users users) { return users.remove("u3"); }).error().code(), Errc::not_found);
    auto collision = user_named("u2", "NEW@example.kr");
    EXPECT_EQ(in<Users>([&](Users users) { return users.update(collision); }).error().code(), Errc::conflict);
}

TEST_P(AccountsTest, RemovingAUserRemovesItsKeys)
{
    add(user_named("u1", "a@example.kr"));
    add(key_of("u1", "k1"));
    ASSERT_TRUE(in<Users>([](Users users) { return users.remove("u1"); }));
    EXPECT_EQ(from<ApiKeys>([](ApiKeys keys) { return keys.find_by_hash("hash of k1"); }).error().code(),
              Errc::not_found);
}

TEST_P(AccountsTest, BuiltInRolesStayAsTheyAre)
{
    const auto roles = from<Roles>([](Roles all) { return all.list(); }).value();
    ASSERT_EQ(roles.size(), 3u);
    for (const auto& role : roles) {
        EXPECT_TRUE(role.builtin);
        EXPECT_FALSE(role.permissions.has_value());
        EXPECT_EQ(in<Roles>([&](Roles all) { return all.remove(role.name); }).error().code(), Errc::conflict);
        EXPECT_EQ(in<Roles>([&](Roles all) { return all.set_permissions(role.name, {}, 1); }).error().code(),
                  Errc::conflict);
    }
}

TEST_P(AccountsTest, CustomRolesCanBeMadeChangedAndRemovedWhenUnused)
{
    const model::StoredRole role{"auditor", std::vector<std::string>{"events:read"}, false, 5, 5};
    ASSERT_TRUE(in<Roles>([&](Roles all) { return all.insert(role); }));
    EXPECT_EQ(in<Roles>([&](Roles all) { return all.insert(role); }).error().code(), Errc::conflict);
    ASSERT_TRUE(in<Roles>([](Roles all) { return all.set_permissions("auditor", {"events:read", "chat:create"}, 9); }));
    const auto found = from<Roles>([](Roles all) { return all.find("auditor"); });
    EXPECT_EQ(found->permissions, (std::vector<std::string>{"events:read", "chat:create"}));
    EXPECT_EQ(found->updated_at, 9);
    auto user = user_named("u1", "a@example.kr");
    user.role = "auditor";
    add(user);
    EXPECT_EQ(in<Roles>([](Roles all) { return all.remove("auditor"); }).error().code(), Errc::conflict);
    ASSERT_TRUE(in<Users>([](Users users) { return users.remove("u1"); }));
    EXPECT_TRUE(in<Roles>([](Roles all) { return all.remove("auditor"); }));
    EXPECT_EQ(from<Roles>([](Roles all) { return all.find("auditor"); }).error().code(), Errc::not_found);
    EXPECT_EQ(in<Roles>([](Roles all) { return all.remove("auditor"); }).error().code(), Errc::not_found);
}

TEST_P(AccountsTest, AKeyIsFoundByItsHashTogetherWithItsOwner)
{
    add(user_named("u1", "a@example.kr"));
    auto key = key_of("u1", "k1");
    key.permissions = std::vector<std::string>{"chat:create"};
    key.models = std::vector<std::string>{"gpt-4o", "mock"};
    key.expires_at = 999;
    add(key);
    const auto found = from<ApiKeys>([](ApiKeys keys) { return keys.find_by_hash("hash of k1"); });
    ASSERT_TRUE(found) << found.error().detail();
    EXPECT_EQ(found->owner.email, "a@example.kr");
    EXPECT_EQ(found->key.id, "k1");
    EXPECT_EQ(found->key.name, "Schlüssel 열쇠");
    EXPECT_EQ(found->key.permissions, key.permissions);
    EXPECT_EQ(found->key.models, key.models);
    EXPECT_EQ(found->key.expires_at, 999);
    EXPECT_EQ(found->key.last_used_at, std::nullopt);
    EXPECT_EQ(from<ApiKeys>([](ApiKeys keys) { return keys.find_by_hash("k1"); }).error().code(), Errc::not_found);
}

TEST_P(AccountsTest, KeysOfOthersAreNotThere)
{
    add(user_named("u1", "a@example.kr"));
    add(user_named("u2", "b@example.kr"));
    add(key_of("u1", "k1"));
    EXPECT_TRUE(from<ApiKeys>([](ApiKeys keys) { return keys.find("k1", "u1"); }));
    EXPECT_EQ(from<ApiKeys>([](ApiKeys keys) { return keys.find("k1", "u2"); }).error().code(), Errc::not_found);
    EXPECT_EQ(in<ApiKeys>([](ApiKeys keys) { return keys.revoke("k1", "u2", 5); }).error().code(), Errc::not_found);
    EXPECT_EQ(in<ApiKeys>([](ApiKeys keys) { return keys.set_expiry("k1", "u2", 5); }).error().code(), Errc::not_found);
    EXPECT_TRUE(from<ApiKeys>([](ApiKeys keys) { return keys.list("u2", 100, 0); })->empty());
    EXPECT_EQ(from<ApiKeys>([](ApiKeys keys) { return keys.count_active("u2", 5); }).value(), 0);
    EXPECT_EQ(from<ApiKeys>([](ApiKeys keys) { return keys.find("k1", "u1"); })->revoked_at, std::nullopt);
}

TEST_P(AccountsTest, RevokingKeepsTheFirstMomentAndTellsTheHash)
{
    add(user_named("u1", "a@example.kr"));
    add(key_of("u1", "k1"));
    EXPECT_EQ(in<ApiKeys>([](ApiKeys keys) { return keys.revoke("k1", "u1", 500); })->hash, "hash of k1");
    EXPECT_EQ(in<ApiKeys>([](ApiKeys keys) { return keys.revoke("k1", "u1", 700); })->revoked_at, 500);
}

TEST_P(AccountsTest, ActiveKeysAreNeitherRevokedNorExpired)
{
    add(user_named("u1", "a@example.kr"));
    for (const auto* id : {"k1", "k2", "k3"})
        add(key_of("u1", id));
    ASSERT_TRUE(in<ApiKeys>([](ApiKeys keys) { return keys.set_expiry("k2", "u1", 1000); }));
    ASSERT_TRUE(in<ApiKeys>([](ApiKeys keys) { return keys.revoke("k3", "u1", 10); }));
    EXPECT_EQ(from<ApiKeys>([](ApiKeys keys) { return keys.count_active("u1", 999); }).value(), 2);
    EXPECT_EQ(from<ApiKeys>([](ApiKeys keys) { return keys.count_active("u1", 1000); }).value(), 1);
}

TEST_P(AccountsTest, LastUseNeverGoesBackwards)
{
    add(user_named("u1", "a@example.kr"));
    add(key_of("u1", "k1"));
    for (const UnixMillis now : {300, 500, 400})
        ASSERT_TRUE(in<ApiKeys>([&](ApiKeys keys) { return keys.touch("k1", now); }));
    EXPECT_EQ(from<ApiKeys>([](ApiKeys keys) { return keys.find("k1", "u1"); })->last_used_at, 500);
}

TEST_P(AccountsTest, OfTheUsesOfAKeyOneIsTheFirst)
{
    add(user_named("u1", "a@example.kr"));
    add(key_of("u1", "k1"));
    EXPECT_EQ(in<ApiKeys>([](ApiKeys keys) { return keys.touch("k1", 300); }).value(), true);
    EXPECT_EQ(in<ApiKeys>([](ApiKeys keys) { return keys.touch("k1", 300); }).value(), false);
    EXPECT_EQ(in<ApiKeys>([](ApiKeys keys) { return keys.touch("k1", 400); }).value(), false);
    EXPECT_EQ(in<ApiKeys>([](ApiKeys keys) { return keys.touch("none", 400); }).value(), false);
}

TEST_P(AccountsTest, KeysAreListedNewestFirst)
{
    add(user_named("u1", "a@example.kr"));
    for (int i = 0; i < 3; ++i)
        add(key_of("u1", "k" + std::to_string(i), 100 + i));
    const auto first = from<ApiKeys>([](ApiKeys keys) { return keys.list("u1", 2, 0); }).value();
    ASSERT_EQ(first.size(), 2u);
    EXPECT_EQ(first[0].id, "k2");
    const auto rest = from<ApiKeys>([](ApiKeys keys) { return keys.list("u1", 2, 2); }).value();
    ASSERT_EQ(rest.size(), 1u);
    EXPECT_EQ(rest[0].id, "k0");
    EXPECT_EQ(from<ApiKeys>([](ApiKeys keys) { return keys.count("u1"); }).value(), 3);
}

INSTANTIATE_TEST_SUITE_P(Drivers, AccountsTest, testing::ValuesIn(test::all_drivers()), test::driver_name);

}  // namespace
}  // namespace dure::store
