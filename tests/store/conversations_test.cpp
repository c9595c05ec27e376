// Sessions, messages, summaries and the view of turns: contents, turns, pages, and that nobody sees what is not theirs.
#include <map>

#include "dure/store/messages.hpp"
#include "dure/store/sessions.hpp"
#include "store/store_fixture.hpp"

namespace dure::store {
namespace {

class ConversationsTest : public StoreTest {
protected:
    void add(const model::Session& session)
    {
        const auto added = in<Sessions>([&](Sessions all) { return all.insert(session); });
        ASSERT_TRUE(added) << added.error().detail();
    }
    RecordedTurn turn(const std::string& name) { return record(turn_of("s1", name)).value().turn; }
    void say(const NewTurn& turn)
    {
        const auto stored = record(turn);
        ASSERT_TRUE(stored) << stored.error().detail();
    }
    sql::Rows turns_of(const std::string& session)
    {
        return test::read_now(*database_, [&](sql::Connection& c) {
                   return c.query("SELECT * FROM chat_history WHERE session_id = $1 ORDER BY created_at, id", session);
               })
            .value();
    }
    template <class T>
    static std::vector<std::string> ids_of(const std::vector<T>& records)
    {
        std::vector<std::string> ids;
        for (const auto& record : records)
            ids.push_back(record.id);
        return ids;
    }
};

using Ids = std::vector<std::string>;

TEST_P(ConversationsTest, ASessionComesBackAsStored)
{
    auto session = session_of("kim", "s1");
    session.title = "제목";
    session.model = "mock";
    session.flow_id = "flow";
    session.client_chat_id = "chat";
    session.max_turns = 5;
    add(session);
    const auto found = from<Sessions>([](Sessions all) { return all.find("s1", "kim"); });
    ASSERT_TRUE(found);
    EXPECT_EQ(found->token, "token of s1");
    EXPECT_EQ(found->title, "제목");
    EXPECT_EQ(found->model, "mock");
    EXPECT_EQ(found->flow_id, "flow");
    EXPECT_EQ(found->client_chat_id, "chat");
    EXPECT_EQ(found->expires_at, 3'600'100);
    EXPECT_EQ(found->max_turns, 5);
    EXPECT_EQ(found->conversation_turns, 0);
    EXPECT_TRUE(found->is_active);
    EXPECT_EQ(in<Sessions>([&](Sessions all) { return all.insert(session); }).error().code(), Errc::conflict);
}

TEST_P(ConversationsTest, AForeignAMissingAndADeletedSessionAreAlikeForEveryMethod)
{
    add(session_of("kim", "s1"));
    add(session_of("kim", "gone"));
    ASSERT_TRUE(in<Sessions>([](Sessions all) { return all.remove("gone", "kim", 5); }));
    using Call = std::function<std::optional<Errc>(sql::Connection&, const std::string&, const std::string&)>;
    const auto code = [](const auto& result) { return result ? std::nullopt : std::optional(result.error().code()); };
    const std::vector<std::pair<std::string, Call>> calls{
        {"find", [&](auto& c, auto& id, auto& who) { return code(Sessions(c).find(id, who)); }},
        {"remove", [&](auto& c, auto& id, auto& who) { return code(Sessions(c).remove(id, who, 9)); }},
        {"reset",
         [&](auto& c, auto& id, auto& who) { return code(Sessions(c).reset_turns_since_summary(id, who, 1, 9)); }},
        {"messages", [&](auto& c, auto& id, auto& who) { return code(Messages(c).list(id, who, {})); }},
        {"newest", [&](auto& c, auto& id, auto& who) { return code(Messages(c).newest(id, who, 5)); }},
        {"summary",
         [&](auto& c, auto& id, auto& who) { return code(Summaries(c).append({"x", id, who, "s", 1, "m", 1})); }},
        {"summaries", [&](auto& c, auto& id, auto& who) { return code(Summaries(c).list(id, who)); }},
        {"last summary", [&](auto& c, auto& id, auto& who) { return code(Summaries(c).newest(id, who)); }},
    };
    for (const auto& [name, call] : calls) {
        for (const auto& [id, who] :
             {std::pair<std::string, std::string>("s1", "lee"), {"missing", "kim"}, {"gone", "kim"}}) {
            const auto outcome = database_->run_now([&](sql::Connection& c) -> Result<std::optional<Errc>> {
                const auto found = call(c, id, who);
                return found;
            });
            ASSERT_TRUE(outcome) << name;
            EXPECT_EQ(*outcome, Errc::not_found) << name << " of " << id << " by " << who;
        }
    }
    EXPECT_TRUE(from<Sessions>([](Sessions all) { return all.list("lee", {}); })->empty());
    EXPECT_EQ(from<Sessions>([](Sessions all) { return all.count("lee"); }).value(), 0);
    const auto untouched = from<Sessions>([](Sessions all) { return all.find("s1", "kim"); });
    EXPECT_EQ(untouched->updated_at, 100);
    EXPECT_EQ(untouched->conversation_turns, 0);
}

TEST_P(ConversationsTest, AClientChatHasOneSessionPerOwner)
{
    auto first = session_of("kim", "s1");
    first.client_chat_id = "chat";
    auto again = session_of("kim", "s2");
    again.client_chat_id = "chat";
    auto others = session_of("lee", "s3");
    others.client_chat_id = "chat";
    const auto create = [this](const model::Session& fresh) {
        return in<Sessions>([&](Sessions all) { return all.find_or_create(fresh); }).value().id;
    };
    EXPECT_EQ(create(first), "s1");
    EXPECT_EQ(create(again), "s1");
    EXPECT_EQ(create(others), "s3");
    EXPECT_EQ(from<Sessions>([](Sessions all) { return all.find_by_client_chat("chat", "lee"); })->id, "s3");
    EXPECT_EQ(from<Sessions>([](Sessions all) { return all.find_by_client_chat("chat", "park"); }).error().code(),
              Errc::not_found);
    ASSERT_TRUE(in<Sessions>([](Sessions all) { return all.remove("s1", "kim", 5); }));
    EXPECT_EQ(create(again), "s2");
    EXPECT_EQ(in<Sessions>([](Sessions all) { return all.find_or_create(session_of("kim", "s9")); }).error().code(),
              Errc::invalid_argument);
}

TEST_P(ConversationsTest, SessionsAreListedNewestFirstInPages)
{
    for (int i = 0; i < 5; ++i)
        add(session_of("kim", "s" + std::to_string(i), 100 + i / 2));
    add(session_of("lee", "other", 500));
    const auto first = from<Sessions>([](Sessions all) { return all.list("kim", Page{{}, 3}); }).value();
    EXPECT_EQ(ids_of(first), (Ids{"s4", "s3", "s2"}));
    const Page next{Position{first.back().created_at, first.back().id}, 3};
    EXPECT_EQ(ids_of(from<Sessions>([&](Sessions all) { return all.list("kim", next); }).value()), (Ids{"s1", "s0"}));
    EXPECT_EQ(from<Sessions>([](Sessions all) { return all.count("kim"); }).value(), 5);
}

TEST_P(ConversationsTest, ASummaryStartsTheCountAgainFromTheTurnItCovers)
{
    add(session_of("kim", "s1"));
    for (const auto* name : {"a", "b", "c", "d"})
        turn(name);
    ASSERT_TRUE(in<Sessions>([](Sessions all) { return all.reset_turns_since_summary("s1", "kim", 3, 300); }));
    const auto found = from<Sessions>([](Sessions all) { return all.find("s1", "kim"); });
    EXPECT_EQ(found->turns_since_summary, 1);
    EXPECT_EQ(found->conversation_turns, 4);
    for (const int covered : {3, 2})
        EXPECT_FALSE(in<Sessions>([&](Sessions all) { return all.reset_turns_since_summary("s1", "kim", covered, 300); }).value());
    EXPECT_EQ(from<Sessions>([](Sessions all) { return all.find("s1", "kim"); })->turns_since_summary, 1);
    EXPECT_FALSE(turn("e").summary_due);
    EXPECT_TRUE(turn("f").summary_due);
    ASSERT_TRUE(in<Sessions>([](Sessions all) { return all.reset_turns_since_summary("s1", "kim", 99, 300); }));
    EXPECT_EQ(from<Sessions>([](Sessions all) { return all.find("s1", "kim"); })->turns_since_summary, 0);
}

TEST_P(ConversationsTest, MessagesAreListedOldestFirstInPages)
{
    add(session_of("kim", "s1"));
    add(session_of("kim", "s2"));
    say(turn_of("s2", "elsewhere"));
    for (const auto* name : {"m1", "m2", "m3"})
        say(turn_of("s1", name));
    const auto first = from<Messages>([](Messages all) { return all.list("s1", "kim", Page{{}, 3}); }).value();
    EXPECT_EQ(ids_of(first), (Ids{"m1-1q", "m1-2a", "m2-1q"}));
    EXPECT_EQ(first[1].content, "답 m1");
    EXPECT_EQ(first[1].metadata, (Json{{"status", "complete"}}));
    EXPECT_EQ(first[1].role, "assistant");
    const Page next{Position{first.back().created_at, first.back().id}, 3};
    EXPECT_EQ(ids_of(from<Messages>([&](Messages all) { return all.list("s1", "kim", next); }).value()),
              (Ids{"m2-2a", "m3-1q", "m3-2a"}));
}

TEST_P(ConversationsTest, TheNewestMessagesComeInTheOrderTheyWereSaid)
{
    add(session_of("kim", "s1"));
    for (const auto* name : {"m1", "m2", "m3"})
        say(turn_of("s1", name));
    const auto newest = [this](std::int64_t count, std::int64_t after) {
        return ids_of(from<Messages>([&](Messages all) { return all.newest("s1", "kim", count, after); }).value());
    };
    EXPECT_EQ(newest(3, 0), (Ids{"m2-2a", "m3-1q", "m3-2a"}));
    EXPECT_EQ(newest(100, 2), (Ids{"m3-1q", "m3-2a"}));
    EXPECT_EQ(newest(0, 0), Ids{});
    EXPECT_EQ(newest(-1, 0), Ids{});
}

TEST_P(ConversationsTest, TheNewestMessagesThatFitAreGivenAndOneAtLeast)
{
    add(session_of("kim", "s1"));
    for (const auto* name : {"m1", "m2", "m3"})
        say(turn_of("s1", name));
    const auto within = [this](std::int64_t bytes, std::int64_t after) {
        return from<Messages>([&](Messages all) { return all.newest_within("s1", "kim", bytes, after); }).value();
    };
    const auto every = within(1000, 0);
    ASSERT_EQ(ids_of(every), (Ids{"m1-1q", "m1-2a", "m2-1q", "m2-2a", "m3-1q", "m3-2a"}));
    std::int64_t newest_three = 0;
    for (std::size_t i = 3; i < every.size(); ++i)
        newest_three += static_cast<std::int64_t>(every[i].content.size());
    EXPECT_EQ(ids_of(within(newest_three, 0)), (Ids{"m2-2a", "m3-1q", "m3-2a"}));
    EXPECT_EQ(ids_of(within(newest_three - 1, 0)), (Ids{"m3-1q", "m3-2a"}));
    EXPECT_EQ(ids_of(within(1000, 2)), (Ids{"m3-1q", "m3-2a"}));
    EXPECT_EQ(ids_of(within(1, 0)), (Ids{"m3-2a"}));
}

TEST_P(ConversationsTest, SummariesAreKeptAndTheNewestIsFound)
{
    add(session_of("kim", "s1"));
    EXPECT_FALSE(from<Summaries>([](Summaries all) { return all.newest("s1", "kim"); })->has_value());
    for (int i = 1; i <= 2; ++i) {
        const model::ConversationSummary summary{"x" + std::to_string(i), "s1", "kim", "요약", i * 3, "mock", 100 + i};
        ASSERT_TRUE(in<Summaries>([&](Summaries all) { return all.append(summary); }));
    }
    const auto newest = from<Summaries>([](Summaries all) { return all.newest("s1", "kim"); }).value();
    EXPECT_EQ(newest->id, "x2");
    EXPECT_EQ(newest->up_to_turn, 6);
    EXPECT_EQ(newest->content, "요약");
    EXPECT_EQ(ids_of(from<Summaries>([](Summaries all) { return all.list("s1", "kim"); }).value()), (Ids{"x1", "x2"}));
}

TEST_P(ConversationsTest, OfVeryLongSummariesTheNewestAreTold)
{
    add(session_of("kim", "s1"));
    for (int i = 1; i <= 3; ++i)
        ASSERT_TRUE(in<Summaries>([&](Summaries all) {
            return all.append({"x" + std::to_string(i), "s1", "kim", std::string(5 << 20, 's'), i, "mock", 100 + i});
        }));
    EXPECT_EQ(ids_of(from<Summaries>([](Summaries all) { return all.list("s1", "kim"); }).value()), (Ids{"x2", "x3"}));
}

TEST_P(ConversationsTest, TheViewOfTurnsHoldsARowPerTurn)
{
    add(session_of("kim", "s1"));
    add(session_of("kim", "s2"));
    const auto tools = Json::array({Json{{"name", "calculator"}, {"result", std::string("x\0", 2)}}});
    const Json metadata{{"status", "cut"}, {"note", std::string("a\0b", 3)}, {"tools_used", tools}};
    auto turn = turn_of("s1", "m1", "key");
    turn.question = "12 * 7?";
    turn.answer = "84";
    turn.metadata = dump(metadata);
    turn.tools_used = dump(tools);
    say(turn);
    auto again = turn_of("s1", "m2", "key");  // the question was changed
    again.question = "13 * 7?";
    again.answer = "91";
    again.model = "other";
    say(again);
    ASSERT_EQ(from<Messages>([](Messages all) { return all.list("s1", "kim", {}); })->size(), 3u);
    const auto found = turns_of("s1");
    ASSERT_EQ(found.size(), 2u);
    EXPECT_EQ(found[0].text("id"), "m1-2a");
    EXPECT_EQ(found[0].text("user_message"), "12 * 7?");
    EXPECT_EQ(found[0].text("assistant_message"), "84");
    EXPECT_EQ(Json::parse(found[0].text("tools_used")), tools);
    EXPECT_EQ(found[0].text("model_used"), "mock");
    EXPECT_EQ(found[0].integer("tokens_used"), 7);
    EXPECT_EQ(found[0].integer("cost_nano"), 11);
    EXPECT_EQ(Json::parse(found[0].text("metadata")), metadata);
    EXPECT_EQ(found[1].text("user_message"), "13 * 7?");
    EXPECT_EQ(found[1].text("assistant_message"), "91");
    EXPECT_EQ(found[1].text("tools_used"), "[]");
    EXPECT_EQ(found[1].text("model_used"), "other");
    EXPECT_TRUE(turns_of("s2").empty());
}

TEST_P(ConversationsTest, APageOfLongMessagesEndsByTheirBytesAndTheNextGoesOnThere)
{
    add(session_of("kim", "s1"));
    const std::vector<std::size_t> kibibytes{3000, 1, 6000, 9000, 20, 8192, 1, 1};
    const auto text = [&](std::size_t i) { return std::string(kibibytes[i] * 1024, static_cast<char>('a' + i)); };
    for (std::size_t i = 0; i < kibibytes.size(); i += 2) {
        auto turn = turn_of("s1", std::to_string(i));
        turn.question_id = "m" + std::to_string(i);
        turn.question = text(i);
        turn.answer_id = "m" + std::to_string(i + 1);
        turn.answer = text(i + 1);
        say(turn);
    }
    std::vector<Ids> pages;
    std::vector<bool> cut;
    for (Page page{.after = {}, .limit = 100}; pages.empty() || cut.back();) {
        const auto part = from<Messages>([&](Messages all) { return all.list("s1", "kim", page); }).value();
        ASSERT_FALSE(part.empty());
        pages.push_back(ids_of(part));
        cut.push_back(part.cut);
        for (const auto& message : part)
            EXPECT_EQ(message.content, text(static_cast<std::size_t>(message.id[1] - '0')));
        page.after = Position{part.back().created_at, part.back().id};
    }
    EXPECT_EQ(pages, (std::vector<Ids>{{"m0", "m1", "m2"}, {"m3"}, {"m4", "m5"}, {"m6", "m7"}}));
    EXPECT_FALSE(from<Messages>([](Messages all) { return all.list("s1", "kim", Page{{}, 2}); })->cut);
}

TEST_P(ConversationsTest, ALongSessionIsReadInPagesOfAnySize)
{
    constexpr int told = 90;  // two of them again
    const auto again = [](int number) { return number == 2 || number == 40; };
    add(session_of("kim", "s1"));
    add(session_of("kim", "s2"));
    Ids all;
    for (int number = 1; number <= told; ++number) {
        const auto name = std::to_string(1000 + number);
        const auto key = std::to_string(again(number) ? number - 1 : number);
        for (const std::string session : {"s1", "s2"})
            say(turn_of(session, session + "-" + name, key, number));
        if (!again(number))
            all.push_back("s1-" + name + "-1q");
        all.push_back("s1-" + name + "-2a");
    }
    for (const std::int64_t size : {1, 31, 32, 33, 100}) {
        Ids found;
        for (Page page{.after = {}, .limit = size};;) {
            const auto part =
                from<Messages>([&](Messages messages) { return messages.list("s1", "kim", page); }).value();
            if (part.empty())
                break;
            for (const auto& message : part)
                found.push_back(message.id);
            page.after = Position{part.back().created_at, part.back().id};
        }
        EXPECT_EQ(found, all) << size;
    }
    for (const std::size_t count : {0u, 1u, 32u, 100u, 1000u}) {
        const auto newest = from<Messages>(
            [&](Messages messages) { return messages.newest("s1", "kim", static_cast<std::int64_t>(count)); });
        EXPECT_EQ(ids_of(newest.value()),
                  Ids(all.end() - static_cast<std::ptrdiff_t>(std::min(count, all.size())), all.end()));
    }
    EXPECT_EQ(from<Messages>([](Messages messages) { return messages.newest("s1", "kim", 100, 83); })->size(), 10u);
    const auto history = turns_of("s1");
    ASSERT_EQ(history.size(), 90u);
    EXPECT_EQ(history[0].text("user_message"), "질문 s1-1001");
    EXPECT_EQ(history[1].text("user_message"), "질문 s1-1002");
    EXPECT_EQ(history[89].text("user_message"), "질문 s1-1090");
}

// On SQLite, where a page is found by a walk over its neighbours: what stands behind a long text is read page by page.
TEST_P(ConversationsTest, WhatAWalkReadsOfAMessageStandsBeforeItsText)
{
    if (database_->dialect() != sql::Dialect::sqlite)
        GTEST_SKIP() << "PostgreSQL has an index of all messages";
    const auto columns = test::read_now(*database_, [](sql::Connection& c) {
        return c.query("SELECT name, cid FROM pragma_table_info('chat_messages')");
    });
    ASSERT_TRUE(columns) << columns.error().detail();
    std::map<std::string, std::int64_t> place_of;
    for (const auto row : *columns)
        place_of[row.text(0)] = row.integer(1);
    for (const auto* read : {"session_id", "owner_id", "previous", "place", "turn", "created_at"})
        EXPECT_LT(place_of.at(read), place_of.at("content")) << read;
}

TEST_P(ConversationsTest, SeveralRepositoriesShareOneTransaction)
{
    add(session_of("kim", "s1"));
    const auto outcome = database_->run_now([](sql::Connection& c) -> Result<void> {
        if (auto added = Sessions(c).insert(session_of("kim", "s2")); !added)
            return added;
        if (auto summed = Summaries(c).append({"x1", "s1", "kim", "요약", 1, "mock", 5}); !summed)
            return summed;
        return Sessions(c).insert(session_of("kim", "s1"));  // the same id
    });
    EXPECT_EQ(outcome.error().code(), Errc::conflict);
    EXPECT_EQ(from<Sessions>([](Sessions all) { return all.count("kim"); }).value(), 1);
    EXPECT_TRUE(from<Summaries>([](Summaries all) { return all.list("s1", "kim"); })->empty());
}

INSTANTIATE_TEST_SUITE_P(Drivers, ConversationsTest, testing::ValuesIn(test::all_drivers()), test::driver_name);

}  // namespace
}  // namespace dure::store
