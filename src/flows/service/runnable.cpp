// What others run: a version chosen by the rights of who asks, a pinned version, the published flows.
#include "dure/flows/references.hpp"
#include "dure/sql/database.hpp"
#include "flows/service/state.hpp"

#include <algorithm>
#include <charconv>

namespace dure::flows {

namespace {

constexpr std::int64_t most_published = 1000;   // of one owner, in a list of models
constexpr std::string_view model_word = "flow:";

struct Chosen {
    store::FlowRecord record;
    std::int64_t version = 0;
    std::string text;   // empty: the cache has the document
};

bool opens(const Caller& caller, const std::string& slug)
{
    return !caller.models || std::find(caller.models->begin(), caller.models->end(), std::string(model_word) + slug) !=
                                 caller.models->end();
}

Error no_such_flow()
{
    return Error(Errc::not_found, "No such flow.");
}

Result<std::int64_t> draft_for(const Caller& caller, std::int64_t version)
{
    if (!caller.may_edit)
        return Error(Errc::permission_denied, "Drafts run only for those who may edit flows.")
            .reason("insufficient_permissions");
    return version;
}

// See FlowService::runnable.
Result<std::int64_t> choose_version(const Caller& caller, const store::FlowRecord& flow, bool by_slug,
                                    std::string_view wanted)
{
    if (wanted == "draft")
        return draft_for(caller, flow.version);
    if (wanted.empty() && !by_slug && caller.may_edit)
        return flow.version;
    if (wanted.empty() || wanted == "published") {
        if (!flow.published_version)
            return Error(Errc::not_found, "The flow is not published.").reason("flow_not_published");
        return *flow.published_version;
    }
    std::int64_t number = 0;
    const auto [end, failed] = std::from_chars(wanted.data(), wanted.data() + wanted.size(), number);
    if (failed != std::errc() || end != wanted.data() + wanted.size() || number < 1)
        return Error(Errc::invalid_argument, "version is published, draft or the number of a version.")
            .param("version")
            .problem({{"body", "version"}, "Input should be published, draft or a number", "value_error"});
    if (number > flow.version)
        return Error(Errc::not_found, "No such version of the flow.");
    if (flow.published_version == number)
        return number;
    return draft_for(caller, number);
}

RunnableFlow runnable_from(Chosen chosen, std::shared_ptr<const Document> document)
{
    RunnableFlow flow;
    flow.id = std::move(chosen.record.id);
    flow.slug = std::move(chosen.record.slug);
    flow.name = document->name;
    flow.owner_id = std::move(chosen.record.owner_id);
    flow.flow_type = document->flow_type;
    flow.version = chosen.version;
    flow.published = chosen.record.published_version == chosen.version;
    flow.document = std::move(document);
    return flow;
}

// flow-format §9: models, tools and knowledge that are not there are warnings of a save and errors of a run.
Result<void> all_known(const Document& document, const References* known)
{
    if (!known)
        return {};
    Problems problems;
    check_references(references_of(document), *known, Level::error, problems);
    if (!problems.has_errors())
        return {};
    const auto& first = problems.list().front();
    auto error = Error(Errc::invalid_argument, "The flow cannot run: " + first.message + ".").reason(first.code);
    for (const auto& one : problems.list())
        static_cast<void>(std::move(error).problem(
            {one.location, one.message, one.code, FieldProblem::Part{one.node_id, one.edge_id}}));
    return error;
}

Result<RunnableFlow> runnable_from(Chosen chosen, std::shared_ptr<const Document> document, const References* known)
{
    if (auto fine = all_known(*document, known); !fine)
        return fine.error();
    return runnable_from(std::move(chosen), std::move(document));
}

}  // namespace

Task<Result<RunnableFlow>> FlowService::runnable(Caller caller, std::string id_or_slug, std::string version)
{
    auto& state = *state_;
    auto chosen = co_await state.parts.database.read([&](sql::Connection& connection) -> Result<Chosen> {
        store::Flows flows(connection);
        auto record = flows.find(id_or_slug, caller.user_id);
        const bool by_slug = !record && record.error().code() == Errc::not_found;
        if (by_slug)
            record = flows.find_by_slug(id_or_slug, caller.user_id);
        if (!record)
            return record.error();
        if (!opens(caller, record->slug))
            return no_such_flow();
        const auto number = choose_version(caller, *record, by_slug, version);
        if (!number)
            return number.error();
        if (!record->is_active)
            return Error(Errc::conflict, "The flow is not active.").reason("flow_inactive");
        Chosen out{std::move(*record), *number, {}};
        if (state.cache.find(out.record.id, *number))
            return out;
        auto text = flows.document(out.record.id, caller.user_id, *number);
        if (!text)
            return text.error();
        out.text = std::move(*text);
        return out;
    });
    if (!chosen)
        co_return chosen.error();
    if (chosen->text.empty())   // the cache may have lost it meanwhile
        if (auto known = state.cache.find(chosen->record.id, chosen->version))
            co_return runnable_from(std::move(*chosen), std::move(known), state.parts.references);
    if (chosen->text.empty()) {
        auto flow = co_await pinned(chosen->record.id, chosen->version);
        if (!flow)
            co_return flow;
        if (auto fine = all_known(*flow->document, state.parts.references); !fine)
            co_return fine.error();
        co_return flow;
    }
    auto document = co_await state.document_of(chosen->record.id, chosen->version, std::move(chosen->text));
    if (!document)
        co_return document.error();
    co_return runnable_from(std::move(*chosen), std::move(*document), state.parts.references);
}

Task<Result<RunnableFlow>> FlowService::pinned(std::string id, std::int64_t version)
{
    auto& state = *state_;
    auto chosen = co_await state.parts.database.read([&](sql::Connection& connection) -> Result<Chosen> {
        store::Flows flows(connection);
        auto record = flows.find_pinned(id, version);
        if (!record)
            return record.error();
        auto text = flows.pinned_document(id, version);
        if (!text)
            return text.error();
        return Chosen{std::move(*record), version, std::move(*text)};
    });
    if (!chosen)
        co_return chosen.error();
    auto document = co_await state.document_of(chosen->record.id, version, std::move(chosen->text));
    if (!document)
        co_return document.error();
    co_return runnable_from(std::move(*chosen), std::move(*document));
}

namespace {

PublishedFlow published_from(store::FlowRecord row)
{
    PublishedFlow flow;
    flow.flow_type = parse_flow_type(row.flow_type).value_or(FlowType::agentflow);
    flow.version = *row.published_version;
    flow.created_at = row.created_at;
    flow.id = std::move(row.id);
    flow.slug = std::move(row.slug);
    flow.name = std::move(row.name);
    flow.description = std::move(row.description);
    return flow;
}

// Nothing: no live, published, active flow of the caller bears the slug, or the caller's key does not name it.
Result<std::optional<PublishedFlow>> published_by_slug(store::Flows flows, const Caller& caller,
                                                       const std::string& slug)
{
    using Found = std::optional<PublishedFlow>;
    if (!opens(caller, slug))
        return Found();
    auto row = flows.find_by_slug(slug, caller.user_id);
    if (!row)
        return row.error().code() == Errc::not_found ? Result<Found>(Found()) : row.error();
    if (!row->published_version || !row->is_active)
        return Found();
    return Found(published_from(std::move(*row)));
}

}  // namespace

Task<Result<std::optional<PublishedFlow>>> FlowService::find_published(Caller caller, std::string slug)
{
    co_return co_await state_->parts.database.read(
        [&](sql::Connection& connection) { return published_by_slug(store::Flows(connection), caller, slug); });
}

Task<Result<std::vector<PublishedFlow>>> FlowService::published(Caller caller)
{
    using Found = std::vector<PublishedFlow>;
    co_return co_await state_->parts.database.read([&](sql::Connection& connection) -> Result<Found> {
        store::Flows flows(connection);
        Found out;
        if (caller.models) {   // few, and perhaps behind the bound of a list
            for (const auto& model : *caller.models) {
                auto flow = model.starts_with(model_word)
                                ? published_by_slug(flows, caller, model.substr(model_word.size()))
                                : std::optional<PublishedFlow>();
                if (!flow)
                    return flow.error();
                if (*flow)
                    out.push_back(std::move(**flow));
            }
            return out;
        }
        auto rows = flows.published(caller.user_id, most_published);
        if (!rows)
            return rows.error();
        for (auto& row : *rows)
            out.push_back(published_from(std::move(row)));
        return out;
    });
}

}  // namespace dure::flows
