// The form of keys, and the table of roles.
#include "dure/auth/api_key.hpp"

#include <gmock/gmock.h>

#include <set>

#include "dure/auth/roles.hpp"

namespace dure::auth {

using testing::ElementsAre;

TEST(ApiKey, HasItsFormAndIsNeverTheSame)
{
    std::set<std::string> keys;
    for (int i = 0; i < 100; ++i) {
        const auto key = make_api_key();
        EXPECT_TRUE(key.reveal().starts_with("dk_"));
        EXPECT_EQ(key.reveal().size(), 52u);
        EXPECT_TRUE(well_formed(key.reveal()));
        keys.emplace(key.reveal());
    }
    EXPECT_EQ(keys.size(), 100u);
}

TEST(ApiKey, IsRefusedAfterAnyChange)
{
    const auto made = make_api_key();
    const std::string key(made.reveal());
    for (std::size_t i = 0; i < key.size(); ++i) {
        auto wrong = key;
        wrong[i] = wrong[i] == 'a' ? 'b' : 'a';
        EXPECT_FALSE(well_formed(wrong)) << i;
    }
    auto swapped = key;
    std::swap(swapped[5], swapped[6]);
    EXPECT_EQ(well_formed(swapped), swapped == key);
    for (const auto& wrong : {std::string(), std::string("dk_"), key + "0", key.substr(1), key.substr(0, 51), " " + key,
                              key.substr(0, 51) + std::string(1, '\0'), std::string(52, 'x')})
        EXPECT_FALSE(well_formed(wrong)) << wrong;
}

TEST(ApiKey, IsStoredAsItsHash)
{
    // SHA-256 of "abc", FIPS 180-2 appendix B.1.
    EXPECT_EQ(hash_of_key("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(prefix_of_key("dk_0123456789"), "dk_01234");
}

TEST(Roles, HoldWhatTheRouteReferenceSays)
{
    EXPECT_THAT(permissions_of_builtin_role("user").value(),
                ElementsAre("chat:create", "tools:execute", "flows:read", "flows:execute"));
    EXPECT_THAT(permissions_of_builtin_role("developer").value(),
                ElementsAre("chat:create", "tools:execute", "flows:read", "flows:execute", "flows:manage"));
    EXPECT_EQ(permissions_of_builtin_role("admin"), all_permissions());
    EXPECT_FALSE(permissions_of_builtin_role("root"));
    EXPECT_TRUE(is_permission("metrics:read"));
    EXPECT_FALSE(is_permission("metrics"));
}

}  // namespace dure::auth
