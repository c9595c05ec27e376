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
    void say(const std::string& session, const std::string& id, std::int64_t turn, UnixMillis at)
    {
        const auto message = message_in(session, id, turn, at);
        const auto added = in<Messages>([&](Messages all) { return all.append_turn(nullptr, message, {"", "mock"}); });
        ASSERT_TRUE(added) << added.error().detail();
    }
    static model::ChatMessage message_in(const std::string& session, const std::string& id, std::int64_t turn,
                                         UnixMillis at, const std::string& owner = "kim")
    {
        return {id, session, owner, "user", "안녕 " + id, turn, at, Json{{"status", "complete"}}};
    }
    RecordedTurn turn(const std::string& key, UnixMillis at = 200)
    {
        return in<Sessions>([&](Sessions all) { return all.record_turn("s1", "kim", key, at, at + 1000); })
            .value()
            .turn;
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
        {"record_turn",
         [&](auto& c, auto& id, auto& who) { return code(Sessions(c).record_turn(id, who, "k", 9, 99)); }},
        {"reset",
         [&](auto& c, auto& id, auto& who) { return code(Sessions(c).reset_turns_since_summary(id, who, 1, 9)); }},
        {"set_title", [&](auto& c, auto& id, auto& who) { return code(Sessions(c).set_title(id, who, "x", 9)); }},
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

TEST_P(ConversationsTest, TurnsAreCountedOnceForOneTurnKey)
{
    add(session_of("kim", "s1"));
    EXPECT_EQ(turn("a").turn, 1);
    const auto again = turn("a");
    EXPECT_EQ(again.turn, 1);
    EXPECT_FALSE(again.counted);
    EXPECT_TRUE(turn("b").counted);
    const auto third = turn("");
    EXPECT_EQ(third.turn, 3);
    EXPECT_TRUE(third.summary_due);
    EXPECT_EQ(turn("").turn, 4);
}

TEST_P(ConversationsTest, ASummaryStartsTheCountAgainFromTheTurnItCovers)
{
    add(session_of("kim", "s1"));
    for (const auto* key : {"a", "b", "c", "d"})
        turn(key);
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

TEST_P(ConversationsTest, ATurnMovesTheExpiryAndTheTitleCanChange)
{
    add(session_of("kim", "s1"));
    turn("k", 700);
    ASSERT_TRUE(in<Sessions>([](Sessions all) { return all.set_title("s1", "kim", "새 제목", 800); }));
    const auto found = from<Sessions>([](Sessions all) { return all.find("s1", "kim"); });
    EXPECT_EQ(found->expires_at, 1700);
    EXPECT_EQ(found->updated_at, 800);
    EXPECT_EQ(found->title, "새 제목");
}

TEST_P(ConversationsTest, MessagesAreListedOldestFirstInPages)
{
    add(session_of("kim", "s1"));
    add(session_of("kim", "s2"));
    say("s2", "elsewhere", 1, 1);
    for (int i = 0; i < 5; ++i)
        say("s1", "m" + std::to_string(i), 1 + i, 100 + i / 2);
    const auto first = from<Messages>([](Messages all) { return all.list("s1", "kim", Page{{}, 3}); }).value();
    EXPECT_EQ(ids_of(first), (Ids{"m0", "m1", "m2"}));
    EXPECT_EQ(first[0].content, "안녕 m0");
    EXPECT_EQ(first[0].metadata, (Json{{"status", "complete"}}));
    EXPECT_EQ(first[0].role, "user");
    const Page next{Position{first.back().created_at, first.back().id}, 3};
    EXPECT_EQ(ids_of(from<Messages>([&](Messages all) { return all.list("s1", "kim", next); }).value()),
              (Ids{"m3", "m4"}));
}

TEST_P(ConversationsTest, TheNewestMessagesComeInTheOrderTheyWereSaid)
{
    add(session_of("kim", "s1"));
    for (int i = 0; i < 5; ++i)
        say("s1", "m" + std::to_string(i), 1 + i, 100 + i);
    const auto newest = [this](std::int64_t count, std::int64_t after) {
        return ids_of(from<Messages>([&](Messages all) { return all.newest("s1", "kim", count, after); }).value());
    };
    EXPECT_EQ(newest(2, 0), (Ids{"m3", "m4"}));
    EXPECT_EQ(newest(100, 3), (Ids{"m3", "m4"}));
    EXPECT_EQ(newest(0, 0), Ids{});
    EXPECT_EQ(newest(-1, 0), Ids{});
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
    auto question = message_in("s1", "m1", 1, 100);
    question.content = "12 * 7?";
    auto answer = message_in("s1", "m2", 1, 100);
    answer.role = "assistant";
    answer.content = "84";
    answer.metadata = {{"status", "cut"},
                       {"note", std::string("a\0b", 3)},
                       {"tools_used", Json::array({Json{{"name", "calculator"}, {"result", std::string("x\0", 2)}}})}};
    auto again = message_in("s1", "m3", 1, 200);   // the question was changed
    again.role = "assistant";
    again.content = "91";
    ASSERT_TRUE(in<Messages>([&](Messages all) {
        return all.append_turn(&question, answer, {"12 * 7?", "mock", 42, 1500, dump(answer.metadata["tools_used"])});
    }));
    ASSERT_TRUE(
        in<Messages>([&](Messages all) { return all.append_turn(nullptr, again, {"13 * 7?", "other", 0, 0}); }));
    ASSERT_EQ(from<Messages>([](Messages all) { return all.list("s1", "kim", {}); })->size(), 3u);
    const auto found = turns_of("s1");
    ASSERT_EQ(found.size(), 2u);
    EXPECT_EQ(found[0].text("id"), "m2");
    EXPECT_EQ(found[0].text("user_message"), "12 * 7?");
    EXPECT_EQ(found[0].text("assistant_message"), "84");
    EXPECT_EQ(Json::parse(found[0].text("tools_used")), answer.metadata["tools_used"]);
    EXPECT_EQ(found[0].text("model_used"), "mock");
    EXPECT_EQ(found[0].integer("tokens_used"), 42);
    EXPECT_EQ(found[0].integer("cost_nano"), 1500);
    EXPECT_EQ(Json::parse(found[0].text("metadata")), answer.metadata);
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
    for (std::size_t i = 0; i < kibibytes.size(); ++i) {
        auto message = message_in("s1", "m" + std::to_string(i), 1, 100 + static_cast<std::int64_t>(i));
        message.content.assign(kibibytes[i] * 1024, static_cast<char>('a' + i));
        ASSERT_TRUE(in<Messages>([&](Messages all) { return all.append_turn(nullptr, message, {"", "mock"}); }));
    }
    std::vector<Ids> pages;
    std::vector<bool> cut;
    for (Page page{.after = {}, .limit = 100}; pages.empty() || cut.back();) {
        const auto part = from<Messages>([&](Messages all) { return all.list("s1", "kim", page); }).value();
        ASSERT_FALSE(part.empty());
        pages.push_back(ids_of(part));
        cut.push_back(part.cut);
        for (const auto& message : part) {
            const auto number = static_cast<std::size_t>(message.id[1] - '0');
            EXPECT_EQ(message.content, std::string(kibibytes[number] * 1024, static_cast<char>('a' + number)));
        }
        page.after = Position{part.back().created_at, part.back().id};
    }
    EXPECT_EQ(pages, (std::vector<Ids>{{"m0", "m1", "m2"}, {"m3"}, {"m4", "m5"}, {"m6", "m7"}}));
    EXPECT_FALSE(from<Messages>([](Messages all) { return all.list("s1", "kim", Page{{}, 2}); })->cut);
}

TEST_P(ConversationsTest, ALongSessionIsReadInPagesOfAnySize)
{
    constexpr std::int64_t turns = 90;
    add(session_of("kim", "s1"));
    add(session_of("kim", "s2"));
    const auto stored = database_->run_now([](sql::Connection& c) -> Result<void> {
        for (std::int64_t turn = 1; turn <= turns; ++turn)
            for (const std::string session : {"s1", "s2"}) {
                const auto name = std::to_string(1000 + turn);
                const auto question = message_in(session, session + "-" + name + "-a", turn, turn);
                auto answer = message_in(session, session + "-" + name + "-b", turn, turn);
                answer.role = "assistant";
                const bool again = turn == 1 || turn == 40;
                if (auto done = Messages(c).append_turn(again ? nullptr : &question, answer, {"asked", "mock"}); !done)
                    return done;
            }
        return {};
    });
    ASSERT_TRUE(stored) << stored.error().detail();
    Ids all;
    for (std::int64_t turn = 1; turn <= turns; ++turn)
        for (const auto* part : {"a", "b"})
            if (part[0] == 'b' || (turn != 1 && turn != 40))
                all.push_back("s1-" + std::to_string(1000 + turn) + "-" + part);
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
    EXPECT_EQ(from<Messages>([](Messages messages) { return messages.newest("s1", "kim", 100, 85); })->size(), 10u);
    const auto history = turns_of("s1");
    ASSERT_EQ(history.size(), 90u);
    EXPECT_EQ(history[0].text("user_message"), "asked");
    EXPECT_EQ(history[1].text("user_message"), "안녕 s1-1002-a");
    EXPECT_EQ(history[89].text("user_message"), "안녕 s1-1090-a");
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
        if (auto counted = Sessions(c).record_turn("s1", "kim", "a", 5, 99); !counted)
            return counted.error();
        if (auto said = Messages(c).append_turn(nullptr, message_in("s1", "m1", 1, 5), {"", "mock"}); !said)
            return said;
        return Sessions(c).insert(session_of("kim", "s1"));  // the same id
    });
    EXPECT_EQ(outcome.error().code(), Errc::conflict);
    EXPECT_EQ(from<Sessions>([](Sessions all) { return all.find("s1", "kim"); })->conversation_turns, 0);
    EXPECT_TRUE(from<Messages>([](Messages all) { return all.list("s1", "kim", {}); })->empty());
}

INSTANTIATE_TEST_SUITE_P(Drivers, ConversationsTest, testing::ValuesIn(test::all_drivers()), test::driver_name);

}  // namespace
}  // namespace dure::store
