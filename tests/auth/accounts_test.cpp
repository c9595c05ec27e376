// The life of an account: register, log in, tokens and what ends them, forgotten passwords, verified addresses.
#include <gtest/gtest.h>

#include "auth/account_fixture.hpp"

namespace dure::auth::account_tests {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::ElementsAre;

class AccountsTest : public AccountsFixture {
protected:
    std::string refusal(const Result<SecretString>& outcome)
    {
        return outcome ? "accepted" : outcome.error().message();
    }
    Result<Account> change(const std::string& id, AccountChange wanted)
    {
        return finish(accounts_->change_own(id, std::move(wanted), from_here()));
    }
    Result<void> reset(const std::string& token, const std::string& password)
    {
        return finish(accounts_->reset_password(SecretString(token), SecretString(password), from_here()));
    }
    Result<Account> verify(const std::string& token)
    {
        return finish(accounts_->verify(SecretString(token), from_here()));
    }
    void forget(const std::string& email) { ASSERT_TRUE(finish(accounts_->forgot_password(email, from_here()))); }
};

}  // namespace

TEST_F(AccountsTest, ARegisteredUserLogsInByAddressAndByNameWithoutRegardToCase)
{
    const auto made = finish(accounts_->enroll({"Kim@Example.kr", SecretString(good_password), "Kim_1"}, from_here()));
    ASSERT_TRUE(made) << made.error().message();
    EXPECT_EQ(made->user.role, "user");
    EXPECT_FALSE(made->user.is_verified);
    EXPECT_THAT(made->permissions, Contains("chat:create"));
    for (const auto* name : {"Kim@Example.kr", "kim@example.KR", "kim_1"}) {
        const auto token = log_in(name);
        ASSERT_TRUE(token) << name;
        const auto principal = enter(std::string(token->reveal()));
        ASSERT_TRUE(principal);
        EXPECT_EQ(principal->user_id, made->user.id);
        EXPECT_EQ(principal->permissions, made->permissions);
        EXPECT_TRUE(principal->key_id.empty());
        EXPECT_FALSE(principal->token_id.empty());
    }
    EXPECT_THAT(events_of(made->user.id),
                ElementsAre("UserRegistered", "UserLoggedIn", "UserLoggedIn", "UserLoggedIn"));
}

TEST_F(AccountsTest, RefusesRegistrationsThatCannotBe)
{
    enrolled("taken@example.kr");
    const struct {
        Registration wanted;
        const char* message;
        const char* field;   // of the first problem
    } cases[] = {
        {{"TAKEN@example.kr", SecretString(good_password), {}}, "REGISTER_USER_ALREADY_EXISTS", ""},
        {{"no address", SecretString(good_password), {}}, "Some fields are not valid.", "email"},
        {{"a@b.kr\r\nBcc: x@y.kr", SecretString(good_password), {}}, "Some fields are not valid.", "email"},
        {{"ä@example.kr", SecretString(good_password), {}}, "Some fields are not valid.", "email"},
        {{"a@example.kr", SecretString(good_password), "x@y.kr"}, "Some fields are not valid.", "username"},
        {{"a@example.kr", SecretString(good_password), "ab"}, "Some fields are not valid.", "username"},
        {{"a@example.kr", SecretString("short"), {}}, "A password must have 8 to 128 characters.", ""},
        {{"a@example.kr", SecretString(std::string(129, 'x') + "y"), {}},
         "A password must have 8 to 128 characters.",
         ""},
        {{"a@example.kr", SecretString("password123"), {}}, "This password is among the most common ones.", ""},
        {{"kimchi@example.kr", SecretString("my-KIMCHI-pot"), {}},
         "A password must not hold the name of the e-mail address.",
         ""},
    };
    for (const auto& one : cases) {
        const auto made = finish(accounts_->enroll(one.wanted, from_here()));
        ASSERT_FALSE(made) << one.wanted.email;
        EXPECT_EQ(made.error().code(), Errc::invalid_argument);
        EXPECT_EQ(made.error().message(), one.message) << one.wanted.email;
        if (*one.field)
            EXPECT_EQ(made.error().extra().problems.at(0).location.back(), one.field);
    }
}

TEST_F(AccountsTest, TwentyRegistrationsAnHourAndAddress)
{
    for (int i = 0; i < 20; ++i)
        enrolled("u" + std::to_string(i) + "@example.kr");
    const auto refused = finish(accounts_->enroll({"more@example.kr", SecretString(good_password), {}}, from_here()));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), Errc::rate_limited);
    EXPECT_EQ(refused.error().extra().retry_after, 3600s);
    clock_.step(1h);
    enrolled("more@example.kr");
}

TEST_F(AccountsTest, UnknownWrongAndInactiveAreRefusedAlike)
{
    const auto user = enrolled("kim@example.kr").user;
    const auto gone = enrolled("gone@example.kr").user;
    ASSERT_TRUE(database_->run_now([&](sql::Connection& c) {
        auto row = gone;
        row.is_active = false;
        return store::Users(c).update(row);
    }));
    for (const auto& name : {std::string("nobody@example.kr"), std::string("kim@example.kr"), std::string(""),
                             std::string("a\0b", 3), std::string("\xff"), std::string(100000, 'x')}) {
        const auto refused = log_in(name, "wrong password");
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code(), Errc::invalid_argument);
        EXPECT_EQ(refused.error().message(), "LOGIN_BAD_CREDENTIALS");
    }
    EXPECT_EQ(refusal(log_in("gone@example.kr")), "LOGIN_BAD_CREDENTIALS");
    EXPECT_EQ(refusal(log_in("kim@example.kr", "")), "LOGIN_BAD_CREDENTIALS");
    EXPECT_EQ(refusal(log_in("kim@example.kr", std::string(100000, 'x'))), "LOGIN_BAD_CREDENTIALS");
    EXPECT_THAT(events_of(user.id),
                ElementsAre("UserRegistered", "UserLoginFailed", "UserLoginFailed", "UserLoginFailed"));
}

TEST_F(AccountsTest, GuessingAnAccountIsSlowedDownByBothOfItsNames)
{
    ASSERT_TRUE(finish(accounts_->enroll({"kim@example.kr", SecretString(good_password), "kim"}, from_here())));
    for (int i = 0; i < 5; ++i)
        EXPECT_EQ(refusal(log_in(i % 2 ? "kim" : "KIM@example.kr", "wrong password")), "LOGIN_BAD_CREDENTIALS");
    const auto refused = log_in("kim");   // even the right password has to wait now
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), Errc::rate_limited);
    EXPECT_EQ(refused.error().extra().retry_after, 1s);
    clock_.step(1s);
    EXPECT_TRUE(log_in("kim"));
    EXPECT_EQ(refusal(log_in("kim", "wrong password")), "LOGIN_BAD_CREDENTIALS");   // anew
}

TEST_F(AccountsTest, GuessingDoesNotTouchTokensInUse)
{
    enrolled("kim@example.kr");
    const auto token = token_for("kim@example.kr");
    for (int i = 0; i < 40; ++i)
        EXPECT_FALSE(log_in("kim@example.kr", "wrong password"));
    EXPECT_TRUE(valid(token));
}

TEST_F(AccountsTest, ATokenEndsAtItsTime)
{
    enrolled("kim@example.kr");
    const auto token = token_for("kim@example.kr");
    clock_.step(1h + 29s);
    EXPECT_TRUE(valid(token));
    clock_.step(1s);
    EXPECT_FALSE(valid(token));
}

TEST_F(AccountsTest, LoggingOutEndsThatTokenAndNoOther)
{
    const auto user = enrolled("kim@example.kr").user;
    const auto one = token_for("kim@example.kr");
    const auto other = token_for("kim@example.kr");
    ASSERT_TRUE(valid(one));
    ASSERT_TRUE(finish(accounts_->logout(enter(one).value(), false, from_here())));
    EXPECT_FALSE(valid(one));
    EXPECT_TRUE(valid(other));
    ASSERT_TRUE(finish(accounts_->logout(enter(other).value(), true, from_here())));
    EXPECT_FALSE(valid(other));
    EXPECT_THAT(events_of(user.id), Contains("UserLoggedOutEverywhere"));
}

TEST_F(AccountsTest, ANewPasswordEndsEveryToken)
{
    const auto user = enrolled("kim@example.kr").user;
    const auto token = token_for("kim@example.kr");
    ASSERT_TRUE(valid(token));
    AccountChange wanted;
    wanted.password = SecretString("another good one");
    ASSERT_TRUE(change(user.id, wanted));
    EXPECT_FALSE(valid(token));
    EXPECT_FALSE(log_in("kim@example.kr"));
    EXPECT_TRUE(log_in("kim@example.kr", "another good one"));
}

TEST_F(AccountsTest, NobodyRaisesHisOwnRights)
{
    const auto user = enrolled("kim@example.kr").user;
    AccountChange wanted;
    wanted.role = "admin";
    wanted.is_verified = true;
    wanted.username = "김철수";
    const auto changed = change(user.id, wanted);
    ASSERT_TRUE(changed) << changed.error().message();
    EXPECT_EQ(changed->user.role, "user");
    EXPECT_FALSE(changed->user.is_verified);
    EXPECT_EQ(changed->user.username, "김철수");
}

TEST_F(AccountsTest, AKoreanUserNameMayHaveTwoSyllables)
{
    const auto user = enrolled("kim@example.kr").user;
    const auto refused = [&](const std::string& name) {
        AccountChange wanted;
        wanted.username = name;
        return change(user.id, wanted).has_error();
    };
    for (const auto* name : {"미나", "김a", "kim", "김.철-수_1"})
        EXPECT_FALSE(refused(name)) << name;
    for (const auto* name : {"김", "ab", "김 철수", "ㅋㅋㅋ", "名前だ", "a@b"})
        EXPECT_TRUE(refused(name)) << name;
}

TEST_F(AccountsTest, ATakenAddressIsRefusedAndANewOneMustBeVerifiedAgain)
{
    enrolled("lee@example.kr");
    const auto user = enrolled("kim@example.kr").user;
    AccountChange taken;
    taken.email = "LEE@example.kr";
    EXPECT_EQ(change(user.id, taken).error().message(), "UPDATE_USER_EMAIL_ALREADY_EXISTS");
    ASSERT_TRUE(finish(accounts_->request_verification("kim@example.kr", from_here())));
    ASSERT_TRUE(verify(mails_.token()));
    AccountChange fresh;
    fresh.email = "kim@example.com";
    EXPECT_FALSE(change(user.id, fresh)->user.is_verified);
}

TEST_F(AccountsTest, AForgottenPasswordIsResetOnce)
{
    const auto user = enrolled("kim@example.kr").user;
    const auto access = token_for("kim@example.kr");
    forget("KIM@example.kr");
    ASSERT_EQ(mails_.all.size(), 1u);
    EXPECT_EQ(mails_.all[0].to, "kim@example.kr");
    const auto token = mails_.token();
    EXPECT_EQ(reset(token, "short").error().reason(), "invalid_password");   // may be tried again
    ASSERT_TRUE(reset(token, "another good one"));
    EXPECT_EQ(reset(token, "a third good one").error().message(), "RESET_PASSWORD_BAD_TOKEN");
    EXPECT_FALSE(valid(access));
    EXPECT_TRUE(log_in("kim@example.kr", "another good one"));
    EXPECT_THAT(events_of(user.id), Contains("UserPasswordReset"));
}

TEST_F(AccountsTest, AResetTokenIsBoundToItsUserPasswordAddressAndTime)
{
    const auto user = enrolled("kim@example.kr").user;
    forget("kim@example.kr");
    const auto token = mails_.token();
    EXPECT_FALSE(valid(token));   // no access token
    EXPECT_EQ(verify(token).error().message(), "VERIFY_USER_BAD_TOKEN");
    for (const auto& bad : {std::string(), std::string("null"), token + "x", token_for("kim@example.kr")})
        EXPECT_EQ(reset(bad, "another good one").error().message(), "RESET_PASSWORD_BAD_TOKEN") << bad;
    AccountChange moved;
    moved.email = "kim@example.com";
    ASSERT_TRUE(change(user.id, moved));
    EXPECT_EQ(reset(token, "another good one").error().message(), "RESET_PASSWORD_BAD_TOKEN");
    forget("kim@example.com");
    const auto late = mails_.token();
    clock_.step(1h + 30s);
    EXPECT_EQ(reset(late, "another good one").error().message(), "RESET_PASSWORD_BAD_TOKEN");
}

TEST_F(AccountsTest, WrongResetTokensAreLimitedByAddress)
{
    for (int i = 0; i < 30; ++i)
        EXPECT_EQ(reset("a.b.c", "another good one").error().message(), "RESET_PASSWORD_BAD_TOKEN");
    EXPECT_EQ(reset("a.b.c", "another good one").error().code(), Errc::rate_limited);
}

TEST_F(AccountsTest, FiveMailsAnHourAndNoneToStrangers)
{
    enrolled("kim@example.kr");
    for (int i = 0; i < 8; ++i)
        forget("kim@example.kr");
    EXPECT_EQ(mails_.all.size(), 5u);
    forget("nobody@example.kr");
    forget("no address\r\n");
    EXPECT_EQ(mails_.all.size(), 5u);
    clock_.step(1h);
    forget("kim@example.kr");
    EXPECT_EQ(mails_.all.size(), 6u);
}

TEST_F(AccountsTest, AnAddressIsVerifiedOnce)
{
    const auto user = enrolled("kim@example.kr").user;
    ASSERT_TRUE(finish(accounts_->request_verification("kim@example.kr", from_here())));
    const auto token = mails_.token();
    EXPECT_TRUE(verify(token)->user.is_verified);
    EXPECT_EQ(verify(token).error().message(), "VERIFY_USER_ALREADY_VERIFIED");
    ASSERT_TRUE(finish(accounts_->request_verification("kim@example.kr", from_here())));
    EXPECT_EQ(mails_.all.size(), 1u);   // there is nothing left to verify
}

TEST_F(AccountsTest, AVerificationTokenIsForTheAddressItWentTo)
{
    const auto user = enrolled("kim@example.kr").user;
    ASSERT_TRUE(finish(accounts_->request_verification("kim@example.kr", from_here())));
    AccountChange moved;
    moved.email = "kim@example.com";
    ASSERT_TRUE(change(user.id, moved));
    EXPECT_EQ(verify(mails_.token()).error().message(), "VERIFY_USER_BAD_TOKEN");
}

TEST_F(AccountsTest, AHashOfWeakerParametersIsRenewedAtLoginAndTokensLiveOn)
{
    const auto user = enrolled("kim@example.kr").user;
    const auto token = token_for("kim@example.kr");
    settings_.password_hash_memory = 128 << 10;
    Passwords stronger(settings_);
    auto with = parts();
    Accounts accounts({with.database, with.journal, with.clock, with.logger, with.authenticator, stronger, with.guesses,
                       with.mail, with.tokens, with.settings});
    ASSERT_TRUE(finish(accounts.login("kim@example.kr", SecretString(good_password), from_here())));
    const auto now = finish(accounts_->find(user.id));
    EXPECT_NE(now->user.password_hash, user.password_hash);
    EXPECT_FALSE(stronger.needs_rehash(*now->user.password_hash));
    EXPECT_TRUE(valid(token));
    EXPECT_TRUE(log_in("kim@example.kr"));
}

TEST_F(AccountsTest, APasswordIsTheSameInAnotherUnicodeForm)
{
    const std::string composed = "p\u00E4ssw\u00F6rter \uAC00", decomposed = "pa\u0308sswo\u0308rter \u1100\u1161";
    ASSERT_TRUE(finish(accounts_->enroll({"kim@example.kr", SecretString(composed), {}}, from_here())));
    EXPECT_TRUE(log_in("kim@example.kr", decomposed));
    EXPECT_FALSE(log_in("kim@example.kr", composed + " "));
}

TEST_F(AccountsTest, NoEventHoldsASecret)
{
    const auto user = enrolled("kim@example.kr").user;
    const auto token = token_for("kim@example.kr");
    forget("kim@example.kr");
    ASSERT_TRUE(reset(mails_.token(), "another good one"));
    const auto made = finish(keys_->create(user.id, {"k", {}, {}, {}}, from_here()));
    const auto rows = database_->run_now([&](sql::Connection& c) { return store::Events(c).after(0, {}, 100); });
    ASSERT_TRUE(rows);
    EXPECT_GE(rows->size(), 5u);
    for (const auto& event : *rows) {
        const auto text = event.data.dump() + event.metadata.dump();
        for (const auto& secret : {std::string(good_password), std::string("another good one"), token, mails_.token(),
                                   std::string(made->key.reveal()), made->record.hash, std::string("argon2")})
            EXPECT_EQ(text.find(secret), std::string::npos) << event.event_type;
    }
}

}  // namespace dure::auth::account_tests
