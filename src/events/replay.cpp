// Fold; see replay.hpp.
#include "dure/events/replay.hpp"

namespace dure::events {

bool Fold::apply(const model::Event& event)
{
    if ((end_.version && event.version > *end_.version) || (end_.time && event.created_at > *end_.time))
        return false;
    state_.aggregate_id = event.aggregate_id;
    state_.aggregate_type = event.aggregate_type;
    state_.owner_id = event.owner_id;
    state_.version = event.version;
    state_.at = event.created_at;
    state_.state.merge_patch(event.data);
    return true;
}

}  // namespace dure::events
