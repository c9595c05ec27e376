// What a flow says to the user of a chat while it runs: the same as its answer, each thing once.
#include <gtest/gtest.h>

#include "executions/speech.hpp"

namespace dure::executions {

namespace {

flows::Document speech_document(const std::string& nodes, const std::string& edges)
{
    auto reading =
        flows::read_document(R"({"name":"x","flow_type":"agentflow","nodes":[{"id":"start","type":"start"},)" + nodes +
                             R"(],"edges":[)" + edges + "]}");
    EXPECT_FALSE(reading.problems.has_errors());
    return std::move(reading.document);
}

std::string model_node(const std::string& id)
{
    return R"({"id":")" + id + R"(","type":"llm"})";
}

std::string reply_node(const std::string& id, const std::string& text)
{
    return R"(,{"id":")" + id + R"(","type":"reply","data":{"config":{"text":")" + text + R"("}}})";
}

std::string speech_edge(const std::string& source, const std::string& target, const std::string& handle = "out")
{
    return R"({"source":")" + source + R"(","sourceHandle":")" + handle + R"(","target":")" + target + "\"}";
}

struct Told {
    enum { begins, piece, reply, ends } what;
    std::string node, text;
};

std::string said_of(const flows::Document& document, const std::vector<Told>& log, const std::string& whole)
{
    Speech speech(document);
    std::string said;
    for (const auto& [what, node, text] : log)
        switch (what) {
        case Told::begins: speech.begins(node); break;
        case Told::piece: said += speech.piece(node, text); break;
        case Told::reply: said += speech.reply(node, text); break;
        case Told::ends: said += speech.ends(node); break;
        }
    return said + speech.rest_of(whole);
}

const auto handed_on = [] {
    return speech_document(model_node("a") + reply_node("out", "{{nodes.a.text}}"),
                           speech_edge("start", "a") + "," + speech_edge("a", "out"));
};

TEST(Speech, ATextThatAReplyHandsOnIsSaidInPiecesAndOnce)
{
    const std::vector<Told> log{{Told::begins, "a", ""},
                                {Told::piece, "a", "하나 "},
                                {Told::piece, "a", "둘"},
                                {Told::ends, "a", ""},
                                {Told::reply, "out", "하나 둘"}};
    EXPECT_EQ(said_of(handed_on(), log, "하나 둘"), "하나 둘");
    const auto by_its_edge = speech_document(model_node("a") + R"(,{"id":"out","type":"reply"})",
                                             speech_edge("start", "a") + "," + speech_edge("a", "out"));
    EXPECT_EQ(said_of(by_its_edge, log, "하나 둘"), "하나 둘");
}

TEST(Speech, WhatAModelSaidBesideItsAnswerDoesNotMakeTheReplyRepeatIt)
{
    const std::vector<Told> agent{{Told::begins, "a", ""},
                                  {Told::piece, "a", "Let me see. "},
                                  {Told::piece, "a", "\n\nIt is 2.\n"},
                                  {Told::ends, "a", ""},
                                  {Told::reply, "out", "It is 2."}};
    EXPECT_EQ(said_of(handed_on(), agent, "It is 2."), "Let me see. \n\nIt is 2.\n");
    const auto last = speech_document(model_node("a"), speech_edge("start", "a"));
    EXPECT_EQ(said_of(last, {agent.begin(), agent.end() - 1}, "It is 2."), "Let me see. \n\nIt is 2.\n");
}

TEST(Speech, RepliesAreParagraphsAsInTheAnswerOfTheFlow)
{
    const auto document =
        speech_document(model_node("a") + reply_node("first", "hello") + reply_node("out", "{{nodes.a.text}}") +
                            reply_node("again", "{{nodes.a.text}}"),
                        speech_edge("start", "first") + "," + speech_edge("first", "a") + "," +
                            speech_edge("a", "out") + "," + speech_edge("out", "again"));
    const std::vector<Told> log{{Told::reply, "first", "hello"}, {Told::begins, "a", ""}, {Told::piece, "a", "x "},
                                {Told::piece, "a", "y"},         {Told::ends, "a", ""},   {Told::reply, "out", "x y"},
                                {Told::reply, "again", "x y"}};
    EXPECT_EQ(said_of(document, log, "hello\n\nx y\n\nx y"), "hello\n\nx y\n\nx y");
}

TEST(Speech, ATextThatAConditionMayHoldBackIsNotSaidBeforeItsReply)
{
    const auto document = speech_document(
        model_node("a") +
            R"(,{"id":"c","type":"condition","data":{"config":{"cases":[{"id":"bad","all":[{"left":"{{input}}","op":"contains","right":"x"}]}]}}})" +
            reply_node("sorry", "sorry") + reply_node("out", "{{nodes.a.text}}"),
        speech_edge("start", "a") + "," + speech_edge("a", "c") + "," + speech_edge("c", "sorry", "bad") + "," +
            speech_edge("c", "out", "else"));
    const std::vector<Told> log{{Told::begins, "a", ""},
                                {Told::piece, "a", "x secret"},
                                {Told::ends, "a", ""},
                                {Told::reply, "sorry", "sorry"}};
    EXPECT_EQ(said_of(document, log, "sorry"), "sorry");
}

TEST(Speech, NodesThatSpeakAtOnceAreSaidOneAfterTheOther)
{
    const auto document =
        speech_document(model_node("a") + "," + model_node("b") + reply_node("now", "now") +
                            reply_node("oa", "{{nodes.a.text}}") + reply_node("ob", "{{nodes.b.text}}"),
                        speech_edge("start", "a") + "," + speech_edge("start", "b") + "," +
                            speech_edge("start", "now") + "," + speech_edge("a", "oa") + "," + speech_edge("b", "ob"));
    const std::vector<Told> log{{Told::begins, "a", ""},      {Told::begins, "b", ""},     {Told::piece, "a", "A1 "},
                                {Told::piece, "b", "B1 "},    {Told::reply, "now", "now"}, {Told::piece, "a", "A2"},
                                {Told::ends, "a", ""},        {Told::piece, "b", "B2"},    {Told::ends, "b", ""},
                                {Told::reply, "oa", "A1 A2"}, {Told::reply, "ob", "B1 B2"}};
    EXPECT_EQ(said_of(document, log, ""), "A1 A2\n\nnow\n\nB1 B2");
}

TEST(Speech, ANodeThatFailsAfterItSpokeIsFollowedByWhatIsSaidInstead)
{
    const auto document = speech_document(
        R"({"id":"a","type":"llm","data":{"config":{},"policy":{"on_error":"branch"}}})" +
            reply_node("sorry", "sorry") + reply_node("out", "{{nodes.a.text}}"),
        speech_edge("start", "a") + "," + speech_edge("a", "out") + "," + speech_edge("a", "sorry", "error"));
    const std::vector<Told> log{
        {Told::begins, "a", ""}, {Told::piece, "a", "half"}, {Told::ends, "a", ""}, {Told::reply, "sorry", "sorry"}};
    EXPECT_EQ(said_of(document, log, "sorry"), "half\n\nsorry");
}

std::string end_node(const std::string& id, const std::string& outputs)
{
    return R"(,{"id":")" + id + R"(","type":"end","data":{"config":{"outputs":)" + outputs + "}}}";
}

std::set<std::string> streaming_of(const std::string& nodes, const std::string& edges)
{
    return speakers_of(speech_document(nodes, edges)).streaming;
}

using Names = std::set<std::string>;

TEST(Speakers, WhatTheFlowAnswersAtItsEndIsSaidAsItComesWhereItIsOneText)
{
    const auto edges = speech_edge("start", "a") + "," + speech_edge("a", "end");
    EXPECT_EQ(streaming_of(model_node("a") + end_node("end", R"({"answer":"{{nodes.a.text}}"})"), edges), Names{"a"});
    EXPECT_EQ(streaming_of(model_node("a") + R"(,{"id":"end","type":"end"})", edges), Names{"a"});
    for (const auto* other : {R"({"answer":"{{nodes.a.text}}","more":1})", R"({"answer":"So: {{nodes.a.text}}"})",
                              R"({"answer":"{{nodes.a.text|upper}}"})", R"({"answer":1})"})
        EXPECT_EQ(streaming_of(model_node("a") + end_node("end", other), edges), Names{}) << other;
}

TEST(Speakers, OfSeveralEndsThatMayAllBeComeToNoneIsSaidBeforehand)
{
    const auto two = model_node("a") + "," + model_node("b");
    EXPECT_EQ(streaming_of(two, speech_edge("start", "a") + "," + speech_edge("start", "b")), Names{});
    const auto choice = two + R"(,{"id":"c","type":"condition","data":{"config":{"cases":[{"id":"x",
        "all":[{"left":"{{input}}","op":"contains","right":"x"}]}]}}})";
    const auto chosen =
        speech_edge("start", "c") + "," + speech_edge("c", "a", "x") + "," + speech_edge("c", "b", "else");
    EXPECT_EQ(streaming_of(choice, chosen), (Names{"a", "b"}));
    EXPECT_EQ(streaming_of(choice, chosen + "," + speech_edge("start", "b")), Names{}) << "b runs in any case";
    EXPECT_EQ(
        streaming_of(R"({"id":"a","type":"llm","data":{"config":{},"policy":{"on_error":"branch"}}},)" +
                         model_node("b") + "," + model_node("last"),
                     speech_edge("start", "a") + "," + speech_edge("a", "last") + "," + speech_edge("a", "b", "error")),
        (Names{"b", "last"}));
}

TEST(Speakers, WhatIsInAContainerIsNotItsAnswer)
{
    const auto inside = [](const std::string& config) {
        return R"({"id":"box","type":"iteration","data":{"config":)" + config + R"(}},
            {"id":"a","type":"llm","parentId":"box"})";
    };
    const auto edges = speech_edge("start", "box");
    EXPECT_EQ(streaming_of(inside(R"({"items":"{{start.inputs.x}}"})"), edges), Names{});
    const auto reply = R"(,{"id":"out","type":"reply","parentId":"box","data":{"config":{"text":"{{nodes.a.text}}"}}})";
    const auto to_reply = edges + "," + speech_edge("a", "out");
    EXPECT_EQ(streaming_of(inside(R"({"items":"{{start.inputs.x}}"})") + reply, to_reply), Names{"a"});
    EXPECT_EQ(streaming_of(inside(R"({"items":"{{start.inputs.x}}","parallel":3})") + reply, to_reply), Names{})
        << "its items would speak at once";
}

TEST(Speakers, AReplyInBetweenComesFirst)
{
    EXPECT_EQ(
        streaming_of(model_node("a") + reply_node("first", "first") + reply_node("out", "{{nodes.a.text}}"),
                     speech_edge("start", "a") + "," + speech_edge("a", "first") + "," + speech_edge("first", "out")),
        Names{});
}

TEST(Speech, OfAgentsInTurnTheLastOneIsHeardAndRepliesOfSubFlowsAreNot)
{
    auto reading = flows::read_document(
        R"({"name":"x","flow_type":"agentflow","orchestration_type":"sequential","nodes":[{"id":"a","type":"agent"},{"id":"b","type":"agent"}]})");
    const std::vector<Told> log{{Told::piece, "a", "draft"}, {Told::ends, "a", ""}, {Told::reply, "a/inner", "inner"},
                                {Told::piece, "b", "final"}, {Told::ends, "b", ""}, {Told::reply, "reply", "final"}};
    EXPECT_EQ(said_of(reading.document, log, "final"), "final");
}

}  // namespace

}  // namespace dure::executions
