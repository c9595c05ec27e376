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
    Subflows out;
    const auto asked = flows_among(references);
    if (asked.empty())
        co_return out;
    Targets targets;
    Links links;
    std::set<std::string> looked_at;  // "<id>@<version>"
    std::map<std::string, std::shared_ptr<const Document>> read;  // by the same
    std::vector<std::pair<std::string, Reference>> open;  // whose node says it; empty: the document's own
    for (const auto& one : asked)
        open.emplace_back("", one);
    for (std::size_t level_below = 0; !open.empty() && level_below <= deepest_nesting; ++level_below) {
        struct Loaded {
            Target target;
            std::string text;
        };
        std::vector<Loaded> loaded;
        auto found = co_await parts.database.read([&](sql::Connection& connection) -> Result<void> {
            store::Flows flows(connection);
            loaded.clear();
            for (const auto& [from, one] : open) {
                auto target = find_target(flows, caller, one);
                if (!target)
                    return target.error();
                if (!*target)
                    continue;  // of the document itself: told below; deeper: told when that flow was saved
                targets.insert_or_assign(said(one), **target);
                links[from].insert((*target)->record.id);
                const auto key = (*target)->record.id + "@" + std::to_string((*target)->version);
                out.whole = out.whole && looked_at.size() < most_documents;
                if ((own && (*target)->record.id == own->id) || looked_at.size() >= most_documents ||
                    !looked_at.insert(key).second)
                    continue;
                auto text = flows.document((*target)->record.id, caller.user_id, (*target)->version);
                if (!text)
                    return text.error();
                loaded.push_back({std::move(**target), std::move(*text)});
            }
            return {};
        });
        if (!found)
            co_return found.error();
        open.clear();
        for (auto& one : loaded) {
            const auto document = co_await document_of(one.target.record.id, one.target.version, std::move(one.text));
            if (!document)
                co_return document.error();
            read[one.target.record.id + "@" + std::to_string(one.target.version)] = *document;
            for (auto& next : flows_among(references_of(**document)))
                open.emplace_back(one.target.record.id, std::move(next));
        }
    }
    Depths depths(links, own ? own->id : std::string());
    for (const auto& one : asked) {
        const auto target = targets.find(said(one));
        if (target == targets.end()) {
            problems.add({"flow_unknown", one.location,
                          "there is no flow " + in_quotes(one.name) +
                              (one.version.empty() ? "" : " in the version " + in_quotes(one.version)),
                          level, one.node_id});
            continue;
        }
        const auto depth = depths.of(target->second.record.id);
        if (!depth)
            problems.add({"subflow_cycle", one.location, in_quotes(one.name) + " leads back to a flow that calls it",
                          Level::error, one.node_id});
        else if (*depth > deepest_nesting)
            problems.add({"nesting", one.location,
                          "sub-flows may be nested " + std::to_string(deepest_nesting) + " deep", Level::error,
                          one.node_id});
    }
    for (const auto& [name, target] : targets)
        if (const auto found = read.find(target.record.id + "@" + std::to_string(target.version)); found != read.end())
            out.documents[name] = found->second;
    co_return out;
}

}  // namespace dure::flows
