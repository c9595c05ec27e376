// Migrations from 0070 on over a database with conversations and events: nothing is lost, and what comes later goes on behind it.
#include <algorithm>

#include "dure/store/events.hpp"
#include "dure/store/messages.hpp"
#include "store/store_fixture.hpp"

namespace dure::store {
namespace {

class TurnsMigrationTest : public StoreTest {
protected:
    void SetUp() override
    {
        database_ = GetParam().open_empty({});
        const auto all = migrations();
        const auto first_of_mine =
            std::find_if(all.begin(), all.end(), [](const sql::Migration& one) { return one.number == 70; });
        migrate(all.first(static_cast<std::size_t>(first_of_mine - all.begin())));
    }
    void migrate(std::span<const sql::Migration> to)
    {
        const auto migrated = sql::migrate(*database_, to, 1);
        ASSERT_TRUE(migrated) << migrated.error().message() << migrated.error().detail();
    }
    void put(const std::string& sql)
    {
        const auto done = database_->run_now([&](sql::Connection& c) { return c.execute(sql); });
        ASSERT_TRUE(done) << done.error().detail();
    }
    void put_message(const std::string& id, const std::string& role, int turn, int at)
    {
        put("INSERT INTO chat_messages (id, session_id, owner_id, role, content, turn, created_at, metadata) VALUES "
            "('" +
            id + "', 's1', 'kim', '" + role + "', 'text', " + std::to_string(turn) + ", " + std::to_string(at) +
            ", '{}')");
    }
    void put_history(const std::string& id, int turn, int at)
    {
        put("INSERT INTO chat_history (id, session_id, owner_id, turn, user_message, assistant_message, tools_used, "
            "model_used, "
            "tokens_used, cost_nano, created_at, metadata) VALUES ('" +
            id + "', 's1', 'kim', " + std::to_string(turn) + ", 'q', 'a" + std::to_string(at) + "', '[]', 'm', 1, 2, " +
            std::to_string(at) + ", '{}')");
    }
};

TEST_P(TurnsMigrationTest, HistoryAndEventsStayAndGoOn)
{
    put("INSERT INTO sessions (id, token, owner_id, title, model, created_at, updated_at, expires_at, is_active, "
        "conversation_turns, max_turns, turns_since_summary, last_turn_key) VALUES ('s1', 't', 'kim', '', '', 1, 1, 9, "
        "1, 2, 3, "
        "0, '')");
    put_message("m1", "user", 1, 10);
    put_message("m2", "assistant", 1, 10);
    put_message("m3", "assistant", 1, 20);  // regenerated
    put_message("m4", "user", 2, 30);
    put_message("m5", "assistant", 2, 30);
    put_history("h1", 1, 10);
    put_history("h2", 1, 20);
    put_history("h3", 2, 30);
    for (int i = 1; i <= 3; ++i)
        put("INSERT INTO events (position, event_id, aggregate_id, aggregate_type, version, event_type, data, "
            "metadata, owner_id, "
            "user_id, created_at) VALUES (" +
            std::to_string(i) + ", 'e" + std::to_string(i) + "', 'a', 'Session', " + std::to_string(i) +
            ", 'TurnRecorded', '{\"n\":1.50}', '{}', 'kim', 'kim', 5)");
    put("UPDATE event_position SET position = 3");

    migrate(migrations());

    const auto turns = test::read_now(*database_, [](sql::Connection& c) {
                           return c.query("SELECT id, assistant_message FROM chat_history WHERE session_id = 's1' "
                                          "ORDER BY created_at, id");
                       }).value();
    ASSERT_EQ(turns.size(), 3u);
    EXPECT_EQ(turns[0].text("assistant_message"), "a10");
    EXPECT_EQ(turns[1].text("assistant_message"), "a20");
    EXPECT_EQ(turns[2].text("assistant_message"), "a30");
    EXPECT_EQ(turns[2].text("id"), "m5");
    NewEvent next;
    next.aggregate_id = "a";
    next.aggregate_type = "Session";
    next.event_type = "TurnRecorded";
    next.owner_id = "kim";
    EXPECT_EQ(from<Events>([](Events all) { return all.last_position(); }).value(), 3);
    const auto stored = in<Events>([&](Events all) { return all.append(next, 3); }).value();
    EXPECT_EQ(stored.position, 4);
    EXPECT_EQ(stored.version, 4);
    const auto all = from<Events>([](Events events) { return events.after(0, {}, 100); }).value();
    ASSERT_EQ(all.size(), 4u);
    EXPECT_EQ(all[0].event_id, "e1");
    EXPECT_EQ(all[0].data, (Json{{"n", 1.5}}));
    next.event_id = "e2";  // taken by an event of the same kind: answered with the first
    EXPECT_EQ(in<Events>([&](Events events) { return events.append(next); }).value().position, 2);
}

// Longer than what a chain has between two messages, or events, that are indexed.
TEST_P(TurnsMigrationTest, LongSessionsAndAggregatesStayInOrderAndGoOn)
{
    for (const auto* session : {"s1", "s2"})
        put("INSERT INTO sessions (id, token, owner_id, title, model, created_at, updated_at, expires_at, is_active, "
            "conversation_turns, max_turns, turns_since_summary, last_turn_key) VALUES ('" +
            std::string(session) + "', 't" + session + "', 'kim', '', '', 1, 1, 9, 1, 2, 3, 0, '')");
    std::vector<std::string> ids;
    for (int i = 1; i <= 80; ++i) {
        put_message("m" + std::to_string(100 + i * 7 % 80), "user", 1, i * 7 % 80);  // not in the order of time
        put("INSERT INTO events (position, event_id, aggregate_id, aggregate_type, version, event_type, data, "
            "metadata, owner_id, "
            "user_id, created_at) VALUES (" +
            std::to_string(i) + ", 'e" + std::to_string(i) + "', '" + (i % 2 ? "a" : "b") + "', 'Session', " +
            std::to_string((i + 1) / 2) + ", 'TurnRecorded', '{}', '{}', 'kim', 'kim', 5)");
        ids.push_back("m" + std::to_string(99 + i));
    }
    put("UPDATE event_position SET position = 80");

    migrate(migrations());

    ASSERT_TRUE(record(turn_of("s1", "n1")));
    ids.insert(ids.end(), {"n1-1q", "n1-2a"});
    ASSERT_TRUE(record(turn_of("s2", "n2")));
    std::vector<std::string> listed;
    for (Page page{.after = {}, .limit = 30}; listed.size() < ids.size();) {
        const auto part = from<Messages>([&](Messages all) { return all.list("s1", "kim", page); }).value();
        ASSERT_FALSE(part.empty());
        for (const auto& message : part)
            listed.push_back(message.id);
        page.after = Position{part.back().created_at, part.back().id};
    }
    EXPECT_EQ(listed, ids);
    EXPECT_EQ(from<Messages>([](Messages all) { return all.list("s2", "kim", {}); })->size(), 2u);

    NewEvent event;
    event.aggregate_id = "b";
    event.aggregate_type = "Session";
    event.event_type = "TurnRecorded";
    event.owner_id = "kim";
    EXPECT_EQ(in<Events>([&](Events events) { return events.append(event, 40); })->position, 83);
    const auto read = from<Events>([](Events events) { return events.of_aggregate({"b", {}, {}, 20, 100}); }).value();
    ASSERT_EQ(read.size(), 22u);
    for (std::size_t i = 0; i < read.size(); ++i)
        EXPECT_EQ(read[i].version, static_cast<std::int64_t>(i) + 20);
    EXPECT_EQ(from<Events>([](Events events) { return events.after(70, {{}, "a"}, 100); })->size(), 5u);
}

TEST_P(TurnsMigrationTest, CheckpointsStay)
{
    for (const auto* id : {"c2", "c1"})
        put("INSERT INTO graph_checkpoints (thread_id, ns, id, parent, run_id, step, source, created_at, "
            "graph_version, "
            "frontier, metadata, versions) VALUES ('t', 'n', '" +
            std::string(id) + "', 'p', 'r', 4, 'loop', 5, 'v', '{\"next\":[]}', '{\"m\":1}', '{\"a\":\"c1\"}')");
    const auto read = [this] {
        const auto rows = database_->run_now([](sql::Connection& c) {
            return c.query(
                "SELECT thread_id, ns, id, parent, run_id, step, source, created_at, graph_version, frontier, "
                "metadata, versions FROM graph_checkpoints WHERE thread_id = 't' AND ns = 'n' ORDER BY id");
        });
        std::vector<std::string> cells;
        for (std::size_t row = 0; rows && row < rows->size(); ++row)
            for (std::size_t column = 0; column < 12; ++column)
                cells.push_back(column == 5 || column == 7 ? std::to_string((*rows)[row].integer(column))
                                                           : (*rows)[row].text(column));
        return cells;
    };
    const auto before = read();
    ASSERT_EQ(before.size(), 24u);
    migrate(migrations());
    EXPECT_EQ(read(), before);
}

INSTANTIATE_TEST_SUITE_P(Drivers, TurnsMigrationTest, testing::ValuesIn(test::all_drivers()), test::driver_name);

}  // namespace
}  // namespace dure::store
