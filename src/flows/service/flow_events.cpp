// See flow_events.hpp.
#include "flows/service/flow_events.hpp"

#include "dure/events/journal.hpp"

namespace dure::flows {

namespace {

store::NewEvent workflow_event(const store::FlowRecord& flow, const char* type, Json data, const model::Actor& by)
{
    return events::event_by(by, "Workflow", flow.id, type, std::move(data), flow.owner_id);
}

Json number_or_null(std::optional<std::int64_t> number)
{
    return number ? Json(*number) : Json(nullptr);
}

// What every save tells.
Json saved_members(const store::FlowRecord& flow, const Json& document)
{
    return {{"name", flow.name},
            {"description", flow.description},
            {"category", flow.category},
            {"tags", flow.tags},
            {"is_active", flow.is_active},
            {"version", flow.version},
            {"updated_at", rfc3339(flow.updated_at)},
            {"document", document}};
}

}  // namespace

store::NewEvent workflow_created(const store::FlowRecord& flow, const Json& document, const model::Actor& by)
{
    auto data = saved_members(flow, document);
    data["flow_type"] = flow.flow_type;
    data["slug"] = flow.slug;
    data["owner_id"] = flow.owner_id;
    data["created_at"] = rfc3339(flow.created_at);
    data["published_version"] = nullptr;
    data["restored_from"] = nullptr;
    data["deleted_at"] = nullptr;
    return workflow_event(flow, "WorkflowCreated", std::move(data), by);
}

store::NewEvent workflow_saved(const store::FlowRecord& flow, const Json& document,
                               std::optional<std::int64_t> restored_from, const model::Actor& by)
{
    auto data = saved_members(flow, document);
    data["restored_from"] = number_or_null(restored_from);
    return workflow_event(flow, restored_from ? "WorkflowRestored" : "WorkflowUpdated", std::move(data), by);
}

store::NewEvent workflow_publication(const store::FlowRecord& flow, const model::Actor& by)
{
    return workflow_event(
        flow, flow.published_version ? "WorkflowPublished" : "WorkflowUnpublished",
        {{"published_version", number_or_null(flow.published_version)}, {"updated_at", rfc3339(flow.updated_at)}}, by);
}

store::NewEvent workflow_deleted(const store::FlowRecord& flow, UnixMillis now, const model::Actor& by)
{
    return workflow_event(flow, "WorkflowDeleted", {{"deleted_at", rfc3339(now)}}, by);
}

}  // namespace dure::flows
