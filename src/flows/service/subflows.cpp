// Whether a document could run: what its sub-flows say, flows that are not there, circles, nesting that is too deep (flow-format §6,
// §9); then what the compiler says of it with them. Documents are followed breadth first, a level per read of the database; what a
// circle is shows in the whole picture.
#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "dure/flows/compiler.hpp"
#include "dure/sql/database.hpp"
#include "flows/document/fields.hpp"
#include "flows/service/state.hpp"

namespace dure::flows {

namespace {

constexpr std::size_t deepest_nesting = 5;
constexpr std::size_t most_documents = 200;  // looked at for one save

struct Target {
    store::FlowRecord record;
    std::int64_t version = 0;
};
using Targets = std::map<std::string, Target>;  // by "<name>@<version>" as a node says it
using Links = std::map<std::string, std::set<std::string>>;  // a flow's id -> those of its sub-flows

std::string said(std::string_view name, std::string_view version)
{
    return std::string(name) + "@" + std::string(version);
}

std::string said(const Reference& one)
{
    return said(one.name, one.version);
}

// Nothing named: the published version, or the newest where none is published.
std::optional<std::int64_t> version_meant(const store::FlowRecord& flow, const std::string& wanted)
{
    if (wanted == "draft")
        return flow.version;
    if (wanted == "published")
        return flow.published_version;
    if (wanted.empty())
        return flow.published_version.value_or(flow.version);
    std::int64_t number = 0;
    const auto [end, failed] = std::from_chars(wanted.data(), wanted.data() + wanted.size(), number);
    const bool fits = failed == std::errc() && end == wanted.data() + wanted.size() && number >= 1;
    return fits && number <= flow.version ? std::optional(number) : std::nullopt;
}

Result<std::optional<Target>> find_target(store::Flows& flows, const Caller& caller, const Reference& one)
{
    auto record = flows.find(one.name, caller.user_id);
    if (!record && record.error().code() == Errc::not_found)
        record = flows.find_by_slug(one.name, caller.user_id);
    if (!record && record.error().code() == Errc::not_found)
        return std::optional<Target>();
    if (!record)
        return record.error();
    const auto version = version_meant(*record, one.version);
    if (!version)
        return std::optional<Target>();
    return std::optional(Target{std::move(*record), *version});
}

std::vector<Reference> flows_among(const std::vector<Reference>& references)
{
    std::vector<Reference> out;
    for (const auto& one : references)
        if (one.kind == ReferenceKind::flow)
            out.push_back(one);
    return out;
}

// The longest way down from each flow, found once per flow.
class Depths {
public:
    Depths(const Links& links, std::string own) : links_(links), own_(std::move(own)) {}

    // Nothing: a way leads to `own`, or back to where it came by.
    std::optional<std::size_t> of(const std::string& id)
    {
        if (id == own_)
            return std::nullopt;
        const auto [known, fresh] = known_.try_emplace(id);  // without a depth until it is found: in a circle
        if (!fresh)
            return known->second;
        std::size_t deepest = 0;
        if (const auto below = links_.find(id); below != links_.end())
            for (const auto& next : below->second) {
                const auto depth = of(next);
                if (!depth)
                    return std::nullopt;
                deepest = std::max(deepest, *depth);
            }
        return known_[id] = deepest + 1;
    }

private:
    const Links& links_;
    const std::string own_;
    std::map<std::string, std::optional<std::size_t>> known_;
};

// What lies below a document, followed a level of references at a time.
class Below {
public:
    struct Loaded {
        std::string flow;
        std::int64_t version;
        std::string text;
    };

    Below(const Caller& caller, const store::FlowRecord* own, const std::vector<Reference>& asked)
        : caller_(caller), own_(own ? own->id : std::string())
    {
        for (const auto& one : asked)
            open_.emplace_back("", one);
    }

    bool open() const { return !open_.empty(); }
    bool whole() const { return whole_; }

    // What the open references lead to, and the texts among it that were not looked at before. May be repeated.
    Result<std::vector<Loaded>> look_up(sql::Connection& connection)
    {
        store::Flows flows(connection);
        std::vector<Loaded> loaded;
        std::set<std::string> now;
        for (const auto& [from, one] : open_) {
            auto target = find_target(flows, caller_, one);
            if (!target)
                return target.error();
            if (!*target)
                continue;  // of the document itself: told by tell(); deeper: told when that flow was saved
            const auto& id = (*target)->record.id;
            const auto version = (*target)->version;
            targets_.insert_or_assign(said(one), **target);
            links_[from].insert(id);
            const auto full = read_.size() + now.size() >= most_documents;
            whole_ = whole_ && !full;
            if (id == own_ || full || read_.contains(key(id, version)) || !now.insert(key(id, version)).second)
                continue;
            auto text = flows.document(id, caller_.user_id, version);
            if (!text)
                return text.error();
            loaded.push_back({id, version, std::move(*text)});
        }
        return loaded;
    }

    // All that was looked up is being added.
    void go_down() { open_.clear(); }

    void add(const std::string& flow, std::int64_t version, std::shared_ptr<const Document> document)
    {
        for (auto& next : flows_among(references_of(*document)))
            open_.emplace_back(flow, std::move(next));
        read_[key(flow, version)] = std::move(document);
    }

    void tell(const std::vector<Reference>& asked, Level level, Problems& problems) const
    {
        Depths depths(links_, own_);
        for (const auto& one : asked) {
            const auto target = targets_.find(said(one));
            if (target == targets_.end()) {
                const auto version = one.version.empty() ? "" : " in the version " + in_quotes(one.version);
                problems.add({"flow_unknown", one.location, "there is no flow " + in_quotes(one.name) + version, level,
                              one.node_id});
                continue;
            }
            const auto depth = depths.of(target->second.record.id);
            if (!depth)
                problems.add({"subflow_cycle", one.location,
                              in_quotes(one.name) + " leads back to a flow that calls it", Level::error, one.node_id});
            else if (*depth > deepest_nesting)
                problems.add({"nesting", one.location,
                              "sub-flows may be nested " + std::to_string(deepest_nesting) + " deep", Level::error,
                              one.node_id});
        }
    }

    // By "<name>@<version>" as a node says it.
    std::map<std::string, std::shared_ptr<const Document>> documents() const
    {
        std::map<std::string, std::shared_ptr<const Document>> out;
        for (const auto& [name, target] : targets_)
            if (const auto found = read_.find(key(target.record.id, target.version)); found != read_.end())
                out[name] = found->second;
        return out;
    }

private:
    static std::string key(const std::string& id, std::int64_t version) { return said(id, std::to_string(version)); }

    const Caller& caller_;
    const std::string own_;  // empty: the flow is new
    std::vector<std::pair<std::string, Reference>> open_;  // whose node says it; empty: the document's own
    Targets targets_;
    Links links_;
    std::map<std::string, std::shared_ptr<const Document>> read_;  // by key()
    bool whole_ = true;
};

// The first thing that keeps a document from running, unless it is told already.
void add_compiler_problem(const Document& document, const Error& error, Level level, Problems& problems)
{
    const auto code = error.reason().empty() ? std::string("cannot_run") : error.reason();
    const auto* node = document.find_node(error.param());  // may be of a sub-flow
    const auto node_id = node ? node->id : std::string();
    const bool known = std::any_of(problems.list().begin(), problems.list().end(), [&](const Problem& one) {
        return one.code == code && (one.node_id == node_id || node_id.empty());
    });
    if (!known)
        problems.add({code, node ? Location{"nodes", std::to_string(node->index)} : Location{"nodes"}, error.message(),
                      level, node_id});
}

}  // namespace

Task<Result<void>> FlowService::State::check_runs(const Caller& caller, Prepared& prepared,
                                                  const store::FlowRecord* own, Level level)
{
    const auto subflows = co_await check_flows(caller, prepared.references, own, level, prepared.problems);
    if (!subflows)
        co_return subflows.error();
    if (prepared.problems.has_errors())
        co_return Result<void>();
    co_return co_await pool.run([&]() -> Result<void> {
        bool missing = false;
        const auto compiled =
            compile_flow(*prepared.document, [&](std::string_view flow, std::string_view version) -> const Document* {
                const auto found = subflows->documents.find(said(flow, version));
                missing = missing || found == subflows->documents.end();
                return found == subflows->documents.end() ? nullptr : found->second.get();
            });
        if (!compiled && !(missing && !subflows->whole))
            add_compiler_problem(*prepared.document, compiled.error(), level, prepared.problems);
        return {};
    });
}

Task<Result<FlowService::State::Subflows>> FlowService::State::check_flows(const Caller& caller,
                                                                           const std::vector<Reference>& references,
                                                                           const store::FlowRecord* own, Level level,
                                                                           Problems& problems)
{
    const auto asked = flows_among(references);
    if (asked.empty())
        co_return Subflows();
    Below below(caller, own, asked);
    for (std::size_t level_below = 0; below.open() && level_below <= deepest_nesting; ++level_below) {
        auto loaded =
            co_await parts.database.read([&](sql::Connection& connection) { return below.look_up(connection); });
        if (!loaded)
            co_return loaded.error();
        below.go_down();
        for (auto& one : *loaded) {
            auto document = co_await document_of(one.flow, one.version, std::move(one.text));
            if (!document)
                co_return document.error();
            below.add(one.flow, one.version, std::move(*document));
        }
    }
    below.tell(asked, level, problems);
    co_return Subflows{below.documents(), below.whole()};
}

}  // namespace dure::flows
