// FlowService: what reads. Changes stand in changes.cpp, saving by name in save_by_name.cpp, what runs in runnable.cpp.
#include "dure/flows/service.hpp"

#include "dure/sql/database.hpp"
#include "flows/service/diff.hpp"
#include "flows/service/state.hpp"

namespace dure::flows {

FlowService::FlowService(Parts parts) : state_(std::make_unique<State>(std::move(parts))) {}

FlowService::~FlowService() = default;

Task<Result<Flow>> FlowService::find(Caller caller, std::string id, std::optional<FlowType> type)
{
    co_return co_await state_->parts.database.read([&](sql::Connection& connection) -> Result<Flow> {
        store::Flows flows(connection);
        auto record = flows.find(id, caller.user_id);
        if (!record)
            return record.error();
        if (type && record->flow_type != name_of(*type))
            return Error(Errc::not_found, "No such flow.");
        auto text = flows.document(id, caller.user_id, record->version);
        if (!text)
            return text.error();
        auto version = flows.version(id, caller.user_id, record->version);
        if (!version)
            return version.error();
        return Flow{std::move(*record), version->version, version->created_at, std::move(*text)};
    });
}

Task<Result<Flow>> FlowService::find_version(Caller caller, std::string id, std::int64_t version)
{
    co_return co_await state_->parts.database.read([&](sql::Connection& connection) -> Result<Flow> {
        store::Flows flows(connection);
        auto record = flows.find(id, caller.user_id);
        if (!record)
            return record.error();
        auto row = flows.version(id, caller.user_id, version);
        if (!row)
            return row.error();
        auto text = flows.document(id, caller.user_id, version);
        if (!text)
            return text.error();
        return Flow{std::move(*record), version, row->created_at, std::move(*text)};
    });
}

Task<Result<FlowPage>> FlowService::list(Caller caller, ListRequest request)
{
    auto& totals = state_->totals;
    const auto key = FlowTotals::key_of(caller.user_id, request.filter);
    struct Found {
        FlowPage page;
        std::int64_t changes = 0;
        bool counted = false;
    };
    auto found = co_await state_->parts.database.read([&](sql::Connection& connection) -> Result<Found> {
        store::Flows flows(connection);
        const auto changes = flows.changes(caller.user_id);
        if (!changes)
            return changes.error();
        Found out{{}, *changes, false};
        if (const auto known = totals.find(key, *changes)) {
            out.page.total = *known;
        } else {
            const auto total = flows.count(caller.user_id, request.filter);
            if (!total)
                return total.error();
            out.page.total = *total;
            out.counted = true;
        }
        if (out.page.total <= (request.page.page - 1) * request.page.page_size)
            return out;
        auto rows = flows.list(caller.user_id, request.filter, request.order, request.descending, request.page,
                               out.page.total);
        if (!rows)
            return rows.error();
        out.page.flows = std::move(*rows);
        return out;
    });
    if (!found)
        co_return found.error();
    if (found->counted)
        totals.put(key, found->changes, found->page.total);
    co_return std::move(found->page);
}

Task<Result<VersionPage>> FlowService::versions(Caller caller, std::string id, store::NumberedPage page)
{
    co_return co_await state_->parts.database.read([&](sql::Connection& connection) -> Result<VersionPage> {
        store::Flows flows(connection);
        const auto record = flows.find(id, caller.user_id);
        if (!record)
            return record.error();
        auto rows = flows.versions(id, caller.user_id, page);
        if (!rows)
            return rows.error();
        return VersionPage{std::move(*rows), record->version, record->published_version};  // numbered without a gap
    });
}

Task<Result<OrderedJson>> FlowService::diff(Caller caller, std::string id, std::int64_t before, std::int64_t after)
{
    struct Texts {
        std::string before, after;
    };
    const auto texts = co_await state_->parts.database.read([&](sql::Connection& connection) -> Result<Texts> {
        store::Flows flows(connection);
        auto first = flows.document(id, caller.user_id, before);
        if (!first)
            return first.error();
        auto second = flows.document(id, caller.user_id, after);
        if (!second)
            return second.error();
        return Texts{std::move(*first), std::move(*second)};
    });
    if (!texts)
        co_return texts.error();
    co_return co_await state_->pool.run([&]() -> Result<OrderedJson> {
        return difference_of(OrderedJson::parse(texts->before), OrderedJson::parse(texts->after));
    });
}

Task<Result<Problems>> FlowService::validate(Caller caller, std::string body)
{
    auto prepared = co_await state_->prepare_text(std::move(body), std::nullopt);
    if (!prepared)
        co_return prepared.error();
    if (auto checked = co_await state_->check_runs(caller, *prepared, nullptr, Level::warning); !checked)
        co_return checked.error();
    co_return std::move(prepared->problems);
}

}  // namespace dure::flows
