// What FlowService works with, and the steps its methods share. prepare() and what it calls run on the service's threads,
// check_runs() and the methods of the service on a core.
#pragma once

#include <map>

#include "dure/base/blocking_pool.hpp"
#include "dure/flows/service.hpp"
#include "flows/service/document_cache.hpp"
#include "flows/service/edit_turns.hpp"
#include "flows/service/flow_files.hpp"
#include "flows/service/flow_totals.hpp"

namespace dure::flows {

// A document that was read and checked. text and data are there when the problems have no error.
struct Prepared {
    std::shared_ptr<const Document> document;
    Problems problems;
    std::vector<Reference> references;
    std::string text;  // as it is stored
    Json data;  // the same, for the event
};

struct FlowService::State {
    explicit State(Parts with);

    Task<Result<Prepared>> prepare_text(std::string body, std::optional<FlowType> type);
    // `changes` over the document `base`; both are texts.
    Task<Result<Prepared>> prepare_changes(std::string base, std::string changes, FlowType type);
    Task<Result<Prepared>> prepare_stored(std::string text, FlowType type, Level level);
    Prepared prepare(const OrderedJson& tree, std::optional<FlowType> type, Level level) const;

    // Whether the document could run now: its sub-flows, and then what the compiler says (subflows.cpp). `own`: the flow it is of;
    // null: new.
    Task<Result<void>> check_runs(const Caller& caller, Prepared& prepared, const store::FlowRecord* own, Level level);
    // Documents of sub-flows as their nodes name them: "<flow>@<version>".
    struct Subflows {
        std::map<std::string, std::shared_ptr<const Document>> documents;
        bool whole = true;  // false: there are more of them than are looked at
    };
    // flow_unknown, subflow_cycle, nesting.
    Task<Result<Subflows>> check_flows(const Caller& caller, const std::vector<Reference>& references,
                                       const store::FlowRecord* own, Level level, Problems& problems);
    // From the cache, or read from `text`, which must be the stored one.
    Task<Result<std::shared_ptr<const Document>>> document_of(const std::string& id, std::int64_t version,
                                                              std::string text);

    Task<Result<Change>> insert(const Caller& caller, Prepared prepared);
    store::FlowRecord fresh_record(const Caller& caller, const Document& document) const;

    // One try of a save by name (save_by_name.cpp).
    struct NamedSave {
        Change change;
        std::shared_ptr<const Document> document;
    };
    Task<Result<std::optional<NamedSave>>> save_named(const Caller& caller, const OrderedJson& tree,
                                                      const Problems& problems);
    Task<Result<std::optional<store::FlowRecord>>> write_named(const Caller& caller, const Prepared& prepared,
                                                               const std::optional<store::FlowRecord>& seen,
                                                               const store::FlowRecord& flow);

    Task<void> refresh_copy(const store::FlowRecord& flow, std::shared_ptr<const Document> document);
    Flow flow_from(store::FlowRecord record, Prepared& prepared);

    const Parts parts;
    const DocumentLimits limits;
    DocumentCache cache;
    FlowTotals totals;
    EditTurns turns;
    BlockingPool pool;  // reading and checking documents
    FlowFiles files;
};

// The flow's columns that come from its document.
store::FlowRecord described_by(store::FlowRecord record, const Document& document, UnixMillis now);

// Does the header name this ETag? Weak ones never match.
bool if_match_holds(std::string_view header, const std::string& etag);

}  // namespace dure::flows
