// FlowService::save_by_name(): {name, flow_data, …} -> a document over the one that bears the name -> row, version, event -> file.
#include "dure/events/journal.hpp"
#include "dure/sql/database.hpp"
#include "flows/document/fields.hpp"
#include "flows/service/flow_events.hpp"
#include "flows/service/slug.hpp"
#include "flows/service/state.hpp"

namespace dure::flows {

namespace {

constexpr int most_save_tries = 32;  // others in other replicas, or by the flow's id, may be quicker

// The drawing with what stands beside it; what stands beside goes first.
OrderedJson document_of_body(const OrderedJson& body, Problems& problems)
{
    const FieldReader fields(body, {}, problems);
    fields.required("flow_data");
    OrderedJson tree;
    if (const auto* drawn = fields.object("flow_data"))
        tree = *drawn;
    else
        tree = OrderedJson::object();
    for (const auto& [key, value] : body.items())
        if (key != "flow_data" && !value.is_null())
            tree[key] = value;
    if (!member(tree, "flow_type"))
        tree["flow_type"] = "agentflow";
    return tree;
}

struct Named {
    std::optional<store::FlowRecord> record;
    std::string text;
};

Result<std::optional<store::FlowRecord>> bearing(store::Flows flows, const std::string& name, const Caller& caller)
{
    auto found = flows.find_by_name(name, caller.user_id);
    if (found)
        return std::optional(std::move(*found));
    if (found.error().code() == Errc::not_found)
        return std::optional<store::FlowRecord>();
    return found.error();
}

Result<Named> look_by_name(sql::Connection& connection, const std::string& name, const Caller& caller)
{
    store::Flows flows(connection);
    auto record = bearing(flows, name, caller);
    if (!record)
        return record.error();
    Named named{std::move(*record), {}};
    if (!named.record)
        return named;
    auto text = flows.document(named.record->id, caller.user_id, named.record->version);
    if (!text)
        return text.error();
    named.text = std::move(*text);
    return named;
}

bool same_revision(const std::optional<store::FlowRecord>& a, const std::optional<store::FlowRecord>& b)
{
    return a.has_value() == b.has_value() && (!a || (a->id == b->id && a->revision == b->revision));
}

}  // namespace

Task<Result<FlowService::SavedByName>> FlowService::save_by_name(Caller caller, std::string body)
{
    auto& state = *state_;
    struct Read {
        OrderedJson tree;
        Problems problems;
    };
    auto limits = state.limits;
    limits.depth += 1;  // the drawing stands one deeper than in a document
    auto read = co_await state.pool.run([&]() -> Result<Read> {
        Read out;
        out.problems = check_text(body, limits);
        if (!out.problems.empty())
            return out;
        const auto parsed = OrderedJson::parse(body);
        if (!parsed.is_object())
            out.problems.add({"field_type", {}, "The body is an object with name and flow_data."});
        else
            out.tree = document_of_body(parsed, out.problems);
        return out;
    });
    if (!read)
        co_return read.error();
    SavedByName saved;
    if (!read->tree.is_object()) {
        saved.change.problems = std::move(read->problems);
        co_return saved;
    }
    const auto* named = member(read->tree, "name");
    const auto turn = co_await state.turns.take(
        caller.user_id + "=" + (named && named->is_string() ? named->get<std::string>() : std::string()));
    if (!turn)
        co_return turn.error();
    for (int tries = 0; tries < most_save_tries; ++tries) {
        auto done = co_await state.save_named(caller, read->tree, read->problems);
        if (!done)
            co_return done.error();
        if (!*done)
            continue;  // another save of this name came first
        saved.change = std::move((*done)->change);
        if (saved.change.flow) {
            const auto& record = saved.change.flow->record;
            const auto copied =
                co_await state.files.write({record.id, record.slug, record.version, (*done)->document, false});
            saved.file_written = copied.has_value();
            if (!copied)
                state.parts.logger.warn("the file of a flow was not written",
                                        {{"flow_id", record.id}, {"detail", copied.error().detail()}});
        }
        co_return saved;
    }
    co_return EditTurns::flow_changing();
}

// One try; empty when the flow that bears the name is another than the one that was looked at.
Task<Result<std::optional<FlowService::State::NamedSave>>>
FlowService::State::save_named(const Caller& caller, const OrderedJson& tree, const Problems& problems)
{
    using Done = std::optional<NamedSave>;
    const auto* told = member(tree, "name");
    const auto name = told && told->is_string() ? told->get<std::string>() : std::string();
    auto seen = co_await parts.database.read(
        [&](sql::Connection& connection) { return look_by_name(connection, name, caller); });
    if (!seen)
        co_return seen.error();
    auto prepared = co_await pool.run([&]() -> Result<Prepared> {
        if (!seen->record)
            return prepare(tree, {}, Level::warning);
        return prepare(with_changes(OrderedJson::parse(seen->text), tree), parse_flow_type(seen->record->flow_type),
                       Level::warning);
    });
    if (!prepared)
        co_return prepared.error();
    for (const auto& problem : problems.list())
        prepared->problems.add(problem);
    if (auto checked = co_await check_runs(caller, *prepared, seen->record ? &*seen->record : nullptr, Level::warning);
        !checked)
        co_return checked.error();
    NamedSave done;
    done.document = prepared->document;
    if (prepared->problems.has_errors()) {
        done.change.problems = std::move(prepared->problems);
        co_return Done(std::move(done));
    }
    auto flow = seen->record ? *seen->record : fresh_record(caller, *prepared->document);
    auto written = co_await write_named(caller, *prepared, seen->record, flow);
    if (!seen->record && !written && written.error().code() == Errc::conflict) {
        flow.slug = slug_with_id(flow.slug, flow.id);
        written = co_await write_named(caller, *prepared, seen->record, flow);
    }
    if (!written)
        co_return written.error();
    if (!*written)
        co_return Done();
    done.change.problems = std::move(prepared->problems);
    done.change.flow = flow_from(std::move(**written), *prepared);
    co_return Done(std::move(done));
}

Task<Result<std::optional<store::FlowRecord>>>
FlowService::State::write_named(const Caller& caller, const Prepared& prepared,
                                const std::optional<store::FlowRecord>& seen, const store::FlowRecord& flow)
{
    using Record = std::optional<store::FlowRecord>;
    co_return co_await parts.journal.write([&](sql::Connection& connection, events::Batch& batch) -> Result<Record> {
        store::Flows flows(connection);
        if (auto name_held = flows.hold_name(prepared.document->name, caller.user_id); !name_held)
            return name_held.error();
        auto now = bearing(flows, prepared.document->name, caller);
        if (!now)
            return now.error();
        if (*now) {  // holds the row against changes by its id
            auto held = flows.find_for_update((*now)->id, caller.user_id);
            if (!held)
                return held.error();
            now->emplace(std::move(*held));
        }
        if (!same_revision(seen, *now))
            return Record();
        const auto described = described_by(flow, *prepared.document, parts.clock.now());
        if (!seen) {
            if (auto inserted = flows.insert(described, prepared.text, caller.user_id); !inserted)
                return inserted.error();
            batch.add(workflow_created(described, prepared.data, caller.by));
            return Record(described);
        }
        auto saved = flows.save(described, prepared.text, caller.user_id);
        if (!saved)
            return saved.error();
        batch.add(workflow_saved(*saved, prepared.data, {}, caller.by));
        return Record(std::move(*saved));
    });
}

}  // namespace dure::flows
