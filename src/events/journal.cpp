// Batch and Journal; see journal.hpp.
#include "dure/events/journal.hpp"

#include "dure/base/text.hpp"
#include "events/append_batches.hpp"

namespace dure::events {

void Batch::add(store::NewEvent event, std::optional<std::int64_t> expected_version)
{
    if (event.created_at == 0)
        event.created_at = now_;
    added_.push_back({std::move(event), expected_version});
}

Result<std::vector<model::Event>> Batch::store(sql::Connection& connection)
{
    return store::append_every(connection, std::exchange(added_, {}));
}

std::string metadata_text_of(const model::Actor& actor)
{
    std::string text;
    text.reserve(60 + actor.address.size() + actor.key_id.size() + actor.request_id.size() + actor.user_id.size());
    char before = '{';
    for (const auto& [name, value] : {std::pair("\"address\":", &actor.address), std::pair("\"key_id\":", &actor.key_id),
                                      std::pair("\"request_id\":", &actor.request_id), std::pair("\"user_id\":", &actor.user_id)}) {
        if (value->empty())
            continue;
        text += before;
        text += name;
        append_json_string(text, *value);
        before = ',';
    }
    text += text.empty() ? "{}" : "}";
    return text;
}

store::NewEvent event_by(const model::Actor& actor, std::string aggregate_type, std::string aggregate_id,
                         std::string event_type, Json data, std::string owner_id)
{
    store::NewEvent event;
    event.aggregate_type = std::move(aggregate_type);
    event.aggregate_id = std::move(aggregate_id);
    event.event_type = std::move(event_type);
    event.data = std::move(data);
    event.owner_id = std::move(owner_id);
    event.user_id = actor.user_id;
    for (const auto& [name, value] : {std::pair("user_id", &actor.user_id), std::pair("key_id", &actor.key_id),
                                      std::pair("request_id", &actor.request_id), std::pair("address", &actor.address)})
        if (!value->empty())
            event.metadata[name] = *value;
    return event;
}

Result<void> Journal::Told::store(sql::Connection& connection)
{
    auto events = batch.store(connection);
    if (!events)
        return events.error();
    stored = std::move(*events);
    return {};
}

Journal::Journal(sql::Database& database, Bus& bus, const Clock& clock)
    : database_(database), bus_(bus), clock_(clock), appends_(std::make_shared<AppendBatches>(database, bus))
{}

Task<Result<model::Event>> Journal::append(store::NewEvent event, std::optional<std::int64_t> expected_version)
{
    if (event.created_at == 0)
        event.created_at = clock_.now();
    const auto appends = appends_;   // the journal may go before the last coroutine does
    co_return co_await appends->append(std::move(event), expected_version);
}

}  // namespace dure::events
