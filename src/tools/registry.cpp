// The registry of tools; see registry.hpp. A call goes: known? allowed? available? arguments in order? remembered? → run
// within the time limit → result of a bearable size. Whatever goes wrong becomes one sentence for the model.
#include "dure/tools/registry.hpp"

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>
#include <mutex>
#include <unordered_map>

#include "dure/base/cancellation.hpp"
#include "dure/base/exception_text.hpp"
#include "dure/base/text.hpp"
#include "dure/base/timeout.hpp"
#include "dure/schema/json_check.hpp"
#include "dure/schema/json_schema.hpp"
#include "tools/result_cache.hpp"

namespace dure::tools {
namespace {

constexpr std::size_t largest_result = 256 * 1024;
constexpr std::size_t largest_arguments = 1024 * 1024;
constexpr std::size_t most_problems_shown = 10;
constexpr std::size_t largest_cache = 64 * 1024 * 1024;
constexpr std::size_t longest_function_name = 64;
constexpr std::string_view built_in = "built-in";

struct Entry {
    std::string group;
    std::shared_ptr<Tool> tool;
    schema::JsonSchema arguments;
};

// One state of the registry; never changed once it is in use.
struct RegisteredTools {
    const Entry* find(std::string_view name) const
    {
        const auto at = by_name.find(std::string(name));
        return at == by_name.end() ? nullptr : at->second;
    }
    void add(std::shared_ptr<const Entry> entry)
    {
        by_name.emplace(entry->tool->definition().name, entry.get());
        entries.push_back(std::move(entry));
    }

    std::uint64_t version = 0;
    std::vector<std::shared_ptr<const Entry>> entries;
    std::unordered_map<std::string, const Entry*> by_name;
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
        text = "{}";  // models leave the arguments of a parameterless tool out
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

Outcome failed(Errc code, std::string problem)
{
    Outcome outcome;
    outcome.code = code;
    outcome.error = std::move(problem);
    return outcome;
}

// Too large results are cut as text: a part of them is worth more to a model than none.
Outcome judged(const Result<Json>& result, std::size_t& size)
{
    if (!result)
        return failed(result.error().code(), result.error().message());
    Outcome outcome;
    outcome.success = true;
    outcome.result = *result;
    auto text = outcome.text();
    size = text.size();
    if (size > largest_result)
        outcome.result = std::string(utf8_prefix(text, largest_result)) + "\n[cut: the result has " +
                         std::to_string(size) + " bytes, more than 256 KiB]";
    return outcome;
}

Deadline limit_of(const Tool& tool, Steady::duration configured)
{
    const Steady::duration own = tool.longest();
    return Deadline::after(own > Steady::duration::zero() ? std::min(own, configured) : configured);
}

}  // namespace

std::string why_not_allowed(const Tool& tool, const Caller& caller)
{
    if (!caller.may_execute)
        return "You are not allowed to use tools.";
    const auto more = tool.permission();
    const auto& has = caller.permissions;
    if (!more.empty() && more != execute_permission && std::find(has.begin(), has.end(), more) == has.end())
        return "You are not allowed to use this tool; it needs the permission " + more + ".";
    if (tool.acts() && !caller.approves)
        return "This tool changes something and runs only when a person asks for it directly.";
    return {};
}

struct Registry::State {
    State(Logger& log, const config::Tools& settings)
        : logger(log), timeout(settings.timeout), cache(static_cast<std::size_t>(settings.result_cache), largest_cache)
    {}

    std::shared_ptr<const RegisteredTools> snapshot() const
    {
        const std::lock_guard lock(guard);
        return current;
    }

    Result<std::shared_ptr<const Entry>> entry_for(const std::string& group, std::shared_ptr<Tool> tool);
    Task<Outcome> answer(const Entry& entry, std::string_view arguments_json, const Caller& caller);
    Task<Outcome> run(const Entry& entry, const Json& arguments, const Caller& caller, std::size_t& size);
    void tell(const Entry& entry, std::string_view arguments_json, const Outcome& outcome, const Caller& caller);

    Logger& logger;
    Steady::duration timeout;
    ResultCache cache;
    std::function<void(const CallRecord&)> observer;
    mutable std::mutex guard;
    std::shared_ptr<const RegisteredTools> current = std::make_shared<RegisteredTools>();
};

bool is_function_name(std::string_view name)
{
    return !name.empty() && name.size() <= longest_function_name && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    });
}

std::string Outcome::text() const
{
    if (!success)
        return "Error: " + error;
    return result.is_string() ? to_valid_utf8(result.get_ref<const std::string&>()) : dump(result);
}

Registry::Registry(Logger& logger, const config::Tools& settings) : state_(std::make_unique<State>(logger, settings)) {}
Registry::~Registry() = default;

Result<std::shared_ptr<const Entry>> Registry::State::entry_for(const std::string& group, std::shared_ptr<Tool> tool)
{
    const auto& definition = tool->definition();
    if (!is_function_name(definition.name))
        return Error(Errc::invalid_argument, "'" + to_valid_utf8(utf8_prefix(definition.name, 100)) +
                                                 "' is no name of a function: 1 to 64 of a-z A-Z 0-9 _ -");
    auto schema = schema::JsonSchema::compile(definition.parameters);
    if (!schema)
        return Error(Errc::invalid_argument, "its schema is broken: " + schema.error().message());
    if (const auto& unknown = schema->unknown_keywords(); !unknown.empty()) {
        std::string names;
        for (const auto& keyword : unknown)
            names += (names.empty() ? "" : ", ") + keyword;
        logger.warn("tool schema keywords ignored", {{"tool", definition.name}, {"keywords", names}});
    }
    return std::make_shared<const Entry>(Entry{group, std::move(tool), std::move(*schema)});
}

void Registry::add(std::unique_ptr<Tool> tool)
{
    const auto name = tool->definition().name;
    auto entry = state_->entry_for(std::string(built_in), std::move(tool));
    if (!entry)
        throw InvariantBroken("tool '" + name + "': " + entry.error().message());
    const std::lock_guard lock(state_->guard);
    if (state_->current->find(name))
        throw InvariantBroken("a tool named '" + name + "' is there already");
    auto next = std::make_shared<RegisteredTools>(*state_->current);
    next->add(std::move(*entry));
    ++next->version;
    state_->current = std::move(next);
}

std::vector<LoadProblem> Registry::replace(const std::string& group, std::vector<std::shared_ptr<Tool>> tools)
{
    std::vector<LoadProblem> problems;
    std::vector<std::shared_ptr<const Entry>> made;
    for (auto& tool : tools) {
        const LoadProblem origin{tool->source(), tool->definition().name, {}};
        if (auto entry = state_->entry_for(group, std::move(tool)))
            made.push_back(std::move(*entry));
        else
            problems.push_back({origin.source, origin.name, entry.error().message()});
    }
    const std::lock_guard lock(state_->guard);
    auto next = std::make_shared<RegisteredTools>();
    next->version = state_->current->version + 1;
    for (const auto& entry : state_->current->entries)
        if (entry->group != group)
            next->add(entry);
    for (auto& entry : made) {
        const auto& name = entry->tool->definition().name;
        if (const auto* taken = next->find(name))
            problems.push_back(
                {entry->tool->source(), name, "the name is taken by a tool of " + taken->tool->source()});
        else
            next->add(std::move(entry));
    }
    state_->current = std::move(next);
    return problems;
}

std::vector<std::shared_ptr<const Tool>> Registry::all() const
{
    std::vector<std::shared_ptr<const Tool>> tools;
    for (const auto& entry : state_->snapshot()->entries)
        tools.push_back(entry->tool);
    return tools;
}

std::shared_ptr<const Tool> Registry::find(std::string_view name) const
{
    const auto snapshot = state_->snapshot();
    const auto* entry = snapshot->find(name);
    return entry ? entry->tool : nullptr;
}

std::string Registry::group_of(std::string_view name) const
{
    const auto snapshot = state_->snapshot();
    const auto* entry = snapshot->find(name);
    return entry ? entry->group : std::string();
}

std::uint64_t Registry::version() const
{
    return state_->snapshot()->version;
}

void Registry::observe(std::function<void(const CallRecord&)> observer)
{
    state_->observer = std::move(observer);
}

Task<Outcome> Registry::State::run(const Entry& entry, const Json& arguments, const Caller& caller, std::size_t& size)
{
    const auto deadline = limit_of(*entry.tool, timeout);
    auto ran = co_await with_timeout(run_guarded(*entry.tool, arguments, caller, deadline), deadline);
    if (is_cancelled(co_await boost::asio::this_coro::cancellation_state))
        throw boost::system::system_error(boost::asio::error::operation_aborted);
    if (!ran)
        co_return failed(Errc::timeout, "The tool did not answer in time.");
    if (ran->result)
        co_return judged(*ran->result, size);
    logger.error("tool threw", {{"tool", entry.tool->definition().name}, {"error", exception_text(ran->thrown)}});
    co_return failed(Errc::internal, "The tool failed.");
}

Task<Outcome> Registry::State::answer(const Entry& entry, std::string_view arguments_json, const Caller& caller)
{
    if (auto why = why_not_allowed(*entry.tool, caller); !why.empty())
        co_return failed(Errc::permission_denied, std::move(why));
    if (const auto why = entry.tool->why_unavailable(); !why.empty())
        co_return failed(Errc::unavailable, "The tool is not available: " + why);
    const auto arguments = read_arguments(entry, arguments_json);
    if (!arguments)
        co_return failed(Errc::invalid_argument, arguments.error().message());
    std::size_t size = 0;
    if (!entry.tool->pure())
        co_return co_await run(entry, *arguments, caller, size);
    const auto key = ResultCache::key_of(*entry.tool, *arguments, caller);
    if (const auto known = cache.get(key, Steady::now())) {
        Outcome outcome;
        outcome.success = true;
        outcome.cached = true;
        outcome.result = *known;
        co_return outcome;
    }
    auto outcome = co_await run(entry, *arguments, caller, size);
    if (outcome.success)
        cache.put(key, outcome.result, size, Steady::now() + entry.tool->cache_life());
    co_return outcome;
}

void Registry::State::tell(const Entry& entry, std::string_view arguments_json, const Outcome& outcome,
                           const Caller& caller)
{
    const auto& name = entry.tool->definition().name;
    logger.info("tool called", {{"tool", name},
                                {"request_id", caller.request_id},
                                {"success", outcome.success},
                                {"cached", outcome.cached},
                                {"ms", outcome.duration_ms}});
    if (!outcome.success)  // may hold words of the user
        logger.debug("tool call failed", {{"tool", name}, {"request_id", caller.request_id}, {"error", outcome.error}});
    if (observer)
        observer({name, entry.tool->source(), hex(sha256(arguments_json)), caller.user_id, caller.request_id,
                  outcome.duration_ms, outcome.success, outcome.cached});
}

Task<Outcome> Registry::execute(std::string_view name, std::string_view arguments_json, const Caller& caller)
{
    const auto snapshot = state_->snapshot();  // kept until the end of the call
    const auto* entry = snapshot->find(name);
    if (!entry)
        co_return failed(Errc::not_found, "There is no tool named '" + to_valid_utf8(utf8_prefix(name, 64)) + "'.");
    const auto began = Steady::now();
    auto outcome = co_await state_->answer(*entry, arguments_json, caller);
    outcome.duration_ms = std::chrono::duration_cast<std::chrono::milliseconds>(Steady::now() - began).count();
    state_->tell(*entry, arguments_json, outcome, caller);
    co_return outcome;
}

}  // namespace dure::tools
