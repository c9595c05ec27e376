// The registry of tools; see registry.hpp. A call goes: known? allowed? available? arguments in order? → run within the
// time limit → result of a bearable size. Whatever goes wrong becomes one sentence for the model; the log has the rest.
#include "dure/tools/registry.hpp"

#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>
#include <unordered_map>

#include "dure/base/text.hpp"
#include "dure/base/timeout.hpp"
#include "dure/schema/json_check.hpp"
#include "dure/schema/json_schema.hpp"

namespace dure::tools {
namespace {

constexpr std::size_t largest_result = 256 * 1024;
constexpr std::size_t largest_arguments = 1024 * 1024;
constexpr std::size_t most_problems_shown = 10;

struct Entry {
    std::unique_ptr<Tool> tool;
    schema::JsonSchema arguments;
};

// What became of a call of Tool::execute: what it throws is an outcome too, not the end of the agent's run.
struct Ran {
    std::optional<Result<Json>> result;
    std::exception_ptr thrown;
};

Task<Ran> run_guarded(Tool& tool, const Json& arguments, const Caller& caller, Deadline deadline)
{
    Ran ran;
    try {
        ran.result.emplace(co_await tool.execute(arguments, caller, deadline));
    } catch (...) {
        ran.thrown = std::current_exception();
    }
    co_return ran;
}

std::string text_of(const std::exception_ptr& thrown)
{
    try {
        std::rethrow_exception(thrown);
    } catch (const std::exception& error) {
        return error.what();
    } catch (...) {
        return "an exception that is no std::exception";
    }
}

std::string shown(const std::vector<FieldProblem>& problems)
{
    std::string text;
    for (std::size_t i = 0; i < problems.size(); ++i) {
        if (i == most_problems_shown)
            return text + " and " + std::to_string(problems.size() - i) + " more problems";
        std::string path;
        for (const auto& part : problems[i].location)
            path += (path.empty() ? "" : ".") + part;
        text += (i == 0 ? "" : "; ") + (path.empty() ? "" : "'" + path + "': ") + problems[i].message;
    }
    return text;
}

// The arguments as the tool gets them, or what is wrong with them.
Result<Json> read_arguments(const Entry& entry, std::string_view text)
{
    const auto wrong = [](std::string problem) { return Error(Errc::invalid_argument, std::move(problem)); };
    if (text.empty())
        text = "{}";   // models leave the arguments of a parameterless tool out
    if (text.size() > largest_arguments)
        return wrong("The arguments are larger than 1 MiB.");
    if (auto checked = schema::check_json(text, schema::JsonLimits()); !checked)
        return wrong("The arguments are not valid JSON: " + checked.error().message());
    auto arguments = Json::parse(text);
    if (!arguments.is_object())
        return wrong("The arguments must be a JSON object.");
    if (const auto problems = entry.arguments.validate(arguments); !problems.empty())
        return wrong("The arguments do not fit the tool: " + shown(problems) + ".");
    return arguments;
}

Outcome failed(std::string problem)
{
    Outcome outcome;
    outcome.error = std::move(problem);
    return outcome;
}

Outcome judged(const Result<Json>& result)
{
    if (!result)
        return failed(result.error().message());
    if (dump(*result).size() > largest_result)
        return failed("The result of the tool is larger than 256 KiB.");
    Outcome outcome;
    outcome.success = true;
    outcome.result = *result;
    return outcome;
}

}  // namespace

struct Registry::State {
    State(Logger& log, const config::Tools& settings) : logger(log), timeout(settings.timeout) {}

    const Entry* find(std::string_view name) const
    {
        const auto at = by_name.find(std::string(name));
        return at == by_name.end() ? nullptr : &entries[at->second];
    }

    Task<Outcome> run(const Entry& entry, const Json& arguments, const Caller& caller);
    void log(std::string_view name, const Outcome& outcome, const Caller& caller);

    Logger& logger;
    Steady::duration timeout;
    std::vector<Entry> entries;
    std::unordered_map<std::string, std::size_t> by_name;
};

std::string Outcome::text() const
{
    if (!success)
        return "Error: " + error;
    return result.is_string() ? result.get<std::string>() : dump(result);
}

Registry::Registry(Logger& logger, const config::Tools& settings) : state_(std::make_unique<State>(logger, settings)) {}
Registry::~Registry() = default;

void Registry::add(std::unique_ptr<Tool> tool)
{
    const auto& definition = tool->definition();
    if (definition.name.empty() || state_->find(definition.name))
        throw InvariantBroken("a tool named '" + definition.name + "' is there already, or it has no name");
    auto schema = schema::JsonSchema::compile(definition.parameters);
    if (!schema)
        throw InvariantBroken("the schema of tool '" + definition.name + "' is broken: " + schema.error().message());
    for (const auto& keyword : schema->unknown_keywords())
        state_->logger.warn("tool schema keyword ignored", {{"tool", definition.name}, {"keyword", keyword}});
    state_->by_name.emplace(definition.name, state_->entries.size());
    state_->entries.push_back(Entry{std::move(tool), std::move(*schema)});
}

std::vector<const Tool*> Registry::all() const
{
    std::vector<const Tool*> tools;
    for (const auto& entry : state_->entries)
        tools.push_back(entry.tool.get());
    return tools;
}

const Tool* Registry::find(std::string_view name) const
{
    const auto* entry = state_->find(name);
    return entry ? entry->tool.get() : nullptr;
}

std::vector<model::ToolDefinition> Registry::offered() const
{
    std::vector<model::ToolDefinition> definitions;
    for (const auto& entry : state_->entries)
        if (entry.tool->why_unavailable().empty())
            definitions.push_back(entry.tool->definition());
    return definitions;
}

Task<Outcome> Registry::State::run(const Entry& entry, const Json& arguments, const Caller& caller)
{
    const auto deadline = Deadline::after(timeout);
    auto ran = co_await with_timeout(run_guarded(*entry.tool, arguments, caller, deadline), deadline);
    const auto cancellation = co_await boost::asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != boost::asio::cancellation_type::none)
        throw boost::system::system_error(boost::asio::error::operation_aborted);
    if (!ran)
        co_return failed("The tool did not answer in time.");
    if (ran->result)
        co_return judged(*ran->result);
    logger.error("tool threw", {{"tool", entry.tool->definition().name}, {"error", text_of(ran->thrown)}});
    co_return failed("The tool failed.");
}

void Registry::State::log(std::string_view name, const Outcome& outcome, const Caller& caller)
{
    logger.info("tool called", {{"tool", name},
                                {"request_id", caller.request_id},
                                {"success", outcome.success},
                                {"ms", outcome.duration_ms}});
    if (!outcome.success)   // may hold words of the user
        logger.debug("tool call failed", {{"tool", name}, {"request_id", caller.request_id}, {"error", outcome.error}});
}

Task<Outcome> Registry::execute(std::string_view name, std::string_view arguments_json, const Caller& caller)
{
    const auto* entry = state_->find(name);
    if (!entry)
        co_return failed("There is no tool named '" + to_valid_utf8(utf8_prefix(name, 64)) + "'.");
    const auto began = Steady::now();
    Outcome outcome;
    if (!caller.may_execute) {
        outcome = failed("You are not allowed to use tools.");
    } else if (const auto why = entry->tool->why_unavailable(); !why.empty()) {
        outcome = failed("The tool is not available: " + why);
    } else {
        const auto arguments = read_arguments(*entry, arguments_json);
        if (arguments)
            outcome = co_await state_->run(*entry, *arguments, caller);
        else
            outcome = failed(arguments.error().message());
    }
    outcome.duration_ms = std::chrono::duration_cast<std::chrono::milliseconds>(Steady::now() - began).count();
    state_->log(name, outcome, caller);
    co_return outcome;
}

}  // namespace dure::tools
