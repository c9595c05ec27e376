// How many large answers are made at once, and how much of them may wait to be written.
#include "api/answer_room.hpp"

#include <gtest/gtest.h>

#include "support/run_task.hpp"

namespace dure::api {
namespace {

using namespace std::chrono_literals;

TEST(AnswerRoom, SoManyAreMadeAtOnceAndTheOthersWaitTheirTime)
{
    AnswerRoom room({.most_in_the_making = 2, .most_waiting = 1, .large = 1, .most_unwritten = 1, .patience = 20ms});
    test::run([&]() -> Task<void> {
        auto first = co_await room.enter(Deadline::never());
        EXPECT_TRUE(first);
        {
            const auto second = co_await room.enter(Deadline::never());
            EXPECT_TRUE(second);
            const auto third = co_await room.enter(Deadline::never());
            EXPECT_FALSE(third);
            if (!third) {
                EXPECT_EQ(third.error().code(), Errc::unavailable);
                EXPECT_EQ(third.error().reason(), "answers_in_memory");
            }
        }
        EXPECT_TRUE(co_await room.enter(Deadline::never())) << "the second one's place is free again";
    });
}

TEST(AnswerRoom, LargeAnswersAreCountedUntilTheyAreWritten)
{
    AnswerRoom room(
        {.most_in_the_making = 1, .most_waiting = 1, .large = 100, .most_unwritten = 1000, .patience = 1ms});
    auto first = room.hold(700);
    ASSERT_TRUE(first);
    EXPECT_EQ(room.hold(301).error().reason(), "answers_in_memory");
    EXPECT_TRUE(room.hold(300)) << "what was refused is not counted";
    {
        const auto second = room.hold(300);
        ASSERT_TRUE(second);
        EXPECT_FALSE(room.hold(100));
        EXPECT_TRUE(room.hold(99)) << "a small one";
        const auto moved = std::move(*first);   // written
    }
    EXPECT_TRUE(room.hold(5000)) << "one alone is never too large";
}

}  // namespace
}  // namespace dure::api
