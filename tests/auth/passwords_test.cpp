// Password rules and hashes.
#include "dure/auth/passwords.hpp"

#include <gmock/gmock.h>

#include "support/run_task.hpp"

namespace dure::auth {

using testing::StartsWith;

TEST(NewPassword, IsCheckedByLengthCommonnessAndName)
{
    struct Case {
        std::string password;
        bool fine;
    };
    const std::vector<Case> cases = {{"correct horse", true},
                                     {"1234567", false},
                                     {"가나다라마바사아", true},      // eight characters
                                     {"가나다라마바사", false},
                                     {std::string(128, 'a') + "", false},   // one character repeated
                                     {std::string(64, 'a') + std::string(64, 'b'), true},
                                     {std::string(64, 'a') + std::string(65, 'b'), false},
                                     {"PassWord123", false},
                                     {"x-Jongwon-99", false},
                                     {"bad \xFF bytes here", false},
                                     {" spaces count ", true}};
    for (const auto& [password, fine] : cases) {
        const auto checked = check_new_password(password, "jongwon@example.com");
        EXPECT_EQ(checked.has_value(), fine) << password;
        if (!checked) {
            EXPECT_EQ(checked.error().reason(), "invalid_password");
            EXPECT_EQ(checked.error().param(), "password");
        }
    }
}

TEST(Passwords, VerifyWhatTheyHashed)
{
    test::run([]() -> Task<void> {
        Passwords passwords{config::Auth()};
        const auto stored = co_await passwords.hash(SecretString("correct horse"));
        EXPECT_TRUE(stored);
        EXPECT_THAT(*stored, StartsWith("$argon2id$v=19$m=19456,t=2,p=1$"));
        EXPECT_EQ((co_await passwords.verify(SecretString("correct horse"), *stored)).value(), true);
        EXPECT_EQ((co_await passwords.verify(SecretString("correct Horse"), *stored)).value(), false);
        EXPECT_EQ((co_await passwords.verify(SecretString(""), *stored)).value(), false);
        EXPECT_EQ((co_await passwords.verify(SecretString(std::string(100000, 'x')), *stored)).value(), false);
        EXPECT_EQ((co_await passwords.verify_nothing(SecretString("correct horse"))).value(), false);
        const auto again = co_await passwords.hash(SecretString("correct horse"));
        EXPECT_NE(*stored, *again);   // salted
    });
}

TEST(Passwords, ReportABrokenStoredHash)
{
    test::run([]() -> Task<void> {
        Passwords passwords{config::Auth()};
        for (const std::string broken :
             {"", "plain", "$argon2id$v=19$m=19456", "$argon2i$v=19$m=8,t=1,p=1$YWJjZGVmZ2g$YWJj"})
            EXPECT_FALSE(co_await passwords.verify(SecretString("correct horse"), broken)) << broken;
    });
}

TEST(Passwords, KnowWeakerHashes)
{
    const Passwords passwords{config::Auth()};
    EXPECT_FALSE(passwords.needs_rehash("$argon2id$v=19$m=19456,t=2,p=1$x$y"));
    EXPECT_FALSE(passwords.needs_rehash("$argon2id$v=19$m=65536,t=3,p=1$x$y"));
    EXPECT_TRUE(passwords.needs_rehash("$argon2id$v=19$m=8192,t=2,p=1$x$y"));
    EXPECT_TRUE(passwords.needs_rehash("$argon2id$v=19$m=19456,t=1,p=1$x$y"));
    EXPECT_TRUE(passwords.needs_rehash("$argon2i$v=19$m=19456,t=2,p=1$x$y"));
}

}  // namespace dure::auth
