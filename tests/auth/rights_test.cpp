// Rights of people who are not there to ask: by their role as it is now.
#include "dure/auth/rights.hpp"

#include "auth/account_fixture.hpp"
#include "dure/auth/roles.hpp"

namespace dure::auth {
namespace {

class RightsTest : public AccountsFixture {
protected:
    Result<std::vector<std::string>> of(const std::string& id) { return finish(Rights(*database_, settings_).of(id)); }
    void store_user(const model::User& user)
    {
        ASSERT_TRUE(database_->run_now([&](sql::Connection& c) { return store::Users(c).update(user); }));
    }
};

TEST_F(RightsTest, AreThoseOfTheRoleAtEveryQuestion)
{
    auto user = enrolled("kim@example.kr").user;
    EXPECT_THAT(of(user.id).value(), testing::Contains("tools:execute"));
    EXPECT_THAT(of(user.id).value(), testing::Not(testing::Contains("flows:manage")));
    user.role = "developer";
    store_user(user);
    EXPECT_THAT(of(user.id).value(), testing::Contains("flows:manage"));
}

TEST_F(RightsTest, AreNoneForWhoIsGoneOrInactive)
{
    auto user = enrolled("kim@example.kr").user;
    user.is_active = false;
    store_user(user);
    for (const auto& id : {user.id, std::string("nobody")}) {
        const auto rights = of(id);
        ASSERT_FALSE(rights);
        EXPECT_EQ(rights.error().code(), Errc::permission_denied);
        EXPECT_EQ(rights.error().reason(), "owner_inactive");
    }
}

TEST_F(RightsTest, WithoutAccountsEverybodyIsTheLocalDeveloper)
{
    settings_.accounts = false;
    EXPECT_EQ(of("local").value(), permissions_of_builtin_role("developer").value());
}

}  // namespace
}  // namespace dure::auth
