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
