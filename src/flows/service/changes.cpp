// FlowService: what changes flows. Each reads what is there, prepares the document on the service's threads, and writes row,
// version and event in one unit that looks again at what it read.
#include "dure/events/journal.hpp"
#include "dure/sql/database.hpp"
#include "flows/service/flow_events.hpp"
#include "flows/service/slug.hpp"
#include "flows/service/state.hpp"

namespace dure::flows {

namespace {

constexpr int most_tries = 32;  // of a change without If-Match that others, in other replicas, overtake

struct Seen {
    store::FlowRecord record;
    std::string text;
};

// The flow as it stands, with the document of `version` (empty: the newest).
Result<Seen> look(sql::Connection& connection, const Caller& caller, const std::string& id,
                  const ChangeOptions& options, std::optional<std::int64_t> version = {})
{
    store::Flows flows(connection);
    auto record = flows.find(id, caller.user_id);
    if (!record)
        return record.error();
    if (options.type && record->flow_type != name_of(*options.type))
        return Error(Errc::not_found, "No such flow.");
    auto text = flows.document(id, caller.user_id, version.value_or(record->version));
    if (!text)
        return text.error();
    return Seen{std::move(*record), std::move(*text)};
}

FlowType type_of(const store::FlowRecord& record)
{
    return parse_flow_type(record.flow_type).value_or(FlowType::agentflow);
}

bool overtaken(const store::FlowRecord& now, const ChangeOptions& options)
{
    return options.if_match && !if_match_holds(*options.if_match, etag_of(now));
}

Change refused_by_etag(const store::FlowRecord& now)
{
    Change change;
    change.current_etag = etag_of(now);
    return change;
}

Change refused_by_problems(Problems problems)
{
    Change change;
    change.problems = std::move(problems);
    return change;
}

// The same problems, those of one code as errors.
Problems with_blocking(const Problems& problems, std::string_view code)
{
    Problems out;
    for (auto problem : problems.list()) {
        if (problem.code == code)
            problem.level = Level::error;
        out.add(std::move(problem));
    }
    return out;
}

// What a unit of work found and did: `changed` is empty when nothing was written.
struct Written {
    store::FlowRecord found;
    std::optional<store::FlowRecord> changed;
};

// Changes the row of a flow that is there, of the type that was asked for and not overtaken; what `change_it(flows, found)`
// gives is what was written, if it wrote at all.
template <class ChangeIt>
Result<Written> write_row(sql::Connection& connection, const Caller& caller, const std::string& id,
                          const ChangeOptions& options, ChangeIt change_it)
{
    store::Flows flows(connection);
    auto found = flows.find_for_update(id, caller.user_id);
    if (!found)
        return found.error();
    if (options.type && found->flow_type != name_of(*options.type))
        return Error(Errc::not_found, "No such flow.");
    Written written{std::move(*found), {}};
    if (overtaken(written.found, options))
        return written;
    auto changed = change_it(flows, std::as_const(written.found));
    if (!changed)
        return changed.error();
    written.changed = std::move(*changed);
    return written;
}

// Stores the version over the one found, unless that is another one than `seen_revision`, or If-Match does not hold.
Result<Written> write_version(sql::Connection& connection, events::Batch& batch, const Caller& caller,
                              const std::string& id, const Prepared& prepared, const ChangeOptions& options,
                              std::optional<std::int64_t> seen_revision, std::optional<std::int64_t> restored_from,
                              UnixMillis now)
{
    using Saved = Result<std::optional<store::FlowRecord>>;
    return write_row(
        connection, caller, id, options, [&](store::Flows& flows, const store::FlowRecord& found) -> Saved {
            if (seen_revision && *seen_revision != found.revision)
                return std::optional<store::FlowRecord>();
            auto saved = flows.save(described_by(found, *prepared.document, now), prepared.text, caller.user_id);
            if (!saved)
                return saved.error();
            batch.add(workflow_saved(*saved, prepared.data, restored_from, caller.by));
            return std::optional(std::move(*saved));
        });
}

}  // namespace

store::FlowRecord described_by(store::FlowRecord record, const Document& document, UnixMillis now)
{
    record.name = document.name;
    record.description = document.description;
    record.category = document.category;
    record.tags = document.tags;
    record.is_active = document.is_active;
    record.updated_at = now;
    return record;
}

store::FlowRecord FlowService::State::fresh_record(const Caller& caller, const Document& document) const
{
    store::FlowRecord flow;
    flow.id = new_id();
    flow.owner_id = caller.user_id;
    flow.flow_type = name_of(document.flow_type);
    flow.slug = slug_of(document.name);
    flow.created_at = parts.clock.now();
    return described_by(std::move(flow), document, flow.created_at);
}

Flow FlowService::State::flow_from(store::FlowRecord record, Prepared& prepared)
{
    cache.put(record.id, record.version, prepared.document, prepared.text.size());
    const auto version = record.version;
    const auto saved_at = record.updated_at;
    return {std::move(record), version, saved_at, std::move(prepared.text)};
}

Task<void> FlowService::State::refresh_copy(const store::FlowRecord& flow, std::shared_ptr<const Document> document)
{
    const auto written = co_await files.write({flow.id, flow.slug, flow.version, std::move(document), true});
    if (!written)
        parts.logger.warn("the file of a flow was not refreshed",
                          {{"flow_id", flow.id}, {"detail", written.error().detail()}});
}

// A taken slug is tried again with the end of the flow's id behind it.
Task<Result<Change>> FlowService::State::insert(const Caller& caller, Prepared prepared)
{
    auto flow = fresh_record(caller, *prepared.document);
    const auto insert_once = [&](sql::Connection& connection, events::Batch& batch) -> Result<void> {
        batch.add(workflow_created(flow, prepared.data, caller.by));
        return store::Flows(connection).insert(flow, prepared.text, caller.user_id);
    };
    auto inserted = co_await parts.journal.write(insert_once);
    if (!inserted && inserted.error().code() == Errc::conflict) {
        flow.slug = slug_with_id(flow.slug, flow.id);
        inserted = co_await parts.journal.write(insert_once);
    }
    if (!inserted)
        co_return inserted.error();
    Change change;
    change.problems = std::move(prepared.problems);
    change.flow = flow_from(std::move(flow), prepared);
    co_return change;
}

Task<Result<Change>> FlowService::create(Caller caller, FlowType type, std::string body)
{
    auto prepared = co_await state_->prepare_text(std::move(body), type);
    if (!prepared)
        co_return prepared.error();
    if (auto checked = co_await state_->check_runs(caller, *prepared, nullptr, Level::warning); !checked)
        co_return checked.error();
    if (prepared->problems.has_errors())
        co_return refused_by_problems(std::move(prepared->problems));
    co_return co_await state_->insert(caller, std::move(*prepared));
}

Task<Result<Change>> FlowService::update(Caller caller, std::string id, std::string body, ChangeOptions options)
{
    auto& state = *state_;
    const auto turn = co_await state.turns.take(caller.user_id + "/" + id);
    if (!turn)
        co_return turn.error();
    for (int tries = 0; tries < most_tries; ++tries) {
        auto seen = co_await state.parts.database.read(
            [&](sql::Connection& connection) { return look(connection, caller, id, options); });
        if (!seen)
            co_return seen.error();
        if (overtaken(seen->record, options))
            co_return refused_by_etag(seen->record);
        auto prepared = co_await state.prepare_changes(std::move(seen->text), body, type_of(seen->record));
        if (!prepared)
            co_return prepared.error();
        if (auto checked = co_await state.check_runs(caller, *prepared, &seen->record, Level::warning); !checked)
            co_return checked.error();
        if (prepared->problems.has_errors())
            co_return refused_by_problems(std::move(prepared->problems));
        auto written = co_await state.parts.journal.write([&](sql::Connection& connection, events::Batch& batch) {
            return write_version(connection, batch, caller, id, *prepared, options, seen->record.revision, {},
                                 state.parts.clock.now());
        });
        if (!written)
            co_return written.error();
        if (!written->changed && overtaken(written->found, options))
            co_return refused_by_etag(written->found);
        if (!written->changed)
            continue;  // the keys that were not sent must be those of the version it covers
        co_await state.refresh_copy(*written->changed, prepared->document);
        Change change;
        change.problems = std::move(prepared->problems);
        change.flow = state.flow_from(std::move(*written->changed), *prepared);
        co_return change;
    }
    co_return EditTurns::flow_changing();
}

Task<Result<Change>> FlowService::restore(Caller caller, std::string id, std::int64_t version, ChangeOptions options)
{
    auto& state = *state_;
    auto seen = co_await state.parts.database.read(
        [&](sql::Connection& connection) { return look(connection, caller, id, options, version); });
    if (!seen)
        co_return seen.error();
    if (overtaken(seen->record, options))
        co_return refused_by_etag(seen->record);
    auto prepared = co_await state.prepare_stored(std::move(seen->text), type_of(seen->record), Level::warning);
    if (!prepared)
        co_return prepared.error();
    if (auto checked = co_await state.check_runs(caller, *prepared, &seen->record, Level::warning); !checked)
        co_return checked.error();
    if (prepared->problems.has_errors())
        co_return refused_by_problems(std::move(prepared->problems));
    auto written = co_await state.parts.journal.write([&](sql::Connection& connection, events::Batch& batch) {
        return write_version(connection, batch, caller, id, *prepared, options, {}, version, state.parts.clock.now());
    });
    if (!written)
        co_return written.error();
    if (!written->changed)
        co_return refused_by_etag(written->found);
    co_await state.refresh_copy(*written->changed, prepared->document);
    Change change;
    change.problems = std::move(prepared->problems);
    change.flow = state.flow_from(std::move(*written->changed), *prepared);
    co_return change;
}

Task<Result<Change>> FlowService::publish(Caller caller, std::string id, std::optional<std::int64_t> version,
                                          ChangeOptions options)
{
    auto& state = *state_;
    if (caller.models)  // what is published decides which models a bound key opens: none may widen itself
        co_return Error(Errc::permission_denied, "A key that is bound to models cannot publish flows.")
            .reason("model_not_permitted");
    auto seen = co_await state.parts.database.read(
        [&](sql::Connection& connection) { return look(connection, caller, id, options, version); });
    if (!seen)
        co_return seen.error();
    if (overtaken(seen->record, options))
        co_return refused_by_etag(seen->record);
    const auto number = version.value_or(seen->record.version);
    auto prepared = co_await state.prepare_stored(std::move(seen->text), type_of(seen->record), Level::error);
    if (!prepared)
        co_return prepared.error();
    if (auto checked = co_await state.check_runs(caller, *prepared, &seen->record, Level::error); !checked)
        co_return checked.error();
    prepared->problems = with_blocking(prepared->problems, "unsupported_node");
    if (prepared->problems.has_errors())
        co_return refused_by_problems(std::move(prepared->problems));
    auto written = co_await state.parts.journal.write([&](sql::Connection& connection, events::Batch& batch) {
        return write_row(connection, caller, id, options, [&](store::Flows& flows, const store::FlowRecord&) {
            auto published = flows.publish(id, caller.user_id, number, state.parts.clock.now());
            if (published)
                batch.add(workflow_publication(*published, caller.by));
            return published;
        });
    });
    if (!written)
        co_return written.error();
    if (!written->changed)
        co_return refused_by_etag(written->found);
    Change change;
    change.problems = std::move(prepared->problems);
    change.flow = Flow{std::move(*written->changed), number, 0, std::move(prepared->text)};
    co_return change;
}

namespace {

using ChangeRow = Result<store::FlowRecord> (*)(store::Flows& flows, const store::FlowRecord& found, UnixMillis now,
                                                events::Batch& batch, const model::Actor& by);

Result<store::FlowRecord> unpublish_row(store::Flows& flows, const store::FlowRecord& found, UnixMillis now,
                                        events::Batch& batch, const model::Actor& by)
{
    if (!found.published_version)
        return found;  // nothing changes, nothing is told
    auto changed = flows.publish(found.id, found.owner_id, std::nullopt, now);
    if (changed)
        batch.add(workflow_publication(*changed, by));
    return changed;
}

Result<store::FlowRecord> remove_row(store::Flows& flows, const store::FlowRecord& found, UnixMillis now,
                                     events::Batch& batch, const model::Actor& by)
{
    if (auto removed = flows.remove(found.id, found.owner_id, now); !removed)
        return removed.error();
    batch.add(workflow_deleted(found, now, by));
    return found;
}

// A change of the row alone.
Task<Result<Change>> change_row(const FlowService::Parts& parts, const Caller& caller, const std::string& id,
                                const ChangeOptions& options, ChangeRow change_it)
{
    auto written = co_await parts.journal.write([&](sql::Connection& connection, events::Batch& batch) {
        return write_row(connection, caller, id, options, [&](store::Flows& flows, const store::FlowRecord& found) {
            return change_it(flows, found, parts.clock.now(), batch, caller.by);
        });
    });
    if (!written)
        co_return written.error();
    if (!written->changed)
        co_return refused_by_etag(written->found);
    Change change;
    const auto version = written->changed->version;
    change.flow = Flow{std::move(*written->changed), version, 0, {}};
    co_return change;
}

}  // namespace

Task<Result<Change>> FlowService::unpublish(Caller caller, std::string id, ChangeOptions options)
{
    co_return co_await change_row(state_->parts, caller, id, options, unpublish_row);
}

Task<Result<Change>> FlowService::remove(Caller caller, std::string id, ChangeOptions options)
{
    auto change = co_await change_row(state_->parts, caller, id, options, remove_row);
    if (!change || !change->flow)
        co_return change;
    const auto removed = co_await state_->files.remove(change->flow->record.slug);
    if (!removed)
        state_->parts.logger.warn("the file of a deleted flow was not removed",
                                  {{"flow_id", id}, {"detail", removed.error().detail()}});
    co_return change;
}

}  // namespace dure::flows
