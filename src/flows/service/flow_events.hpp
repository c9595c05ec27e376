// The events of flows, aggregate type Workflow; docs/events.md has their data. A version's event holds its whole document, so
// that a replay gives the flow exactly as it was.
#pragma once

#include "dure/base/json.hpp"
#include "dure/model/event.hpp"
#include "dure/store/events.hpp"
#include "dure/store/flows.hpp"

namespace dure::flows {

store::NewEvent workflow_created(const store::FlowRecord& flow, const Json& document, const model::Actor& by);
// `restored_from`: the version whose document it is; empty: an ordinary save.
store::NewEvent workflow_saved(const store::FlowRecord& flow, const Json& document,
                               std::optional<std::int64_t> restored_from, const model::Actor& by);
// Published, or unpublished when the flow has no published version now.
store::NewEvent workflow_publication(const store::FlowRecord& flow, const model::Actor& by);
store::NewEvent workflow_deleted(const store::FlowRecord& flow, UnixMillis now, const model::Actor& by);

}  // namespace dure::flows
