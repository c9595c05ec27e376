// A turn stored by one call: what it counts, the messages and the event it leaves, what is told of it, and that nothing stays of one that fails.
#include "dure/store/turns.hpp"

#include "dure/store/messages.hpp"
#include "dure/store/sessions.hpp"
#include "store/store_fixture.hpp"

namespace dure::store {
namespace {

class TurnsTest : public StoreTest {
protected:
    void SetUp() override
    {
        StoreTest::SetUp();
        auto session = session_of("kim", "s1");
        session.max_turns = 2;
        ASSERT_TRUE(in<Sessions>([&](Sessions all) { return all.insert(session); }));
    }
    static NewTurn turn_of(const std::string& name, const std::string& key = "", UnixMillis now = 500)
    {
        return store::turn_of("s1", name, key, now);
    }
    model::Session session()
    {
        return from<Sessions>([](Sessions all) { return all.find("s1", "kim"); }).value();
    }
    std::vector<model::ChatMessage> messages()
    {
        return from<Messages>([](Messages all) { return all.newest("s1", "kim", 100); }).value();
    }
    std::vector<model::Event> events()
    {
        return from<Events>([](Events all) { return all.after(0, {}, 100); }).value();
    }
};

TEST_P(TurnsTest, ATurnLeavesTwoMessagesAnEventAndTheCountedSession)
{
    const auto stored = record(turn_of("one", "k1")).value();
    EXPECT_EQ(stored.turn.turn, 1);
    EXPECT_TRUE(stored.turn.counted);
    EXPECT_FALSE(stored.turn.summary_due);
    EXPECT_EQ(stored.at, 500);
    EXPECT_EQ(stored.before.turns, 0);
    EXPECT_EQ(stored.before.turns_since_summary, 0);
    EXPECT_EQ(stored.before.updated_at, 100);
    EXPECT_EQ(stored.event_position, 1);
    EXPECT_EQ(stored.event_version, 1);

    const auto row = session();
    EXPECT_EQ(row.conversation_turns, 1);
    EXPECT_EQ(row.turns_since_summary, 1);
    EXPECT_EQ(row.last_turn_key, "k1");
    EXPECT_EQ(row.updated_at, 500);
    EXPECT_EQ(row.expires_at, 1500);

    const auto said = messages();
    ASSERT_EQ(said.size(), 2u);
    EXPECT_EQ(said[0].id, "one-1q");
    EXPECT_EQ(said[0].role, "user");
    EXPECT_EQ(said[0].content, "질문 one");
    EXPECT_EQ(said[0].metadata, Json::object());
    EXPECT_EQ(said[1].id, "one-2a");
    EXPECT_EQ(said[1].role, "assistant");
    EXPECT_EQ(said[1].content, "답 one");
    EXPECT_EQ(said[1].turn, 1);
    EXPECT_EQ(said[1].created_at, 500);
    EXPECT_EQ(said[1].metadata, (Json{{"status", "complete"}}));

    const auto told = events();
    ASSERT_EQ(told.size(), 1u);
    EXPECT_EQ(told[0].event_id, "one-e");
    EXPECT_EQ(told[0].position, 1);
    EXPECT_EQ(told[0].version, 1);
    EXPECT_EQ(told[0].event_type, "TurnRecorded");
    EXPECT_EQ(told[0].data, (Json{{"turn", 1}, {"counted", true}}));
    EXPECT_EQ(told[0].metadata, (Json{{"request_id", "r"}}));
    EXPECT_EQ(told[0].owner_id, "kim");
    EXPECT_EQ(told[0].user_id, "lee");
    EXPECT_EQ(told[0].created_at, 500);
}

TEST_P(TurnsTest, TheSameKeyIsTheSameTurnAndAnEmptyOneIsNever)
{
    ASSERT_TRUE(record(turn_of("one", "k1")));
    const auto again = record(turn_of("two", "k1", 600)).value();
    EXPECT_EQ(again.turn.turn, 1);
    EXPECT_FALSE(again.turn.counted);
    EXPECT_EQ(again.event_version, 2);
    EXPECT_EQ(record(turn_of("three", "", 700)).value().turn.turn, 2);
    EXPECT_EQ(record(turn_of("four", "", 800)).value().turn.turn, 3);
    std::vector<std::string> ids;
    for (const auto& message : messages())
        ids.push_back(message.id);
    EXPECT_EQ(ids,
              (std::vector<std::string>{"one-1q", "one-2a", "two-2a", "three-1q", "three-2a", "four-1q", "four-2a"}));
    EXPECT_EQ(events()[1].data, (Json{{"turn", 1}, {"counted", false}}));
    EXPECT_EQ(session().turns_since_summary, 3);
}

TEST_P(TurnsTest, AnEarlierTurnAgainIsThatTurn)
{
    for (const auto* key : {"k1", "k2", "k3"})
        ASSERT_TRUE(record(turn_of(key, key)).value().turn.counted);
    const auto expect_again = [&](const std::string& name, const std::string& key, std::int64_t turn) {
        const auto stored = record(turn_of(name, key)).value().turn;
        EXPECT_EQ(stored.turn, turn) << name;
        EXPECT_EQ(stored.turns, 3) << name;
        EXPECT_FALSE(stored.counted) << name;
        EXPECT_EQ(session().conversation_turns, 3) << name;
        EXPECT_EQ(session().turns_since_summary, 3) << name;
        EXPECT_EQ(messages().back().id, name + "-2a");
        EXPECT_EQ(messages().back().turn, turn) << name;
    };
    expect_again("first", "k1", 1);
    expect_again("first-too", "k1", 1);
    expect_again("second", "k2", 2);
    expect_again("third", "k3", 3);
    const auto next = record(turn_of("next", "k4")).value().turn;
    EXPECT_EQ(next.turn, 4);
    EXPECT_TRUE(next.counted);
    EXPECT_EQ(messages().size(), 12u);   // four questions, eight answers
}

TEST_P(TurnsTest, ATurnWithoutAKeyIsNeverFound)
{
    record(turn_of("one", ""));
    record(turn_of("two", "k"));
    EXPECT_EQ(record(turn_of("three", "")).value().turn.turn, 3);
}

// The row stays behind everything so far, also when the clock has jumped back, and a summary is due with the turn that fills it.
TEST_P(TurnsTest, TimesAscendAndASummaryIsDueAtItsTurn)
{
    EXPECT_FALSE(record(turn_of("one", "", 500)).value().turn.summary_due);
    const auto second = record(turn_of("two", "", 300)).value();
    EXPECT_EQ(second.at, 501);
    EXPECT_TRUE(second.turn.summary_due);
    EXPECT_EQ(second.before.updated_at, 500);
    EXPECT_EQ(session().updated_at, 501);
}

TEST_P(TurnsTest, TurnsAndOtherEventsOfASessionAreOneAggregate)
{
    const auto other = [&](const std::string& aggregate) {
        NewEvent event;
        event.aggregate_id = aggregate;
        event.aggregate_type = "Session";
        event.event_type = "SessionRenamed";
        event.owner_id = "kim";
        return in<Events>([&](Events all) { return all.append(event); }).value();
    };
    EXPECT_EQ(other("s1").version, 1);
    EXPECT_EQ(other("another").position, 2);
    const auto stored = record(turn_of("one")).value();
    EXPECT_EQ(stored.event_version, 2);
    EXPECT_EQ(stored.event_position, 3);
    EXPECT_EQ(other("s1").version, 3);
    std::vector<std::string> types;
    const auto of_session = from<Events>([](Events all) { return all.of_aggregate({"s1", {}, {}, 1, 100}); }).value();
    for (const auto& event : of_session)
        types.push_back(event.event_type);
    EXPECT_EQ(types, (std::vector<std::string>{"SessionRenamed", "TurnRecorded", "SessionRenamed"}));
}

TEST_P(TurnsTest, WhatGoesWithATurnIsDurableWithItOrNotAtAll)
{
    auto turn = turn_of("one");
    turn.also = [](sql::Connection& c) {
        return Summaries(c).append({"x1", "s1", "kim", "with the turn", 1, "mock", 400});
    };
    ASSERT_TRUE(record(turn));
    EXPECT_EQ(from<Summaries>([](Summaries all) { return all.list("s1", "kim"); })->size(), 1u);

    auto refused = turn_of("two", "", 600);
    refused.also = [](sql::Connection&) -> Result<void> { return Error(Errc::conflict, "no").reason("LEASE_LOST"); };
    EXPECT_EQ(record(refused).error().reason(), "LEASE_LOST");
    auto taken = turn_of("three", "", 700);
    NewEvent foreign;
    foreign.event_id = taken.event.event_id;
    foreign.aggregate_id = foreign.aggregate_type = foreign.event_type = foreign.owner_id = "other";
    ASSERT_TRUE(in<Events>([&](Events all) { return all.append(foreign); }));
    EXPECT_EQ(record(taken).error().code(), Errc::conflict);
    EXPECT_EQ(session().conversation_turns, 1);
    EXPECT_EQ(messages().size(), 2u);
    EXPECT_EQ(events().size(), 2u);
    EXPECT_EQ(record(turn_of("four", "", 800)).value().event_position, 3);
}

TEST_P(TurnsTest, AForeignAMissingAndADeletedSessionAreAlike)
{
    ASSERT_TRUE(in<Sessions>([](Sessions all) { return all.insert(session_of("kim", "gone")); }));
    ASSERT_TRUE(in<Sessions>([](Sessions all) { return all.remove("gone", "kim", 5); }));
    for (const auto& [id, owner] :
         {std::pair<std::string, std::string>("s1", "lee"), {"missing", "kim"}, {"gone", "kim"}}) {
        auto turn = turn_of("one");
        turn.session_id = id;
        turn.owner_id = owner;
        EXPECT_EQ(record(turn).error().code(), Errc::not_found) << id << " by " << owner;
    }
    EXPECT_TRUE(events().empty());
    EXPECT_EQ(session().updated_at, 100);
}

// Longer than what lies between two indexed messages and events.
TEST_P(TurnsTest, ALongSessionStaysInOrder)
{
    for (int i = 0; i < 70; ++i)
        ASSERT_TRUE(record(turn_of(std::to_string(100 + i), "", 500 + i)));
    const auto said = from<Messages>([](Messages all) { return all.newest("s1", "kim", 1000); }).value();
    ASSERT_EQ(said.size(), 140u);
    for (std::size_t i = 0; i < said.size(); ++i)
        EXPECT_EQ(said[i].id, std::to_string(100 + i / 2) + (i % 2 == 0 ? "-1q" : "-2a"));
    const auto told = from<Events>([](Events all) { return all.of_aggregate({"s1", {}, {}, 60, 100}); }).value();
    ASSERT_EQ(told.size(), 11u);
    EXPECT_EQ(told[0].event_id, "159-e");
}

INSTANTIATE_TEST_SUITE_P(Drivers, TurnsTest, testing::ValuesIn(test::all_drivers()), test::driver_name);

}  // namespace
}  // namespace dure::store
