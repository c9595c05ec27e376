// The registry: every way a tool call can go wrong is an outcome the model can read.
#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include "dure/base/timeout.hpp"
#include "dure/tools/registry.hpp"
#include "support/run_task.hpp"

namespace dure::tools {
namespace {

using namespace std::chrono_literals;

class FakeTool final : public Tool {
public:
    using Body = std::function<Task<Result<Json>>(const Json&)>;
    FakeTool(std::string name, Body body, std::string unavailable = {})
        : body_(std::move(body)), unavailable_(std::move(unavailable))
    {
        definition_.name = std::move(name);
        definition_.parameters = Json::parse(R"({"type":"object","properties":{"city":{"type":"string"},
            "days":{"type":"integer","minimum":1}},"required":["city"],"additionalProperties":false})");
    }
    model::ToolDefinition& change() { return definition_; }
    const model::ToolDefinition& definition() const override { return definition_; }
    std::string source() const override { return "test"; }
    std::string why_unavailable() const override { return unavailable_; }
    Task<Result<Json>> execute(const Json& arguments, const Caller&, Deadline) override { return body_(arguments); }

private:
    model::ToolDefinition definition_;
    Body body_;
    std::string unavailable_;
};

FakeTool::Body answers(Json value)
{
    return [value](const Json&) -> Task<Result<Json>> { co_return value; };
}

class RegistryTest : public ::testing::Test {
protected:
    RegistryTest()
    {
        settings_.timeout = config::Milliseconds(30);
        caller_.may_execute = true;
    }
    Registry& registry()
    {
        if (!registry_)
            registry_.emplace(logger_, settings_);
        return *registry_;
    }
    void add(std::string name, FakeTool::Body body, std::string unavailable = {})
    {
        registry().add(std::make_unique<FakeTool>(std::move(name), std::move(body), std::move(unavailable)));
    }
    Outcome call(std::string_view name, std::string_view arguments = R"({"city":"서울"})")
    {
        Outcome outcome;
        dure::test::run([&]() -> Task<void> { outcome = co_await registry().execute(name, arguments, caller_); });
        return outcome;
    }

    Logger logger_{[] {
        Logger::Options options;
        options.level = LogLevel::error;
        options.file = "/dev/null";
        return options;
    }()};
    config::Tools settings_;
    Caller caller_;
    std::optional<Registry> registry_;
};

TEST_F(RegistryTest, RunsAToolWithCheckedArguments)
{
    add("echo", [](const Json& arguments) -> Task<Result<Json>> { co_return arguments; });
    const auto outcome = call("echo", R"({"city":"서울","days":2})");
    EXPECT_TRUE(outcome.success);
    EXPECT_EQ(outcome.result["city"], "서울");
    EXPECT_EQ(outcome.text(), R"({"city":"서울","days":2})");
    EXPECT_FALSE(outcome.cached);
}

TEST_F(RegistryTest, TextResultsAreToldAsTheyAreAndFailuresAsErrors)
{
    add("text", answers("맑음"));
    EXPECT_EQ(call("text").text(), "맑음");
    add("fails", [](const Json&) -> Task<Result<Json>> { co_return Error(Errc::unavailable, "The service is down."); });
    EXPECT_EQ(call("fails").text(), "Error: The service is down.");
}

TEST_F(RegistryTest, RefusesArgumentsAndNamesTheField)
{
    bool ran = false;
    add("weather", [&ran](const Json&) -> Task<Result<Json>> {
        ran = true;
        co_return Json();
    });
    std::string deep = R"({"city":)" + std::string(100, '[') + std::string(100, ']') + "}";
    struct Case {
        std::string arguments;
        const char* named;
    };
    const Case cases[] = {
        {"", "city"},
        {"{}", "city"},
        {R"({"city":1})", "'city'"},
        {R"({"city":"a","days":0})", "'days'"},
        {R"({"city":"a","days":1.5})", "'days'"},
        {R"({"city":"a","mood":1})", "mood"},
        {R"({"city":"a")", "not valid JSON"},
        {R"({"city":"a"}{"city":"b"})", "not valid JSON"},
        {"{'city':'a'}", "not valid JSON"},
        {"[1]", "object"},
        {"null", "object"},
        {"\"text\"", "object"},
        {"{\"city\":\"\xff\"}", "not valid JSON"},
        {deep, "not valid JSON"},
        {R"({"city":")" + std::string(1024 * 1024, 'a') + R"("})", "1 MiB"},
    };
    for (const auto& one : cases) {
        const auto outcome = call("weather", one.arguments);
        EXPECT_FALSE(outcome.success) << one.arguments.substr(0, 60);
        EXPECT_NE(outcome.error.find(one.named), std::string::npos) << outcome.error;
    }
    EXPECT_FALSE(ran);
}

TEST_F(RegistryTest, UnknownForbiddenAndUnavailableToolsAreOutcomes)
{
    add("known", answers(1));
    add("bare", answers(1), "it has no address");
    EXPECT_NE(call("other").error.find("'other'"), std::string::npos);
    EXPECT_NE(call("bare").error.find("it has no address"), std::string::npos);
    caller_.may_execute = false;
    EXPECT_NE(call("known").error.find("not allowed"), std::string::npos);
}

TEST_F(RegistryTest, SlowAndThrowingToolsAreOutcomes)
{
    bool cancelled = false;
    add("slow", [&cancelled](const Json&) -> Task<Result<Json>> {
        try {
            co_await sleep_for(60s);
        } catch (const boost::system::system_error&) {
            cancelled = true;
            throw;
        }
        co_return Json();
    });
    const auto slow = call("slow");
    EXPECT_NE(slow.error.find("in time"), std::string::npos);
    EXPECT_GE(slow.duration_ms, 25);
    EXPECT_TRUE(cancelled);

    add("throws", [](const Json&) -> Task<Result<Json>> {
        throw std::runtime_error("secret inside");
        co_return Json();
    });
    const auto began = Steady::now();
    EXPECT_EQ(call("throws").error, "The tool failed.");
    EXPECT_LT(Steady::now() - began, 25ms);
}

TEST_F(RegistryTest, CutsTooLargeResultsAndSaysSo)
{
    const std::string limit(256 * 1024, 'x');
    add("fits", answers(limit));
    EXPECT_EQ(call("fits").text(), limit);
    add("large", answers(limit + "y"));
    const auto large = call("large");
    EXPECT_TRUE(large.success);
    EXPECT_TRUE(large.text().starts_with(limit + "\n[cut: "));
    EXPECT_NE(large.text().find("262145 bytes"), std::string::npos);
    add("list", answers(Json::array({limit})));
    EXPECT_TRUE(call("list").result.is_string());   // no longer a document
    std::string korean(1, 'x');
    while (korean.size() <= limit.size())
        korean += "가";
    add("korean", answers(korean));
    EXPECT_EQ(call("korean").text().find("\xef\xbf\xbd"), std::string::npos);   // not cut inside of a character
}

TEST_F(RegistryTest, CancellingTheCallerCancelsTheTool)
{
    settings_.timeout = config::Milliseconds(60000);
    add("slow", [](const Json&) -> Task<Result<Json>> {
        co_await sleep_for(60s);
        co_return Json();
    });
    boost::asio::io_context loop(1);
    boost::asio::cancellation_signal signal;
    bool aborted = false;
    boost::asio::co_spawn(loop, registry().execute("slow", R"({"city":"a"})", caller_),
                          boost::asio::bind_cancellation_slot(
                              signal.slot(), [&](std::exception_ptr error, Outcome) { aborted = error != nullptr; }));
    boost::asio::steady_timer timer(loop, 5ms);
    timer.async_wait([&](boost::system::error_code) { signal.emit(boost::asio::cancellation_type::terminal); });
    const auto began = Steady::now();
    loop.run();
    EXPECT_TRUE(aborted);
    EXPECT_LT(Steady::now() - began, 100ms);
}

TEST_F(RegistryTest, KeepsToolsInTheOrderTheyWereAdded)
{
    add("zeta", answers(1));
    add("bare", answers(1), "no key");
    add("alpha", answers(1));
    const auto all = registry().all();
    ASSERT_EQ(all.size(), 3u);
    EXPECT_EQ(all[0]->definition().name, "zeta");
    EXPECT_EQ(all[1]->definition().name, "bare");
    EXPECT_EQ(all[1]->why_unavailable(), "no key");
    EXPECT_EQ(all[2]->definition().name, "alpha");
    EXPECT_NE(registry().find("bare"), nullptr);
    EXPECT_EQ(registry().find("gone"), nullptr);
}

TEST_F(RegistryTest, ATakenNameOrABrokenSchemaIsRefusedAtStart)
{
    add("one", answers(1));
    EXPECT_THROW(add("one", answers(1)), InvariantBroken);
    EXPECT_THROW(add("", answers(1)), InvariantBroken);
    auto broken = std::make_unique<FakeTool>("broken", answers(1));
    broken->change().parameters = Json::parse(R"({"type": 5})");
    EXPECT_THROW(registry().add(std::move(broken)), InvariantBroken);
}

TEST_F(RegistryTest, TheCalculatorAnswersThroughIt)
{
    registry().add(make_calculator());
    EXPECT_EQ(call("calculator", R"x({"expression":"12 * (3 + 4)"})x").text(),
              R"x({"expression":"12 * (3 + 4)","result":84})x");
    EXPECT_EQ(call("calculator", R"({"expression":"1/0"})").text(), "Error: Division by zero.");
    EXPECT_NE(call("calculator", R"({"expr":"1"})").error.find("expression"), std::string::npos);
}

}  // namespace
}  // namespace dure::tools
