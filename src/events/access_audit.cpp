// AccessAudit; see access_audit.hpp.
#include "dure/events/access_audit.hpp"

#include "dure/base/text.hpp"
#include "dure/events/journal.hpp"

namespace dure::events {

namespace {

constexpr std::chrono::minutes audit_window{1};
constexpr std::size_t longest_tool_name = 128;   // a model may ask for anything

// One aggregate per caller: what it was refused and what it read of others.
store::NewEvent access_event(const model::Actor& actor, const char* type, Json data)
{
    return event_by(actor, "Access", "access:" + actor.user_id, type, std::move(data), actor.user_id);
}

store::NewEvent tool_event(const model::Actor& actor, const ToolRun& run)
{
    return event_by(actor, "ToolRun", new_id(), "ToolExecuted",
                    {{"name", to_valid_utf8(utf8_prefix(run.name, longest_tool_name))},
                     {"arguments_sha256", hex(sha256(run.arguments))},
                     {"success", run.success},
                     {"approved", run.approved},
                     {"duration_ms", run.duration_ms}},
                    actor.user_id);
}

}  // namespace

AccessAudit::AccessAudit(Journal& journal, const Clock& clock, Logger& logger)
    : AccessAudit(journal, clock, logger, Limits())
{}

AccessAudit::AccessAudit(Journal& journal, const Clock& clock, Logger& logger, Limits limits)
    : journal_(journal), clock_(clock), logger_(logger), limits_(limits), minute_begin_(clock.steady_now())
{}

void AccessAudit::begin_minute()
{
    const auto now = clock_.steady_now();
    if (now - minute_begin_ < audit_window)
        return;
    minute_begin_ = now;
    refusals_.clear();
    all_refusals_ = 0;
    reads_.clear();
}

std::optional<std::int64_t> AccessAudit::may_record_refusal(const std::string& user_id)
{
    const std::lock_guard lock(guard_);
    begin_minute();
    const auto found = refusals_.find(user_id);
    const auto of_this_one = found == refusals_.end() ? 0 : found->second;
    if (all_refusals_ >= limits_.refusals_of_all || of_this_one >= limits_.refusals_of_one) {
        ++not_recorded_;
        ++only_counted_;
        return std::nullopt;
    }
    ++all_refusals_;
    refusals_[user_id] = of_this_one + 1;
    return std::exchange(not_recorded_, 0);
}

Task<void> AccessAudit::refused(model::Actor actor, AccessRequest request, std::string needed)
{
    const auto not_recorded = may_record_refusal(actor.user_id);
    if (!not_recorded)
        co_return;
    Json refusal{{"method", request.method}, {"route", request.route}};
    refusal["permission"] = needed.empty() ? Json(nullptr) : Json(needed);
    refusal["not_recorded_before"] = *not_recorded;
    const auto stored =
        co_await journal_.append(access_event(actor, "PermissionDenied", {{"last_refusal", std::move(refusal)}}));
    if (!stored)
        logger_.warn("a refused permission is not on record", {{"request_id", actor.request_id},
                                                               {"user_id", actor.user_id},
                                                               {"route", request.route},
                                                               {"detail", stored.error().detail()}});
}

bool AccessAudit::first_read(const std::string& what)
{
    const std::lock_guard lock(guard_);
    begin_minute();
    if (reads_.contains(what))
        return false;
    if (reads_.size() >= limits_.reads_remembered)
        reads_.clear();
    return true;
}

Task<Result<void>> AccessAudit::read_of_others(model::Actor actor, AccessRequest request, std::string subject)
{
    std::string what;
    for (const auto* part : {&actor.user_id, &actor.key_id, &request.method, &request.route, &subject})
        what += *part + '\n';
    if (!first_read(what))
        co_return Result<void>();
    Json read{{"method", request.method}, {"route", request.route}};
    read["subject"] = subject.empty() ? Json(nullptr) : Json(subject);
    const auto stored =
        co_await journal_.append(access_event(actor, "DataOfOthersRead", {{"last_read", std::move(read)}}));
    if (!stored)
        co_return stored.error();
    const std::lock_guard lock(guard_);
    reads_.insert(std::move(what));   // from now on: a read that is not on record is not remembered
    co_return Result<void>();
}

Task<Result<void>> AccessAudit::configuration_reloaded(model::Actor actor, Json what)
{
    const auto stored = co_await journal_.append(access_event(actor, "ConfigurationReloaded", {{"last_reload", std::move(what)}}));
    if (!stored)
        co_return stored.error();
    co_return Result<void>();
}

Task<Result<void>> AccessAudit::tool_runs(model::Actor actor, std::vector<ToolRun> runs)
{
    if (runs.empty())
        co_return Result<void>();
    co_return co_await journal_.write([&](sql::Connection&, Batch& batch) -> Result<void> {
        for (const auto& run : runs)
            batch.add(tool_event(actor, run));
        return {};
    });
}

}  // namespace dure::events
