// Flows and their versions. Every method names the owner; somebody else's flow is not_found, as is a deleted one.
// Several statements make one change: call each method inside one unit of work.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dure/base/clock.hpp"
#include "dure/sql/connection.hpp"

namespace dure::store {

// A flow without its document.
struct FlowRecord {
    std::string id;
    std::string owner_id;
    std::string flow_type;  // agentflow, chatflow
    std::string name;
    std::string slug;  // unique among the live flows of all owners
    std::string description;
    std::string category;
    std::vector<std::string> tags;
    bool is_active = true;
    std::int64_t version = 1;  // number of the newest document
    std::int64_t revision = 1;  // counts every change, also publishing: what an ETag is made of
    std::optional<std::int64_t> published_version;
    UnixMillis created_at = 0;
    UnixMillis updated_at = 0;
};

struct FlowVersion {
    std::int64_t version = 0;
    std::string saved_by;  // id of the user
    UnixMillis created_at = 0;
};

enum class FlowOrder { updated_at, created_at, name };

struct FlowFilter {
    std::string flow_type = {};  // empty: all
    std::string search = {};  // part of the name or description; ASCII letters match in both cases
    std::string category = {};  // empty: all
    std::vector<std::string> tags = {};  // the flow has every one of them
    std::optional<bool> is_active = {};
};

// Pages by number, from 1.
struct NumberedPage {
    std::int64_t page = 1;
    std::int64_t page_size = 20;  // 1 to 100; what lies outside is moved there
};

class Flows {
public:
    explicit Flows(sql::Connection& connection) : connection_(connection) {}

    // Stores the flow with its first version. conflict: id or slug taken.
    Result<void> insert(const FlowRecord& flow, std::string_view document, std::string_view saved_by);
    Result<FlowRecord> find(std::string_view id, std::string_view owner_id);
    // The same, and holds the row until the unit ends: what is decided from it stays true.
    Result<FlowRecord> find_for_update(std::string_view id, std::string_view owner_id);
    Result<FlowRecord> find_by_slug(std::string_view slug, std::string_view owner_id);
    // The flow of a run that has started, whose rights were checked then: also when it was deleted since.
    Result<FlowRecord> find_pinned(std::string_view id, std::int64_t version);
    Result<std::string> pinned_document(std::string_view id, std::int64_t version);
    // Nobody else creates or saves by this name of this owner until the unit ends.
    Result<void> hold_name(std::string_view name, std::string_view owner_id);
    // The one changed last, if several bear the name.
    Result<FlowRecord> find_by_name(std::string_view name, std::string_view owner_id);
    // A new version over the newest: name, description, category, tags, is_active and updated_at are taken from `flow`.
    // Gives the record as it is now stored.
    Result<FlowRecord> save(const FlowRecord& flow, std::string_view document, std::string_view saved_by);
    // nullopt takes the publication away. not_found: also a version that does not exist.
    Result<FlowRecord> publish(std::string_view id, std::string_view owner_id, std::optional<std::int64_t> version,
                               UnixMillis now);
    // Soft: the rows stay, nobody sees them; the slug is free again.
    Result<void> remove(std::string_view id, std::string_view owner_id, UnixMillis now);

    // `total`: what count() says of the filter; pages behind the middle are walked to from the end.
    Result<std::vector<FlowRecord>> list(std::string_view owner_id, const FlowFilter& filter, FlowOrder order,
                                         bool descending, const NumberedPage& page, std::int64_t total);
    Result<std::int64_t> count(std::string_view owner_id, const FlowFilter& filter);
    // Rises with every change of the owner's flows that can change a list or its count; 0: there was none.
    Result<std::int64_t> changes(std::string_view owner_id);
    // Published and active, by slug.
    Result<std::vector<FlowRecord>> published(std::string_view owner_id, std::int64_t limit);

    Result<std::string> document(std::string_view id, std::string_view owner_id, std::int64_t version);
    Result<FlowVersion> version(std::string_view id, std::string_view owner_id, std::int64_t version);
    // Newest first.
    Result<std::vector<FlowVersion>> versions(std::string_view id, std::string_view owner_id, const NumberedPage& page);

private:
    Result<void> note_change(std::string_view owner_id);
    Result<void> add_version(std::string_view id, std::int64_t version, std::string_view document,
                             std::string_view saved_by, UnixMillis now);

    sql::Connection& connection_;
};

}  // namespace dure::store
