// How many large answers are made at once, how much of them may wait to be written, and that one caller leaves room to the others.
#include "api/answer_room.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "support/run_task.hpp"

namespace dure::api {
namespace {

using namespace std::chrono_literals;

constexpr auto one_page = AnswerOf::page;
constexpr auto everything = AnswerOf::whole;

AnswerRoom::Limits limits()
{
    return {.most_pages = 4,
            .most_pages_of_one = 2,
            .most_whole = 1,
            .most_whole_of_one = 1,
            .most_waiting = 8,
            .large = 100,
            .most_unwritten = 1000,
            .most_unwritten_of_one = 600,
            .patience = 20ms};
}

void expect_refused(const Result<void>& outcome)
{
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code(), Errc::unavailable);
    EXPECT_EQ(outcome.error().reason(), "answers_in_memory");
}

TEST(AnswerRoom, SoManyAreMadeAtOnceAndTheOthersWaitTheirTime)
{
    AnswerRoom room(limits());
    test::run([&]() -> Task<void> {
        std::vector<AnswerRoom::Visit> visits;
        for (const auto* guest : {"ann", "ann", "bob", "bob"}) {
            visits.push_back(room.visit(guest, one_page));
            EXPECT_TRUE(co_await visits.back().enter(Deadline::never()));
        }
        auto next = room.visit("kim", one_page);
        expect_refused(co_await next.enter(Deadline::never()));
        visits.pop_back();
        EXPECT_TRUE(co_await next.enter(Deadline::never())) << "the place is free again";
    });
}

TEST(AnswerRoom, OneCallerLeavesPlacesToTheOthers)
{
    AnswerRoom room(limits());
    test::run([&]() -> Task<void> {
        auto first = room.visit("ann", one_page);
        auto second = room.visit("ann", one_page);
        EXPECT_TRUE(co_await first.enter(Deadline::never()));
        EXPECT_TRUE(co_await second.enter(Deadline::never()));
        auto third = room.visit("ann", one_page);
        expect_refused(co_await third.enter(Deadline::never()));
        auto other = room.visit("bob", one_page);
        EXPECT_TRUE(co_await other.enter(Deadline::never()));
    });
}

TEST(AnswerRoom, WhoHasNotEnteredTakesNoPlace)
{
    AnswerRoom room(limits());
    test::run([&]() -> Task<void> {
        std::vector<AnswerRoom::Visit> waiting;  // for something else
        for (int i = 0; i < 20; ++i)
            waiting.push_back(room.visit("ann", one_page));
        auto one = room.visit("ann", one_page);
        EXPECT_TRUE(co_await one.enter(Deadline::never()));
    });
}

TEST(AnswerRoom, WhatTakesLongTakesNoPlaceFromPages)
{
    AnswerRoom room(limits());
    test::run([&]() -> Task<void> {
        auto replay = room.visit("ann", everything);
        EXPECT_TRUE(co_await replay.enter(Deadline::never()));
        auto another = room.visit("bob", everything);
        expect_refused(co_await another.enter(Deadline::never()));
        std::vector<AnswerRoom::Visit> pages;
        for (const auto* guest : {"ann", "ann", "bob", "bob"}) {
            pages.push_back(room.visit(guest, one_page));
            EXPECT_TRUE(co_await pages.back().enter(Deadline::never()));
        }
    });
}

TEST(AnswerRoom, LargeAnswersAreCountedUntilTheyAreWritten)
{
    AnswerRoom room(limits());
    const auto ann = room.visit("ann", one_page);
    const auto bob = room.visit("bob", one_page);
    auto first = ann.hold(600);
    ASSERT_TRUE(first);
    EXPECT_EQ(bob.hold(401).error().reason(), "answers_in_memory");
    EXPECT_TRUE(bob.hold(400)) << "what was refused is not counted";
    {
        const auto second = bob.hold(400);
        ASSERT_TRUE(second);
        EXPECT_FALSE(bob.hold(100));
        EXPECT_TRUE(bob.hold(99)) << "a small one";
        const auto moved = std::move(*first);  // written
    }
    EXPECT_TRUE(bob.hold(5000)) << "one alone is never too large";
}

TEST(AnswerRoom, UnwrittenAnswersOfOneCallerLeaveBytesToTheOthers)
{
    AnswerRoom room(limits());
    const auto ann = room.visit("ann", one_page);
    const auto bob = room.visit("bob", one_page);
    const auto first = ann.hold(550);
    ASSERT_TRUE(first);
    EXPECT_FALSE(ann.hold(100)) << "over the share of one";
    expect_refused(ann.check_room());
    EXPECT_TRUE(bob.check_room());
    EXPECT_TRUE(bob.hold(450));
}

TEST(AnswerRoom, ForgetsWhoHasNothingInItAnyMore)
{
    AnswerRoom room(limits());
    {
        std::optional<Result<AnswerRoom::Unwritten>> unwritten;
        {
            const auto visit = room.visit("ann", one_page);
            const auto again = room.visit("ann", one_page);
            EXPECT_EQ(room.guests(), 1U);
            unwritten.emplace(visit.hold(200));
        }
        EXPECT_EQ(room.guests(), 1U) << "its answer is not written yet";
    }
    EXPECT_EQ(room.guests(), 0U);
}

}  // namespace
}  // namespace dure::api
