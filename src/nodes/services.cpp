// Services: finds the kind's function; variables and secrets. See services.hpp.
#include "dure/nodes/services.hpp"

#include <array>
#include <utility>

#include "nodes/state.hpp"

namespace dure::nodes {
namespace {

constexpr std::chrono::seconds owner_is_good_for{5};   // as a login is remembered
constexpr std::size_t remembered_owners = 10'000;

using KindFunction = Task<Result<Json>> (*)(const Shared& shared, flows::NodeCall& call);

constexpr std::array<std::pair<std::string_view, KindFunction>, 6> kind_functions{{{"llm", run_llm},
                                                                                   {"extract", run_extract},
                                                                                   {"router", run_router},
                                                                                   {"agent", run_agent},
                                                                                   {"supervisor", run_supervisor},
                                                                                   {"tool", run_tool}}};

}  // namespace

Services::State::State(Parts given)
    : parts(std::move(given)), prompts(parts.settings.agent.prompts, parts.logger),
      orchestrator(parts.gateway, parts.tools, parts.logger, parts.settings.agent)
{}

Task<Result<void>> Services::State::check_owner(std::string owner)
{
    {
        const std::lock_guard lock(guard_);
        const auto known = active_until_.find(owner);
        if (known != active_until_.end() && Steady::now() < known->second)
            co_return Result<void>();
    }
    const auto rights = co_await parts.rights(owner);
    if (!rights && rights.error().code() == Errc::permission_denied)
        co_return rights.error();
    const std::lock_guard lock(guard_);
    if (active_until_.size() >= remembered_owners)
        active_until_.clear();
    active_until_[std::move(owner)] = Steady::now() + owner_is_good_for;
    co_return Result<void>();
}

llm::CallContext call_context(const Shared& shared, const flows::NodeCall& call)
{
    const auto deadline = call.context.deadline().sooner(shared.parts.settings.flows.run_timeout);
    llm::CallContext context(call.facts.execution_id, call.facts.owner, deadline);
    if (call.facts.rights) {
        context.key_id = call.facts.rights->key.id;
        context.key_limits = call.facts.rights->key.limits;
    }
    return context;
}

agents::Language language_for(const Shared& shared, std::string_view text)
{
    return agents::language_of(shared.parts.settings.agent.language, text);
}

Error unfit(const std::string& field, const std::string& problem)
{
    return Error(Errc::invalid_argument, "'" + field + "' " + problem + ".").param(field).reason("config_invalid");
}

Services::Services(Parts parts) : state_(std::make_unique<State>(std::move(parts))) {}
Services::~Services() = default;

Task<Result<Json>> Services::call(flows::NodeCall call)
{
    if (auto active = co_await state_->check_owner(call.facts.owner); !active)
        co_return active.error();
    const auto& kind = call.node.kind;
    if (kind == "http")
        co_return co_await run_http(*state_, call, *this);
    for (const auto& [name, function] : kind_functions)
        if (name == kind)
            co_return co_await function(*state_, call);
    co_return Error(Errc::invalid_argument, "Nodes of the kind '" + kind + "' ask no service.")
        .reason("kind_not_available");
}

std::optional<Json> Services::variable(std::string_view, std::string_view name)
{
    const auto& variables = state_->parts.settings.flows.variables;
    const auto found = variables.find(std::string(name));
    return found == variables.end() ? std::nullopt : std::optional<Json>(found->second);
}

std::optional<std::string> Services::secret(std::string_view, std::string_view name)
{
    const auto& secrets = state_->parts.settings.flows.secrets;
    const auto found = secrets.find(std::string(name));
    return found == secrets.end() ? std::nullopt : std::optional(std::string(found->second.reveal()));
}

}  // namespace dure::nodes
