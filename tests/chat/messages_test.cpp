// Reading message lists, recognising turns and background requests, prices.
#include "chat/messages.hpp"

#include <gtest/gtest.h>

#include "chat/agent_call.hpp"
#include "chat/background_tasks.hpp"

namespace dure::chat {
namespace {

using schema::JsonView;

std::string key_of(std::string_view messages, std::string_view id = {})
{
    return newest_user_turn(sent_messages(JsonView(messages)), id).key;
}

constexpr std::string_view one = R"([{"role":"user","content":"안녕"}])";
constexpr std::string_view tool_loop =
    R"([{"role":"user","content":"안녕"},{"role":"assistant","content":"","tool_calls":[{"id":"c","type":"function",
    "function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c","content":"7"}])";
constexpr std::string_view two =
    R"([{"role":"user","content":"안녕"},{"role":"assistant","content":"네"},{"role":"user","content":"또"}])";

TEST(UserTurn, StaysTheSameThroughToolLoopsAndRegeneration)
{
    EXPECT_EQ(key_of(one), key_of(tool_loop));
    EXPECT_NE(key_of(one), key_of(two));
    EXPECT_EQ(newest_user_turn(sent_messages(JsonView(two)), "").text, "또");
    EXPECT_EQ(newest_user_turn(sent_messages(JsonView(two)), "").number, 2);
}

TEST(UserTurn, TheClientsMessageIdNamesItWhenGiven)
{
    EXPECT_EQ(key_of(one, "m1"), key_of(two, "m1"));
    EXPECT_NE(key_of(one, "m1"), key_of(one, "m2"));
    EXPECT_NE(key_of(one, "m1"), key_of(one));
}

TEST(UserTurn, TextsThatRunTogetherAreNotTheSame)
{
    EXPECT_NE(key_of(R"([{"role":"user","content":"ab"},{"role":"user","content":"c"}])"),
              key_of(R"([{"role":"user","content":"a"},{"role":"user","content":"bc"}])"));
}

// A body of 32 MiB may have sixteen million elements: they are not all kept to say that the first is wrong.
TEST(SentMessages, AreReadUntilOneIsNotGood)
{
    std::vector<std::size_t> asked;
    const auto sent = sent_messages(JsonView(R"([{"role":"user"},1,{"role":"user"}])"),
                                    [&](const SentMessage& message, std::size_t index) {
                                        asked.push_back(index);
                                        return message.whole.is_object();
                                    });
    EXPECT_EQ(sent.size(), 2u);
    EXPECT_EQ(asked, (std::vector<std::size_t>{0, 1}));
}

TEST(UserTurn, TakesTheTextOfTheNewestUserMessageWhateverNamesTheTurn)
{
    const auto sent = sent_messages(JsonView(
        R"([{"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}],"role":"user"},7,{"role":"assistant"},
            {"role":"u\u0073er","content":null}])"));
    ASSERT_EQ(sent.size(), 4u);
    EXPECT_EQ(sent[1].whole.raw(), "7");
    EXPECT_FALSE(sent[2].content.is_null()) << "absent";
    for (const std::string_view id : {"", "m1"}) {
        const auto turn = newest_user_turn(sent, id);
        EXPECT_EQ(turn.text, "");
        EXPECT_EQ(turn.number, 2);
    }
    EXPECT_EQ(newest_user_turn(std::span(sent).first(1), "m1").text, "a\nb");
    EXPECT_EQ(newest_user_turn({}, "").number, 0);
}

TEST(Messages, TheFirstTextIsCutWhereACharacterEnds)
{
    std::string room;
    const auto first = [&](const std::string& content, std::size_t bytes) {
        const auto list = R"([{"role":"user","content":)" + content + "},{}]";
        return std::string(first_text(sent_messages(JsonView(list)), bytes, room));
    };
    for (const std::string text :
         {R"("a한글\nb")", R"("a\ud55c글\nb")", R"([{"type":"text","text":"a한글"},{"text":"b"}])"}) {
        EXPECT_EQ(first(text, 4096), "a한글\nb") << text;
        EXPECT_EQ(first(text, 7), "a한글") << text;
        EXPECT_EQ(first(text, 6), "a한") << text;
        EXPECT_EQ(first(text, 0), "") << text;
    }
    EXPECT_EQ(first(R"("")", 9), "");
    EXPECT_EQ(first("null", 9), "");
    EXPECT_EQ(first_text({}, 9, room), "");
}

TEST(Messages, EveryFormThatOccursIsRead)
{
    const auto read = to_messages(JsonView(
        R"([{"role":"developer","content":"d"},
            {"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:x"}},{"type":"text","text":"b"}]},
            {"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]},
            {"role":"tool","tool_call_id":"c1","content":""},
            {"role":"assistant","content":"so far","reasoning_content":"hm"}])"));
    ASSERT_TRUE(read);
    ASSERT_EQ(read->size(), 5u);
    EXPECT_EQ((*read)[0].role, model::Role::system);
    EXPECT_EQ((*read)[1].text(), "a\nb");
    EXPECT_EQ((*read)[2].tool_calls.at(0).arguments, R"({"x":1})");
    EXPECT_EQ((*read)[3].tool_call_id, "c1");
    EXPECT_EQ((*read)[4].role, model::Role::assistant);
}

TEST(Messages, CallsWithoutIdsOrWithArgumentsThatAreNoTextAreCompleted)
{
    const auto read = to_messages(JsonView(
        R"([{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":{"x": "가"}}},{"id":"c7","function":{"name":"g"}},
                                              {"id":"","function":{"name":"h","arguments":null}}]},
            {"role":"tool","content":"1"},{"role":"tool","tool_call_id":"c7","content":"2"},{"role":"tool","content":"3"},
            {"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{}"}}]},{"role":"tool","content":"4"}])"));
    ASSERT_TRUE(read) << read.error().message();
    const auto& calls = (*read)[0].tool_calls;
    EXPECT_EQ(Json::parse(calls.at(0).arguments), (Json{{"x", "가"}}));
    EXPECT_EQ(calls.at(1).arguments, "{}");
    EXPECT_EQ(calls.at(2).arguments, "{}");
    EXPECT_EQ(calls.at(1).id, "c7");
    EXPECT_FALSE(calls.at(0).id.empty());
    EXPECT_NE(calls.at(0).id, calls.at(2).id);
    EXPECT_EQ((*read)[1].tool_call_id, calls.at(0).id);
    EXPECT_EQ((*read)[2].tool_call_id, "c7");
    EXPECT_EQ((*read)[3].tool_call_id, calls.at(2).id);
    EXPECT_EQ((*read)[5].tool_call_id, (*read)[4].tool_calls.at(0).id);
    EXPECT_NE((*read)[4].tool_calls.at(0).id, calls.at(0).id);
}

TEST(Messages, AProblemNamesItsPlace)
{
    struct Case {
        std::string_view text;
        std::string_view param;
    };
    for (const auto& [text, param] :
         {Case{R"([{"role":"king","content":"x"}])", "messages[0].role"},
          Case{R"([{"role":"user","content":"x"},{"role":"user","content":7}])", "messages[1].content"},
          Case{R"([{"role":"assistant","tool_calls":[{"id":"c"}]}])", "messages[0].tool_calls[0].function"},
          Case{R"([{"role":"assistant","tool_calls":[{"id":"c","function":{}}]}])",
               "messages[0].tool_calls[0].function.name"},
          Case{R"([{"role":"assistant","tool_calls":[{"id":"c","function":{"name":"f","arguments":7}}]}])",
               "messages[0].tool_calls[0].function.arguments"},
          Case{R"([{"role":"assistant","tool_calls":{}}])", "messages[0].tool_calls"}, Case{R"([3])", "messages[0]"}}) {
        const auto read = to_messages(JsonView(text));
        ASSERT_FALSE(read) << text;
        EXPECT_EQ(read.error().param(), param);
    }
}

CompletionCall call_with(std::string_view messages)
{
    CompletionCall call;
    call.message_list = JsonView(messages);
    call.messages = sent_messages(call.message_list);
    return call;
}

TEST(BackgroundTasks, TheHeaderCountsFirst)
{
    auto call = call_with(one);
    call.stream = true;
    call.hints.task = "tags_generation";
    EXPECT_EQ(background_task_of(call), "tags_generation");
}

TEST(BackgroundTasks, DefaultTemplatesAreKnownByTheirMarks)
{
    EXPECT_EQ(
        background_task_of(call_with(
            R"([{"role":"user","content":"### Task:\nGenerate a concise, 3-5 word title with an emoji\n<chat_history>x</chat_history>"}])")),
        "title_generation");
    EXPECT_EQ(background_task_of(
                  call_with(R"([{"role":"user","content":"### Task:\nGenerate 1-3 broad tags categorizing"}])")),
              "tags_generation");
    EXPECT_EQ(background_task_of(call_with(
                  R"([{"role":"user","content":"### Task:\nSuggest 3-5 relevant follow-up questions or prompts"}])")),
              "follow_up_generation");
    EXPECT_EQ(background_task_of(call_with(
                  R"([{"role":"system","content":"Available Tools: []"},{"role":"user","content":"History:"}])")),
              "function_calling");
    EXPECT_EQ(background_task_of(call_with(one)), "");
}

TEST(BackgroundTasks, AStreamOrAToolListIsAUsersRequest)
{
    auto call = call_with(R"([{"role":"user","content":"### Task:\nGenerate a concise title"}])");
    call.stream = true;
    EXPECT_EQ(background_task_of(call), "");
    call.stream = false;
    call.tools = JsonView(R"([{"type":"function"}])");
    EXPECT_EQ(background_task_of(call), "");
    call.tools = JsonView("[]");
    EXPECT_EQ(background_task_of(call), "title_generation");
}

TEST(AgentCall, PassesWhatFormsTheAnswerAndRefusesSeveralChoices)
{
    const std::string body = R"({"model":"coe-agent-v1","seed":7,"stop":["x"],"top_k":3,"top_p":null,
        "messages":[{"role":"user","content":"q"}],"tools":[{"type":"function","function":{"name":"f"}}]})";
    auto call = call_with(one);
    call.members = schema::JsonIndex(JsonView(body));
    call.tools = JsonView(R"([{"type":"function","function":{"name":"f"}}])");
    const auto request = agent_request(call);
    ASSERT_TRUE(request);
    EXPECT_EQ(request->extra, OrderedJson::parse(R"({"stop":["x"],"seed":7})"));
    ASSERT_EQ(request->client_tools.size(), 1u);
    EXPECT_EQ(request->client_tools[0].name, "f");
    call.tools = JsonView(
        R"([{"type":"custom","custom":{"name":"c"}},{"type":"web_search"},{"type":"function","function":{"name":"f"}},
        {"type":"function","function":{"name":"g"}}])");
    call.tool_choice = JsonView(R"({"type":"allowed_tools","allowed_tools":{"mode":"required",
        "tools":[{"type":"function","function":{"name":"g"}}]}})");
    const auto allowed = agent_request(call);
    ASSERT_TRUE(allowed) << allowed.error().message();
    ASSERT_EQ(allowed->client_tools.size(), 1u)
        << "a tool that is called with text is not offered, and of the others those allowed";
    EXPECT_EQ(allowed->client_tools[0].name, "g");
    EXPECT_EQ(allowed->tool_choice, "required");
    call.n = 2;
    ASSERT_FALSE(agent_request(call));
    EXPECT_EQ(agent_request(call).error().param(), "n");
}

}  // namespace
}  // namespace dure::chat
