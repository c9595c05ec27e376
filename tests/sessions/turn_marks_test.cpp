// TurnMarks: what it knows of a session's turns, and what it leaves out.
#include "dure/sessions/turn_marks.hpp"

#include <gtest/gtest.h>

namespace dure::sessions {
namespace {

TEST(TurnMarks, WhatWasReadWhileATurnWasRecordedDoesNotEnter)
{
    TurnMarks marks;
    EXPECT_EQ(marks.has("s", 1), std::nullopt);
    const auto asked_at = marks.generation("s");
    marks.add("s", 1);
    marks.keep("s", {}, asked_at);
    EXPECT_EQ(marks.has("s", 1), std::nullopt);
    marks.keep("s", {1}, marks.generation("s"));
    marks.add("s", 2);
    EXPECT_EQ(marks.has("s", 1), true);
    EXPECT_EQ(marks.has("s", 2), true);
    EXPECT_EQ(marks.has("s", 3), false);
}

TEST(TurnMarks, OfTurnsUnderWayOnlyTheFirstIsNew)
{
    TurnMarks marks;
    {
        TurnMarks::Recording unknown(marks, "s", 1);
        EXPECT_FALSE(unknown.is_new()) << "nobody has read which turns the session has";
    }
    marks.keep("s", {}, marks.generation("s"));
    {
        TurnMarks::Recording first(marks, "s", 1);
        TurnMarks::Recording again(marks, "s", 1);
        TurnMarks::Recording other(marks, "s", 2);
        TurnMarks::Recording elsewhere(marks, "t", 1);
        EXPECT_TRUE(first.is_new());
        EXPECT_FALSE(first.is_new()) << "its unit was undone: who knows what came between";
        EXPECT_FALSE(again.is_new());
        EXPECT_TRUE(other.is_new());
        EXPECT_FALSE(elsewhere.is_new());
        other.recorded();
    }
    EXPECT_FALSE(TurnMarks::Recording(marks, "s", 2).is_new());
    EXPECT_TRUE(TurnMarks::Recording(marks, "s", 1).is_new()) << "it was not stored";
}

// The reader has asked the store before the turn, somebody else's reading entered, and was pushed out with the turn.
TEST(TurnMarks, WhatWasReadBeforeASessionWasPushedOutDoesNotEnter)
{
    TurnMarks marks;
    const auto asked_at = marks.generation("s");
    marks.keep("s", {}, asked_at);
    marks.add("s", 1);
    marks.keep("t", std::vector<std::int64_t>(TurnMarks::most, 2), marks.generation("t"));
    ASSERT_EQ(marks.has("s", 1), std::nullopt);
    marks.keep("s", {}, asked_at);
    EXPECT_EQ(marks.has("s", 1), std::nullopt);
}

TEST(TurnMarks, AreBounded)
{
    TurnMarks marks;
    for (int i = 0; i < 3; ++i) {
        const auto session = "s" + std::to_string(i);
        marks.keep(session, std::vector<std::int64_t>(TurnMarks::most / 2, i), marks.generation(session));
    }
    int known = 0;
    for (int i = 0; i < 3; ++i)
        known += marks.has("s" + std::to_string(i), i).has_value() ? 1 : 0;
    EXPECT_EQ(known, 1);
    EXPECT_EQ(marks.has("s2", 2), true);
}

}  // namespace
}  // namespace dure::sessions
