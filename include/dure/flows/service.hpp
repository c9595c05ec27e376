// FlowService: the flows of their owners: create, read, list, save, compare, restore, publish, delete; and what others run.
//   auto saved = co_await flows.update(caller, id, body, {.if_match = "\"3\""});   // problems, another ETag, or the flow
//   auto flow = co_await flows.runnable(caller, "triage", "published");             // what an execution starts from
// Every call acts for its caller: somebody else's flow is not_found, as is a deleted one. A change, its version and its event
// are one transaction. Documents are read and checked on threads of their own. Thread-safe; awaited on a core.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dure/base/clock.hpp"
#include "dure/base/error.hpp"
#include "dure/base/json.hpp"
#include "dure/base/log.hpp"
#include "dure/base/task.hpp"
#include "dure/config/settings.hpp"
#include "dure/flows/document.hpp"
#include "dure/flows/references.hpp"
#include "dure/model/event.hpp"
#include "dure/model/spend_limits.hpp"
#include "dure/store/flows.hpp"

namespace dure::events {
class Journal;
}
namespace dure::sql {
class Database;
}

namespace dure::flows {

using store::FlowFilter;
using store::FlowOrder;
using store::FlowRecord;
using store::FlowVersion;
using store::NumberedPage;

// Who asks. A key may be bound to models: `flow:<slug>` among them opens just that flow, for running.
struct Caller {
    std::string user_id;
    std::optional<std::vector<std::string>> models = {};  // of the key; empty: every model
    bool may_edit = false;  // flows:manage: drafts run only for those (flow-format §11)
    model::Actor by = {};  // for the events
    std::vector<std::string> permissions = {};  // what a run that this caller starts may use
    model::SpendLimits key_limits = {};  // of the key's calls of models
};

// A flow at one version, ready to run.
struct RunnableFlow {
    std::string id, slug, name, owner_id;
    FlowType flow_type = FlowType::agentflow;
    std::int64_t version = 0;
    bool published = false;  // this version is the published one
    std::shared_ptr<const Document> document;
};

struct PublishedFlow {
    std::string id, slug, name, description;
    FlowType flow_type = FlowType::agentflow;
    std::int64_t version = 0;
    UnixMillis created_at = 0;
};

// A flow with one version of its document.
struct Flow {
    store::FlowRecord record;
    std::int64_t version = 0;  // of the document; record.version is the newest
    UnixMillis saved_at = 0;  // when that version was
    std::string document;  // JSON text, keys in the order of flow-format §1
};
// `"<revision>"`: changes with every change, also by publishing.
std::string etag_of(const store::FlowRecord& flow);

// What a change came to: exactly one of three.
struct Change {
    std::optional<Flow> flow;  // done
    Problems problems;  // with an error among them: nothing was stored; else the warnings of the flow
    std::optional<std::string> current_etag;  // If-Match did not hold; nothing was stored
};

struct ChangeOptions {
    // The header as sent, an empty one never holds; nothing: the change goes on top of whatever is there.
    std::optional<std::string> if_match = {};
    std::optional<FlowType> type = {};  // a flow of another type is not_found
};

struct FlowPage {
    std::vector<store::FlowRecord> flows;
    std::int64_t total = 0;
};

struct VersionPage {
    std::vector<store::FlowVersion> versions;  // newest first
    std::int64_t total = 0;
    std::optional<std::int64_t> published_version;
};

struct ListRequest {
    store::FlowFilter filter;
    store::FlowOrder order = store::FlowOrder::updated_at;
    bool descending = true;
    store::NumberedPage page;
};

class FlowService {
public:
    struct Parts {
        sql::Database& database;
        events::Journal& journal;
        const config::Settings& settings;
        const Clock& clock;
        Logger& logger;
        const References* references;  // null: nothing outside of the flows is checked
    };
    // All outlive it.
    explicit FlowService(Parts parts);
    ~FlowService();

    // `body`: the text of a document, or of its settings alone.
    Task<Result<Change>> create(Caller caller, FlowType type, std::string body);
    // The top-level keys of `body` in place of the flow's own; null takes one away. conflict: it changes faster than this.
    Task<Result<Change>> update(Caller caller, std::string id, std::string body, ChangeOptions options);
    // `body`: {name, flow_data, description?, flow_type?}. The flow of that name gets a new version, or there is a new flow; its
    // newest version is also written to the file `<directory>/<slug>.json`.
    struct SavedByName {
        Change change;
        bool file_written = false;  // false: the row is stored and the copy is not; the log says why
    };
    Task<Result<SavedByName>> save_by_name(Caller caller, std::string body);
    // A new version with the document of an old one. not_found: there is no such version.
    Task<Result<Change>> restore(Caller caller, std::string id, std::int64_t version, ChangeOptions options);
    // The newest version, or the one given. Problems: what keeps it from running.
    Task<Result<Change>> publish(Caller caller, std::string id, std::optional<std::int64_t> version,
                                 ChangeOptions options);
    Task<Result<Change>> unpublish(Caller caller, std::string id, ChangeOptions options);
    // Soft: the history stays, the slug is free again. The flow in the answer is what it was.
    Task<Result<Change>> remove(Caller caller, std::string id, ChangeOptions options);

    Task<Result<Flow>> find(Caller caller, std::string id, std::optional<FlowType> type = {});
    Task<Result<Flow>> find_version(Caller caller, std::string id, std::int64_t version);
    Task<Result<FlowPage>> list(Caller caller, ListRequest request);
    Task<Result<VersionPage>> versions(Caller caller, std::string id, store::NumberedPage page);
    // {nodes, edges, settings, layout_only, patch} from version `before` to version `after` (flow-format §11).
    Task<Result<OrderedJson>> diff(Caller caller, std::string id, std::int64_t before, std::int64_t after);
    // Everything a save would say of the document, and what a publication would.
    Task<Result<Problems>> validate(Caller caller, std::string body);

    // What an execution starts from. `version`: "published", "draft", a number, or empty: by slug the published one; by id
    // the newest for those who may edit and the published one for others. not_found: also a version the caller may not run, a
    // flow a bound key does not name. conflict "flow_inactive".
    Task<Result<RunnableFlow>> runnable(Caller caller, std::string id_or_slug, std::string version = {});
    // The version a run that has started is pinned to, whatever became of the flow since; its rights were checked then.
    Task<Result<RunnableFlow>> pinned(std::string id, std::int64_t version);
    // Flows that are models (`flow:<slug>`) of the caller: published, active, named by its key if that is bound. By name, at
    // most the first 1,000; the others are models all the same.
    Task<Result<std::vector<PublishedFlow>>> published(Caller caller);
    // One of them; nothing: there is none.
    Task<Result<std::optional<PublishedFlow>>> find_published(Caller caller, std::string slug);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace dure::flows
