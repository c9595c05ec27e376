// SessionService on a real SQLite file: turns, memory, summaries, ownership, rebuilding.
#include "dure/events/service.hpp"
#include "sessions/service_fixture.hpp"
#include "support/run_task.hpp"

namespace dure::sessions {
namespace {

TEST_F(SessionServiceTest, RemembersTurnsAndSaysWhenASummaryIsDue)
{
    test::run([&]() -> Task<void> {
        const auto session = (co_await service->create("u1", {"제목", ""})).value();
        EXPECT_EQ(session.expires_at - session.created_at, 3'600'000);
        for (int i = 1; i <= 3; ++i) {
            clock.step(std::chrono::seconds(1));
            const auto recorded =
                (co_await service->record_turn(turn(session, "질문 " + std::to_string(i), "답"))).value();
            EXPECT_EQ(recorded.turn, i);
            EXPECT_EQ(recorded.summary_due, i == 3);
        }
        const auto live = (co_await service->conversation("u1", session.id)).value();
        EXPECT_EQ(live.messages.size(), 6u);
        EXPECT_EQ(live.messages.front().content, "질문 1");
        EXPECT_EQ(live.session.turns_since_summary, 3);

        EXPECT_TRUE(co_await service->add_summary("u1", session.id, "요약", 3, "mock"));
        EXPECT_TRUE(co_await service->add_summary("u1", session.id, "of another replica", 3, "mock"));
        EXPECT_TRUE(co_await service->add_summary("u1", session.id, "older", 2, "mock"));
        const auto after = (co_await service->conversation("u1", session.id)).value();
        EXPECT_EQ(after.summary, "요약");
        EXPECT_TRUE(after.messages.empty());
        EXPECT_EQ(after.session.turns_since_summary, 0);
        EXPECT_EQ(after.session.conversation_turns, 3);
        const auto history = (co_await service->history("u1", session.id, {})).value();
        EXPECT_EQ(history.messages.size(), 6u);
        EXPECT_EQ(history.summaries.size(), 1u);
    });
}

TEST_F(SessionServiceTest, AnEarlierTurnIsKnownAgainAlsoByTheNextProcess)
{
    test::run([&]() -> Task<void> {
        const auto id = (co_await service->id_for_client_chat("u1", "chat-1", "m")).value();
        const auto session = (co_await service->find("u1", id)).value();
        const auto said = [&](const std::string& key) -> Task<std::int64_t> {
            co_return (co_await service->record_turn(turn(session, "질문 " + key, "답", key))).value().turn;
        };
        EXPECT_EQ(co_await said("one"), 1);
        EXPECT_EQ(co_await said("two"), 2);
        EXPECT_EQ(co_await said("one"), 1);
        EXPECT_EQ(co_await said("two"), 2);
        service = std::make_unique<SessionService>(*database, *journal, in_process_sessions(clock, settings.ttl),
                                                   settings, clock);
        EXPECT_EQ(co_await said("one"), 1);
        EXPECT_EQ(co_await said("three"), 3);
        EXPECT_EQ(co_await said("two"), 2);
        EXPECT_EQ((co_await service->find("u1", id)).value().conversation_turns, 3);
        const auto history = (co_await service->history("u1", id, {})).value();
        EXPECT_EQ(history.messages.size(), 10u);   // three questions, seven answers
        EXPECT_EQ((co_await service->conversation("u1", id)).value().session.conversation_turns, 3);
    });
}

// Branches of one conversation that end at the same time: all three ask what is known before one of them is stored.
TEST_F(SessionServiceTest, ATurnOfSeveralAtTheSameTimeIsCountedOnce)
{
    test::run([&]() -> Task<void> {
        const auto session = (co_await service->for_client_chat("u1", "chat", "mock")).value();
        EXPECT_EQ((co_await service->record_turn(turn(session, "the first question", "answer", "a0"))).value().turn, 1);
        const auto core = co_await boost::asio::this_coro::executor;
        std::vector<Task<Result<RecordedTurn>>> recording;
        for (const auto* key : {"a1", "a2", "a1"})
            recording.push_back(service->record_turn(turn(session, "question", "answer", key)));
        std::vector<std::int64_t> turns;
        std::function<void(std::exception_ptr, Result<RecordedTurn>)> done =
            [&](std::exception_ptr, Result<RecordedTurn> recorded) { turns.push_back(recorded.value().turn); };
        for (auto& one : recording)
            boost::asio::co_spawn(core, std::move(one), done);
        while (turns.size() < recording.size())
            co_await boost::asio::post(core, boost::asio::use_awaitable);
        EXPECT_EQ(turns, (std::vector<std::int64_t>{2, 3, 2}));
        const auto now = (co_await service->find("u1", session.id)).value();
        EXPECT_EQ(now.conversation_turns, 3);
    });
}

TEST_F(SessionServiceTest, AnAnswerMadeAnewStandsBehindItsOwnQuestion)
{
    test::run([&]() -> Task<void> {
        const auto session = (co_await service->create("u1", {"", ""})).value();
        for (const auto* said : {"one", "two", "one again"})
            EXPECT_TRUE(co_await service->record_turn(
                turn(session, said, "answer to " + std::string(said), std::string(said).substr(0, 3))));
        const auto texts = [](const LiveSession& live) {
            std::vector<std::string> all;
            for (const auto& message : live.messages)
                all.push_back(message.content);
            return all;
        };
        const std::vector<std::string> expected{"one", "answer to one", "answer to one again", "two", "answer to two"};
        const auto live = (co_await service->conversation("u1", session.id)).value();
        EXPECT_EQ(texts(live), expected);
        EXPECT_EQ(texts((co_await service->since_summary(live, 1 << 20)).value()), expected);
        auto empty = live;
        empty.messages.clear();
        EXPECT_EQ(texts((co_await service->since_summary(empty, 1 << 20)).value()), expected);
    });
}

TEST_F(SessionServiceTest, ARemovedSessionIsNotKnownByItsChatAnyMore)
{
    test::run([&]() -> Task<void> {
        const auto id = (co_await service->id_for_client_chat("u1", "chat-1", "m")).value();
        EXPECT_EQ((co_await service->id_for_client_chat("u1", "chat-1", "m")).value(), id);
        EXPECT_NE((co_await service->id_for_client_chat("u2", "chat-1", "m")).value(), id);
        EXPECT_EQ((co_await service->for_client_chat("u1", "chat-1", "m")).value().id, id);
        EXPECT_TRUE(co_await service->remove("u1", id));
        const auto next = (co_await service->id_for_client_chat("u1", "chat-1", "m")).value();
        EXPECT_NE(next, id);
        EXPECT_TRUE(co_await service->find("u1", next));
    });
}

TEST(ChatIds, WhatWasReadBeforeARemovalDoesNotEnter)
{
    ChatIds ids;
    const auto asked_at = ids.generation();
    ids.forget_all();
    ids.keep("u1\nchat", "old", asked_at);
    EXPECT_FALSE(ids.find("u1\nchat").has_value());
    ids.keep("u1\nchat", "new", ids.generation());
    EXPECT_EQ(ids.find("u1\nchat"), "new");
}

TEST_F(SessionServiceTest, WhatBelongsToATurnIsStoredWithItOrNotAtAll)
{
    test::run([&]() -> Task<void> {
        const auto session = (co_await service->create("u1", {})).value();
        auto record = turn(session, "q", "a");
        record.also = [](sql::Connection&) -> Result<void> { return Error(Errc::conflict, "no").reason("LEASE_LOST"); };
        EXPECT_EQ((co_await service->record_turn(record)).error().reason(), "LEASE_LOST");
        EXPECT_EQ((co_await service->find("u1", session.id)).value().conversation_turns, 0);
        EXPECT_TRUE((co_await service->history("u1", session.id, {})).value().messages.empty());
        record.also = [](sql::Connection&) -> Result<void> { return {}; };
        EXPECT_EQ((co_await service->record_turn(record)).value().turn, 1);
    });
}

TEST_F(SessionServiceTest, TheSameTurnAgainIsNotCountedAndKeepsItsQuestionOnce)
{
    test::run([&]() -> Task<void> {
        const auto session = (co_await service->for_client_chat("u1", "chat-1", "coe-agent-v1")).value();
        EXPECT_EQ((co_await service->for_client_chat("u1", "chat-1", "x")).value().id, session.id);
        EXPECT_NE((co_await service->for_client_chat("u2", "chat-1", "x")).value().id, session.id);
        EXPECT_EQ((co_await service->record_turn(turn(session, "q", "calls a tool", "k1"))).value().turn, 1);
        EXPECT_EQ((co_await service->record_turn(turn(session, "q", "answer", "k1"))).value().turn, 1);
        EXPECT_EQ((co_await service->record_turn(turn(session, "q2", "answer", "k2"))).value().turn, 2);
        const auto history = (co_await service->history("u1", session.id, {})).value();
        EXPECT_EQ(history.messages.size(), 5u);
    });
}

TEST_F(SessionServiceTest, AnAnswerWithACharacterThatCannotBeStoredIsStoredWithoutIt)
{
    test::run([&]() -> Task<void> {
        const std::string said("a\0b", 3);
        const auto session = (co_await service->create("u1", {})).value();
        EXPECT_TRUE(co_await service->record_turn(turn(session, "q", said)));
        EXPECT_TRUE(co_await service->add_summary("u1", session.id, said, 1, "mock"));
        const auto history = (co_await service->history("u1", session.id, {})).value();
        EXPECT_EQ(history.messages.back().content, "a\uFFFDb");
        EXPECT_EQ(history.summaries.back().content, "a\uFFFDb");
    });
}

TEST_F(SessionServiceTest, ACutAnswerIsMarked)
{
    test::run([&]() -> Task<void> {
        const auto session = (co_await service->create("u1", {})).value();
        auto record = turn(session, "q", "half an ans");
        record.cut = true;
        EXPECT_TRUE(co_await service->record_turn(record));
        const auto history = (co_await service->history("u1", session.id, {})).value();
        EXPECT_EQ(history.messages.back().metadata["status"], "cut");
        EXPECT_EQ(history.messages.back().content, "half an ans");
    });
}

TEST_F(SessionServiceTest, AnAnswersMetadataSayTheSameInTheStoreAndInTheLiveCopy)
{
    test::run([&]() -> Task<void> {
        const auto session = (co_await service->create("u1", {})).value();
        const auto stored = [&](sessions::TurnRecord record) -> Task<Json> {
            EXPECT_TRUE(co_await service->record_turn(std::move(record)));
            auto history = (co_await service->history("u1", session.id, {})).value();
            const auto live = (co_await service->conversation("u1", session.id)).value();
            EXPECT_EQ(live.messages.back().metadata, history.messages.back().metadata);
            EXPECT_EQ(history.messages[history.messages.size() - 2].metadata, Json::object());
            co_return std::move(history.messages.back().metadata);
        };
        auto record = turn(session, "q", "a");
        record.model = "mock \"1\"";
        EXPECT_EQ(co_await stored(record), (Json{{"model", "mock \"1\""}, {"status", "complete"}}));
        record.request_id = "r1";
        record.finish_reason = "끝\n";
        record.cut = true;
        EXPECT_EQ(co_await stored(record),
                  (Json{{"model", "mock \"1\""}, {"status", "cut"}, {"request_id", "r1"}, {"finish_reason", "끝\n"}}));
        record.metadata = Json{{"tool_calls", {1, 2}}};
        record.totals.tools_used = Json::array({Json{{"name", "calculator"}}});
        EXPECT_EQ(co_await stored(record), (Json{{"model", "mock \"1\""},
                                                 {"status", "cut"},
                                                 {"request_id", "r1"},
                                                 {"finish_reason", "끝\n"},
                                                 {"tool_calls", {1, 2}},
                                                 {"tools_used", Json::array({Json{{"name", "calculator"}}})}}));
    });
}

TEST_F(SessionServiceTest, IsRebuiltFromSqlWhenItsHourIsOver)
{
    test::run([&]() -> Task<void> {
        const auto session = (co_await service->create("u1", {})).value();
        EXPECT_TRUE(co_await service->record_turn(turn(session, "q", "a")));
        clock.step(std::chrono::hours(2));
        const auto live = (co_await service->conversation("u1", session.id)).value();
        EXPECT_EQ(live.messages.size(), 2u);
        EXPECT_EQ(live.session.conversation_turns, 1);
    });
}

TEST_F(SessionServiceTest, SomebodyElsesSessionIsNotThere)
{
    test::run([&]() -> Task<void> {
        const auto session = (co_await service->create("u1", {})).value();
        EXPECT_EQ((co_await service->find("u2", session.id)).error().code(), Errc::not_found);
        EXPECT_EQ((co_await service->conversation("u2", session.id)).error().code(), Errc::not_found);
        EXPECT_EQ((co_await service->history("u2", session.id, {})).error().code(), Errc::not_found);
        auto foreign = turn(session, "q", "a");
        foreign.owner_id = "u2";
        EXPECT_EQ((co_await service->record_turn(foreign)).error().code(), Errc::not_found);
        EXPECT_EQ((co_await service->remove("u2", session.id)).error().code(), Errc::not_found);
        EXPECT_TRUE(co_await service->remove("u1", session.id));
        EXPECT_EQ((co_await service->conversation("u1", session.id)).error().code(), Errc::not_found);
    });
}

TEST_F(SessionServiceTest, EveryChangeIsAnEventOfTheSession)
{
    test::run([&]() -> Task<void> {
        const model::Actor by{"u1", "k1", "r1", "203.0.113.9"};
        const auto session = (co_await service->create("u1", {"제목", "mock"}, by)).value();
        auto record = turn(session, "a secret question", "a secret answer");
        record.by = by;
        record.totals.tokens_used = 12;
        record.totals.tools_used = {{{"name", "calculator"},
                                     {"arguments", "{\"expression\":\"1+1\"}"},
                                     {"success", true},
                                     {"result", "2"},
                                     {"duration_ms", 3}}};
        EXPECT_TRUE(co_await service->record_turn(record));
        record.cut = true;
        EXPECT_TRUE(co_await service->record_turn(record));
        EXPECT_TRUE(co_await service->add_summary("u1", session.id, "a secret summary", 2, "mock"));
        EXPECT_FALSE(co_await service->remove("u2", session.id, {"u2", "", "", ""}));
        EXPECT_TRUE(co_await service->remove("u1", session.id, by));

        events::EventService reader(*database, *bus);
        const auto events = (co_await reader.of_aggregate({"u1", false}, {session.id, "Session"}, {})).value().events;
        std::vector<std::string> types;
        for (const auto& event : events) {
            types.push_back(event.event_type);
            EXPECT_EQ(dump(event.data).find("secret"), std::string::npos);
            EXPECT_EQ(event.owner_id, "u1");
        }
        EXPECT_EQ(types, (std::vector<std::string>{"SessionCreated", "TurnRecorded", "TurnRecorded",
                                                   "SessionSummarised", "SessionDeleted"}));
        EXPECT_EQ(events.front().metadata["request_id"], "r1");
        EXPECT_EQ(events.at(3).user_id, "");   // the server's own doing
        const auto& tool = events.at(1).data.at("last_turn").at("tools").at(0);
        EXPECT_EQ(tool.at("name"), "calculator");
        // printf '{"expression":"1+1"}' | sha256sum
        EXPECT_EQ(tool.at("arguments_sha256"), "b5dc728aec363b174c1105a169127a89409b135594594a749fc67e2c2deecbd8");
        EXPECT_FALSE(tool.contains("result"));

        const auto then =
            co_await reader.replay({"u1", false}, {session.id, {}}, {2, {}}, Deadline::after(std::chrono::seconds(5)));
        EXPECT_EQ(then.value().state.at("conversation_turns"), 1);
        EXPECT_EQ(then.value().state.at("last_turn").at("status"), "complete");
        EXPECT_EQ(then.value().state.at("is_active"), true);
        const auto now =
            co_await reader.replay({"u1", false}, {session.id, {}}, {}, Deadline::after(std::chrono::seconds(5)));
        EXPECT_EQ(now.value().state.at("conversation_turns"), 2);
        EXPECT_EQ(now.value().state.at("last_turn").at("status"), "cut");
        EXPECT_EQ(now.value().state.at("is_active"), false);
    });
}

TEST_F(SessionServiceTest, AReplayShowsASessionsMembersAsTheSessionItselfDoes)
{
    test::run([&]() -> Task<void> {
        NewSession fresh;
        fresh.model = "flow:f";
        fresh.flow_id = "f1";
        const auto session = (co_await service->create("u1", fresh)).value();
        EXPECT_TRUE(co_await service->record_turn(turn(session, "안녕", "네")));
        events::EventService reader(*database, *bus);
        const auto then =
            (co_await reader.replay({"u1", false}, {session.id, {}}, {1, {}}, Deadline::after(std::chrono::seconds(5))))
                .value();
        EXPECT_EQ(then.state, (Json{{"title", nullptr},
                                    {"model", "flow:f"},
                                    {"flow_id", "f1"},
                                    {"client_chat_id", nullptr},
                                    {"created_at", rfc3339(session.created_at)},
                                    {"is_active", true},
                                    {"conversation_turns", 0},
                                    {"max_turns", 3}}));
        const auto now =
            (co_await reader.replay({"u1", false}, {session.id, {}}, {}, Deadline::after(std::chrono::seconds(5))))
                .value();
        EXPECT_EQ(now.state.at("title"), nullptr);
        EXPECT_EQ(now.state.at("conversation_turns"), 1);
    });
}

TEST_F(SessionServiceTest, AClientsChatIsCreatedOnce)
{
    test::run([&]() -> Task<void> {
        const auto session = (co_await service->for_client_chat("u1", "chat-1", "m")).value();
        EXPECT_TRUE(co_await service->for_client_chat("u1", "chat-1", "m"));
        events::EventService reader(*database, *bus);
        const auto events = (co_await reader.of_aggregate({"u1", false}, {session.id, {}}, {})).value().events;
        EXPECT_EQ(events.size(), 1u);
        EXPECT_EQ(events.front().data.at("client_chat_id"), "chat-1");
    });
}

TEST_F(SessionServiceTest, PagesListsByPosition)
{
    test::run([&]() -> Task<void> {
        for (int i = 0; i < 5; ++i) {
            clock.step(std::chrono::milliseconds(1));
            EXPECT_TRUE(co_await service->create("u1", {"s" + std::to_string(i), ""}));
        }
        PageRequest request;
        request.limit = 2;
        std::vector<std::string> titles;
        for (int pages = 0; pages < 4; ++pages) {
            const auto page = (co_await service->list("u1", request)).value();
            for (const auto& session : page.sessions)
                titles.push_back(session.title);
            request.after = page.next;
            if (!page.next)
                break;
        }
        EXPECT_EQ(titles, (std::vector<std::string>{"s4", "s3", "s2", "s1", "s0"}));
    });
}

TEST_F(SessionServiceTest, AHistoryOfLongTurnsGoesOnWhereItsBytesEndedThePage)
{
    test::run([&]() -> Task<void> {
        constexpr std::size_t five_mebibytes = 5 << 20;
        const auto session = (co_await service->create("u1", {"", ""})).value();
        for (const char letter : {'a', 'b', 'c', 'd'})
            EXPECT_TRUE(co_await service->record_turn(turn(session, std::string(five_mebibytes, letter), "답")));
        std::string letters;
        std::size_t messages = 0, pages = 0;
        for (PageRequest request{{}, 100};;) {
            const auto page = (co_await service->history("u1", session.id, request)).value();
            messages += page.messages.size();
            for (const auto& message : page.messages)
                if (message.content.size() == five_mebibytes)
                    letters += message.content.back();
            ++pages;
            if (!page.next)
                break;
            request.after = page.next;
        }
        EXPECT_EQ(letters, "abcd");
        EXPECT_EQ(messages, 8u);
        EXPECT_EQ(pages, 3u);   // a, answer, b | answer, c, answer, d | answer
        const auto live = (co_await service->conversation("u1", session.id)).value();
        EXPECT_EQ(live.messages.size(), 6u) << "rebuilt for each turn";
    });
}

TEST(LiveSessions, SlideTheirTimeAndDropTheLeastUsed)
{
    test::run([]() -> Task<void> {
        StepClock clock;
        auto live = in_process_sessions(clock, std::chrono::seconds(10), 2);
        auto put = [&live](std::string id) -> Task<void> {
            LiveSession session;
            session.session.id = std::move(id);
            co_await live->put(std::move(session));
        };
        co_await put("a");
        co_await put("b");
        clock.step(std::chrono::seconds(6));
        EXPECT_TRUE((co_await live->get("a")).has_value());
        co_await put("c");   // pushes out b, which was used less recently than a
        EXPECT_FALSE((co_await live->get("b")).has_value());
        clock.step(std::chrono::seconds(6));
        EXPECT_TRUE((co_await live->get("a")).has_value());
        clock.step(std::chrono::seconds(11));
        EXPECT_FALSE((co_await live->get("a")).has_value());
    });
}

TEST(LiveSessions, AreBoundedByTheirBytesEachAndTogether)
{
    test::run([]() -> Task<void> {
        StepClock clock;
        auto live = in_process_sessions(clock, std::chrono::hours(1), 100, 1'000'000);
        const auto put = [&live](std::string id, std::size_t content, std::size_t metadata) -> Task<void> {
            LiveSession session;
            session.session.id = std::move(id);
            session.messages.push_back(
                {"user", std::string(content, 'x'), 0, 1, Json{{"tools", {std::string(metadata, 'x')}}}});
            co_await live->put(std::move(session));
        };
        co_await put("a", 400'000, 0);
        co_await put("b", 200'000, 200'000);
        EXPECT_TRUE((co_await live->get("a")).has_value());
        co_await put("c", 300'000, 0);   // pushes out b, which was used less recently than a
        EXPECT_TRUE((co_await live->get("a")).has_value());
        EXPECT_FALSE((co_await live->get("b")).has_value());
        EXPECT_TRUE((co_await live->get("c")).has_value());
        co_await put("c", 2'000'000, 0);   // too large: not what it was before, either
        EXPECT_FALSE((co_await live->get("c")).has_value());
        EXPECT_TRUE((co_await live->get("a")).has_value());
        co_await put("d", 500'000, 0);   // c's place is free
        EXPECT_TRUE((co_await live->get("a")).has_value());
    });
}

TEST(LiveSessions, HaveTheJsonFormOfTheSharedStore)
{
    LiveSession live;
    live.session.id = "s";
    live.session.created_at = 1'700'000'000'123;
    live.messages.push_back({"user", "안녕", 1'700'000'000'123, 1, Json{{"k", 1}}});
    EXPECT_EQ(live.to_json(), OrderedJson::parse(R"({"session_id":"s","created_at":"2023-11-14T22:13:20.123Z",
        "messages":[{"role":"user","content":"안녕","timestamp":"2023-11-14T22:13:20.123Z","metadata":{"k":1}}],
        "context":{"current_tool":null,"last_action":null}})"));
    live.session.conversation_turns = 1;
    live.messages.push_back({"assistant", "84", 1'700'000'000'123, 1,
                             Json{{"tools_used", {{{"name", "search"}}, {{"name", "calculator"}}}}}});
    EXPECT_EQ(live.to_json().at("context"),
              OrderedJson::parse(R"({"current_tool":"calculator","last_action":"answered"})"));
    for (const auto* alien : {R"({"tools_used":[1]})", R"({"tools_used":[{"name":1}]})", "[]", "1"}) {
        live.messages.back().metadata = Json::parse(alien);
        EXPECT_EQ(live.to_json().at("context").at("current_tool"), nullptr) << alien;
    }
    live.session.conversation_turns = 2;
    live.messages.push_back({"user", "고마워", 1'700'000'000'124, 2});
    live.messages.push_back({"assistant", "네", 1'700'000'000'124, 2});
    EXPECT_EQ(live.to_json().at("context"), OrderedJson::parse(R"({"current_tool":null,"last_action":"answered"})"));
}

}  // namespace
}  // namespace dure::sessions
