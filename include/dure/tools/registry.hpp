// The registry of tools. It checks permission and arguments, applies time and size limits, remembers results of pure
// tools, and turns every failure into an outcome the model can read. Tools come in groups ("built-in", "files",
// "mcp:NAME"); a group is replaced as a whole while calls run: they keep the tools they began with.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dure/base/log.hpp"
#include "dure/config/settings.hpp"
#include "dure/tools/tool.hpp"

namespace dure::tools {

// Thread-safe, except observe(), which comes before the first call.
class Registry {
public:
    Registry(Logger& logger, const config::Tools& settings);
    ~Registry();

    // A built-in tool. Throws InvariantBroken on a taken name or a broken schema.
    void add(std::unique_ptr<Tool> tool);
    // Everything of `group` is replaced in one step. What cannot be taken (name taken by another group or twice, name
    // that is no function name, broken schema) is left out and listed.
    std::vector<LoadProblem> replace(const std::string& group, std::vector<std::shared_ptr<Tool>> tools);

    // In the order of groups, then as given. The pointers keep their tools alive.
    std::vector<std::shared_ptr<const Tool>> all() const;
    std::shared_ptr<const Tool> find(std::string_view name) const;
    // Group that has the name; empty: it is free.
    std::string group_of(std::string_view name) const;
    // Grows with every change of the set of tools (not of their availability); for caches made from definitions.
    std::uint64_t version() const;

    // Never fails as such: unknown tool, missing permission, wrong arguments, timeout are Outcomes. Calls may run at the
    // same time, of the same tool too. A result over 256 KiB is cut, and says so at its end.
    Task<Outcome> execute(std::string_view name, std::string_view arguments_json, const Caller& caller);
    // Called after each execute() of a known tool, on the thread of the call.
    void observe(std::function<void(const CallRecord&)> observer);

private:
    struct State;
    std::unique_ptr<State> state_;
};

// What OpenAI takes as a function's name: 1 to 64 of [a-zA-Z0-9_-].
bool is_function_name(std::string_view name);

// Why `caller` may not run `tool` (permissions, approval), one sentence; empty: it may.
std::string why_not_allowed(const Tool& tool, const Caller& caller);

std::unique_ptr<Tool> make_calculator();

}  // namespace dure::tools
