// tool_selector: of many tools the nearest to the question are offered to the model, and only what the caller may use.
#include "agents/fixture.hpp"

namespace dure::agents::test {
namespace select_test {

class NamedTool final : public tools::Tool {
public:
    NamedTool(std::string name, std::string description, std::string needs = {}) : needs_(std::move(needs))
    {
        definition_.name = std::move(name);
        definition_.description = std::move(description);
        definition_.parameters = Json{{"type", "object"}};
    }
    const model::ToolDefinition& definition() const override { return definition_; }
    std::string source() const override { return "test"; }
    std::string permission() const override { return needs_; }
    Task<Result<Json>> execute(const Json&, const tools::Caller&, Deadline) override { co_return Json("done"); }

private:
    model::ToolDefinition definition_;
    std::string needs_;
};

class ToolSelector : public AgentTest {
protected:
    // The calculator and seven others; two are offered at once.
    void use_many_tools()
    {
        settings.agent.tools_top_k = 2;
        settings.agent.strategy = "chat";
        agents();
        const std::pair<const char*, const char*> tools[] = {{"forecast", "Weather forecast for a city"},
                                                             {"rates", "환율 조회"},
                                                             {"send_mail", "Send an e-mail"},
                                                             {"translate", "텍스트를 번역합니다"},
                                                             {"stocks", "Latest price of a listed company"},
                                                             {"headlines", "Top news headlines"},
                                                             {"find_recipe", "Find cooking recipes by the dish"}};
        for (const auto& [name, description] : tools)
            registry().add(std::make_unique<NamedTool>(name, description));
    }
    Names offered_for(const std::string& question)
    {
        upstream.enqueue(turn({"good"}));
        const auto before = upstream.requests().size();
        EXPECT_TRUE(ask(question));
        return tools_offered(before);
    }
};

TEST_F(ToolSelector, OffersTheNearestOfManyTools)
{
    use_many_tools();
    const std::pair<const char*, const char*> cases[] = {
        {"내일 부산에 비가 오려나", "forecast"},
        {"이 계약서 조항을 전부 영어로 번역해서 정리해 줘", "translate"},
        {"What are the top stories in the papers this morning?", "headlines"}};
    for (const auto& [question, tool] : cases) {
        request.messages.clear();
        const auto offered = offered_for(question);
        ASSERT_EQ(offered.size(), 2u) << question;
        EXPECT_EQ(offered.front(), tool) << question;
    }
}

TEST_F(ToolSelector, AShortQuestionLeansOnTheOneBefore)
{
    use_many_tools();
    offered_for("내일 서울에 비가 오려나");
    request.messages.push_back(message(model::Role::assistant, "아니요."));
    EXPECT_EQ(offered_for("그럼 부산은?").front(), "forecast");
}

TEST_F(ToolSelector, AToolOfTheClientTakesThePlaceOfOneOfTheSameName)
{
    use_many_tools();
    request.client_tools.push_back(client_tool("forecast"));
    const auto offered = offered_for("내일 부산에 비가 오려나");
    EXPECT_EQ(std::count(offered.begin(), offered.end(), "forecast"), 1);   // the client's
    EXPECT_EQ(offered.size(), 3u);
}

TEST_F(ToolSelector, ToolsTheCallerMayNotUseAreNotOffered)
{
    agents();
    registry().add(std::make_unique<NamedTool>("closed", "Weather forecast", "tools:manage"));
    EXPECT_EQ(offered_for("weather"), Names{"calculator"});
    caller.permissions = {"tools:manage"};
    EXPECT_EQ(offered_for("weather"), (Names{"calculator", "closed"}));
}

}  // namespace select_test
}  // namespace dure::agents::test
