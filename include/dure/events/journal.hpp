// Journal: changes the state and writes the events that describe it in one transaction, then tells the bus.
//   co_await journal.write([&](sql::Connection& c, events::Batch& batch) -> Result<void> {
//       batch.add(events::event_by(actor, "Role", name, "RoleCreated", data, owner));
//       return store::Roles(c).insert(role);
//   });
// What is added to the batch is stored at the end of the unit, after every other statement: that is when the lock of the
// global order is taken, so that units hold it as briefly as can be and never wait for each other in a circle.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dure/events/bus.hpp"
#include "dure/sql/database.hpp"
#include "dure/store/events.hpp"

namespace dure::events {

class AppendBatches;

class Batch {
public:
    explicit Batch(UnixMillis now) : now_(now) {}

    // Its time is that of the unit unless it has one.
    void add(store::NewEvent event, std::optional<std::int64_t> expected_version = {});
    // In the order they were added; the error of the first that cannot be stored. Once: the events are moved out.
    Result<std::vector<model::Event>> store(sql::Connection& connection);

private:
    UnixMillis now_;
    std::vector<store::EventToAppend> added_;
};

// Of somebody's doing, as an event's metadata: a JSON object of user, key, request and address.
std::string metadata_text_of(const model::Actor& actor);
// An event of somebody's doing: user, key, request and address become its metadata.
store::NewEvent event_by(const model::Actor& actor, std::string aggregate_type, std::string aggregate_id,
                         std::string event_type, Json data, std::string owner_id);

// Thread-safe; database, bus and clock must outlive it.
class Journal {
public:
    Journal(sql::Database& database, Bus& bus, const Clock& clock);

    // `work` is Result<T>(sql::Connection&, Batch&); it may be run again, with a new batch. Its error, or a conflict of the
    // events, rolls everything back.
    template <class F>
    Task<std::invoke_result_t<F&, sql::Connection&, Batch&>> write(F work)
    {
        Told told{clock_.now()};
        auto outcome =
            co_await database_.write([&](sql::Connection& connection) { return told.run(work, connection); });
        if (outcome)
            bus_.publish(std::move(told.stored));
        co_return outcome;
    }

    // The same, for short units that come in numbers: those that wait at the same time may share a transaction (see
    // sql::Database::write_together). Not for one that decides by events: those of the others in its transaction are not stored yet.
    template <class F>
    Task<std::invoke_result_t<F&, sql::Connection&, Batch&>> write_together(F work)
    {
        Told told{clock_.now()};
        auto outcome =
            co_await database_.write_together([&](sql::Connection& connection) { return told.run(work, connection); });
        if (outcome)
            bus_.publish(std::move(told.stored));
        co_return outcome;
    }

    // One event without other state; see store::Events::append. Those that come at the same time share a transaction.
    Task<Result<model::Event>> append(store::NewEvent event, std::optional<std::int64_t> expected_version = {});

    // Tells the bus of an event that a unit of the caller has stored, as its last one, after its commit. `make` gives the event; it is
    // called only when somebody hears of it.
    template <class F>
    void tell(F make)
    {
        if (!bus_.heard())
            return;
        std::vector<model::Event> events;
        events.push_back(make());
        bus_.publish(std::move(events));
    }

private:
    // The events of a unit, which are stored at its end.
    struct Told {
        UnixMillis now;
        Batch batch = Batch(0);
        std::vector<model::Event> stored = {};

        template <class F>
        std::invoke_result_t<F&, sql::Connection&, Batch&> run(F& work, sql::Connection& connection)
        {
            batch = Batch(now);
            auto worked = work(connection, batch);
            if (!worked)
                return worked;
            const auto put_off = connection.at_end([this](sql::Connection& c) { return store(c); });
            if (!put_off)
                return put_off.error();
            return worked;
        }
        Result<void> store(sql::Connection& connection);
    };

    sql::Database& database_;
    Bus& bus_;
    const Clock& clock_;
    const std::shared_ptr<AppendBatches> appends_;
};

}  // namespace dure::events
