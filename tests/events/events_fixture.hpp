// What the tests of module events share: a migrated database of each driver, a bus, a journal.
#pragma once

#include "dure/events/journal.hpp"
#include "store/store_fixture.hpp"

namespace dure::events {

inline store::NewEvent event_of(const std::string& aggregate, const std::string& owner = "kim", Json data = Json::object(),
                                UnixMillis at = 0)
{
    store::NewEvent event;
    event.aggregate_id = aggregate;
    event.aggregate_type = "Session";
    event.event_type = "TurnRecorded";
    event.data = std::move(data);
    event.owner_id = owner;
    event.user_id = owner;
    event.created_at = at;
    return event;
}

class EventsFixture : public store::StoreTest {
protected:
    // Into the store only, as another process would.
    model::Event append_silently(const store::NewEvent& event)
    {
        return in<store::Events>([&](store::Events events) { return events.append(event); }).value();
    }

    SystemClock clock_;
    std::unique_ptr<Bus> bus_ = in_process_bus(8);
};

}  // namespace dure::events
