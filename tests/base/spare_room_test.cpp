// Room lent between texts of one thread: contents stay apart, and what is kept is bounded.
#include "dure/base/spare_room.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace dure {
namespace {

TEST(SpareRoom, GoesFromOneTextToTheNext)
{
    std::string first(1000, 'a');
    const auto* const room = first.data();
    return_room(first);
    EXPECT_TRUE(first.empty());
    EXPECT_EQ(first.capacity(), std::string().capacity());
    std::string next = "short";
    borrow_room(next);
    EXPECT_EQ(next, "short");
    EXPECT_EQ(next.data(), room);
    EXPECT_GE(next.capacity(), 1000u);
}

TEST(SpareRoom, LeavesATextThatHasRoomOfItsOwn)
{
    std::string spare(1000, 'a');
    return_room(spare);
    std::string own(100, 'o');
    const auto* const room = own.data();
    borrow_room(own);
    EXPECT_EQ(own, std::string(100, 'o'));
    EXPECT_EQ(own.data(), room);
}

TEST(SpareRoom, KeepsAFewOfModerateSize)
{
    std::vector<std::string> texts(100, std::string(1000, 'a'));
    for (auto& text : texts)
        return_room(text);
    std::string huge(1u << 20, 'h');
    return_room(huge);
    std::size_t lent = 0;
    for (auto& text : texts) {
        borrow_room(text);
        lent += text.capacity() >= 1000;
        EXPECT_LT(text.capacity(), 1u << 20);
    }
    EXPECT_GT(lent, 0u);
    EXPECT_LT(lent, 10u);
}

}  // namespace
}  // namespace dure
