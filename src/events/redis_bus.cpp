// The bus between replicas: the inboxes of this process, and one Redis channel.
//   publish() -> own inboxes at once, and one message with the events to the channel
//   a message of another replica -> its events into the inboxes; of one's own: nothing
//   subscribed (again), or a message that cannot be read -> everybody is told of a gap, the store has what is missing
#include "dure/base/clock.hpp"
#include "dure/redis/client.hpp"
#include "events/inboxes.hpp"

namespace dure::events {

namespace {

constexpr const char* event_channel = "dure:events";
constexpr std::size_t largest_message = 256 * 1024;   // beyond it the others are sent to the store

Json wire_form(const model::Event& event)
{
    return {{"position", event.position},
            {"event_id", event.event_id},
            {"aggregate_id", event.aggregate_id},
            {"aggregate_type", event.aggregate_type},
            {"version", event.version},
            {"event_type", event.event_type},
            {"data", event.data},
            {"metadata", event.metadata},
            {"owner_id", event.owner_id},
            {"user_id", event.user_id},
            {"created_at", event.created_at}};
}

// Throws on another shape.
model::Event from_wire(const Json& wire)
{
    model::Event event;
    wire.at("position").get_to(event.position);
    wire.at("event_id").get_to(event.event_id);
    wire.at("aggregate_id").get_to(event.aggregate_id);
    wire.at("aggregate_type").get_to(event.aggregate_type);
    wire.at("version").get_to(event.version);
    wire.at("event_type").get_to(event.event_type);
    event.data = wire.at("data");
    event.metadata = wire.at("metadata");
    wire.at("owner_id").get_to(event.owner_id);
    wire.at("user_id").get_to(event.user_id);
    wire.at("created_at").get_to(event.created_at);
    return event;
}

// "<replica> <JSON array of events>"; without the array: look into the store.
std::string message_of(const std::string& replica, const std::vector<model::Event>& events)
{
    auto list = Json::array();
    for (const auto& event : events)
        list.push_back(wire_form(event));
    auto text = dump(list);
    return text.size() > largest_message ? replica + ' ' : replica + ' ' + text;
}

void hear(Inboxes& inboxes, const std::string& own_id, std::string_view message)
{
    const auto space = message.find(' ');
    if (message.substr(0, space) == own_id || !inboxes.have_readers())
        return;
    std::vector<model::Event> events;
    try {
        if (space == std::string_view::npos || space + 1 == message.size())
            return inboxes.tell_of_a_gap();
        for (const auto& wire : Json::parse(message.substr(space + 1)))
            events.push_back(from_wire(wire));
    } catch (const Json::exception&) {   // of a newer replica, perhaps
        return inboxes.tell_of_a_gap();
    }
    inboxes.publish(std::move(events));
}

class RedisBus final : public Bus {
public:
    RedisBus(redis::Client& redis, std::size_t capacity) : redis_(redis), inboxes_(std::make_shared<Inboxes>(capacity))
    {
        // The client may call these after the bus is gone.
        redis_.subscribe(event_channel, {.on_message = [inboxes = inboxes_, id = id_](
                                                           std::string_view message) { hear(*inboxes, id, message); },
                                         .on_subscribed = [inboxes = inboxes_] { inboxes->tell_of_a_gap(); }});
    }

    void publish(std::vector<model::Event> events) override
    {
        if (events.empty())
            return;
        redis_.publish(event_channel, message_of(id_, events));
        inboxes_->publish(std::move(events));
    }
    std::unique_ptr<Subscription> subscribe(boost::asio::any_io_executor executor) override
    {
        return inboxes_->subscribe(std::move(executor));
    }
    void close() override { inboxes_->close(); }

private:
    redis::Client& redis_;
    const std::string id_ = new_id();
    std::shared_ptr<Inboxes> inboxes_;
};

}  // namespace

std::unique_ptr<Bus> redis_bus(redis::Client& redis, std::size_t capacity)
{
    return std::make_unique<RedisBus>(redis, capacity);
}

}  // namespace dure::events
