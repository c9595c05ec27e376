// See checkpoint_reader.hpp.
#include "runs/checkpoint_reader.hpp"

#include <algorithm>
#include <set>

#include "runs/channel_rows.hpp"

namespace dure::runs {

namespace {

constexpr std::int64_t page_of_history = 200;

std::string select_checkpoints(std::string_view condition)
{
    return "SELECT ns, id, parent, run_id, step, source, created_at, graph_version, frontier, metadata, versions "
           "FROM graph_checkpoints WHERE thread_id = $1 AND ns = $2 " +
           std::string(condition);
}

Error damaged(std::string detail)
{
    return Error(Errc::internal, "The stored state is damaged.").reason("STORAGE_ERROR").detail(std::move(detail));
}

graph::Source source_named(const std::string& name)
{
    for (const auto source : {graph::Source::input, graph::Source::loop, graph::Source::update, graph::Source::fork})
        if (graph::name_of(source) == name)
            return source;
    throw InvariantBroken("unknown source of a stored checkpoint: " + name);
}

graph::Checkpoint checkpoint_from(const sql::Row& row)
{
    graph::Checkpoint found;
    found.ns = row.text(0);
    found.id = row.text(1);
    found.parent = row.text(2);
    found.run = row.text(3);
    found.step = row.integer(4);
    found.source = source_named(row.text(5));
    found.created_at = row.integer(6);
    found.graph_version = row.text(7);
    found.frontier = Json::parse(row.text(8));
    found.metadata = Json::parse(row.text(9));
    found.versions = versions_from(row.text(10), found.id);
    return found;
}

// $3: [[checkpoint, channel], …], the newest pieces; what they build on comes with them. A piece lies in a row of its own or
// in the one its checkpoint has for several; deltas always have their own.
std::string chain_sql(sql::Dialect dialect)
{
    const std::string wanted =
        dialect == sql::Dialect::sqlite
            ? "SELECT value ->> '$[0]', value ->> '$[1]' FROM json_each($3)"
            : "SELECT (value ->> 0) COLLATE \"C\", (value ->> 1) COLLATE \"C\" FROM json_array_elements($3::json)";
    const std::string same_piece = "w.thread_id = $1 AND w.ns = $2 AND w.checkpoint_id = n.checkpoint_id AND "
                                   "w.channel = n.channel";
    return "WITH RECURSIVE needed(checkpoint_id, channel) AS (" + wanted +
           " UNION SELECT w.base, w.channel FROM needed n JOIN graph_channel_writes w ON " + same_piece +
           " WHERE w.base <> ''), places(checkpoint_id, channel) AS (SELECT checkpoint_id, channel FROM needed UNION "
           "SELECT checkpoint_id, '' FROM needed) SELECT w.checkpoint_id, w.channel, w.base, w.deltas, w.data "
           "FROM places n JOIN graph_channel_writes w ON " +
           same_piece;
}

Result<Pieces> read_pieces(sql::Connection& connection, const std::string& thread, const std::string& ns,
                           const std::vector<graph::StoredCheckpoint>& of)
{
    std::set<Place> wanted;
    for (const auto& found : of)
        for (const auto& [channel, version] : found.checkpoint.versions)
            wanted.emplace(version, channel);
    Pieces pieces;
    if (wanted.empty())
        return pieces;
    const auto rows = connection.query(chain_sql(connection.dialect()), thread, ns, dump(Json(wanted)));
    if (!rows)
        return rows.error();
    for (const auto row : *rows)
        add_pieces(row, pieces);
    return pieces;
}

Result<graph::ChannelData> chain_from(const Pieces& pieces, const std::string& channel, const std::string& version)
{
    graph::ChannelData chain;
    for (auto next = version; !next.empty();) {
        const auto found = pieces.find(Place(next, channel));
        if (found == pieces.end())
            return damaged("channel " + channel + " of checkpoint " + next + " has no data");
        const auto& piece = found->second;
        if (piece.delta)
            chain.deltas.push_back(piece.data);
        else
            chain.whole = piece.data;
        next = piece.base;
    }
    std::reverse(chain.deltas.begin(), chain.deltas.end());
    return chain;
}

Result<void> add_channels(sql::Connection& connection, const std::string& thread, const std::string& ns,
                          std::vector<graph::StoredCheckpoint>& to)
{
    const auto pieces = read_pieces(connection, thread, ns, to);
    if (!pieces)
        return pieces.error();
    for (auto& found : to) {
        for (const auto& [channel, version] : found.checkpoint.versions) {
            auto chain = chain_from(*pieces, channel, version);
            if (!chain)
                return chain.error();
            found.channels.emplace(channel, std::move(*chain));
        }
    }
    return {};
}

Result<void> add_pending(sql::Connection& connection, const std::string& thread, const std::string& ns,
                         std::vector<graph::StoredCheckpoint>& to)
{
    if (to.empty())
        return {};
    std::map<std::string_view, graph::StoredCheckpoint*> by_id;
    for (auto& found : to)
        by_id[found.checkpoint.id] = &found;
    const auto rows = connection.query("SELECT checkpoint_id, task_id, kind, key, data FROM graph_pending_writes "
                                       "WHERE thread_id = $1 AND ns = $2 AND checkpoint_id BETWEEN $3 AND $4 "
                                       "ORDER BY checkpoint_id, task_id, kind, key",
                                       thread, ns, by_id.begin()->first, by_id.rbegin()->first);
    if (!rows)
        return rows.error();
    for (const auto row : *rows) {
        const auto found = by_id.find(row.text(0));
        if (found == by_id.end())
            continue;
        graph::PendingWrite write;
        write.ns = ns;
        write.checkpoint = row.text(0);
        write.task = row.text(1);
        const auto kind = graph::pending_kind(row.text(2));
        if (!kind)
            return damaged("unknown kind of a pending write: " + row.text(2));
        write.kind = *kind;
        write.key = row.text(3);
        write.data = Json::parse(row.text(4));
        found->second->pending.push_back(std::move(write));
    }
    return {};
}

Result<sql::Rows> next_page(sql::Connection& connection, const std::string& thread, const std::string& ns,
                            const std::string& before, std::int64_t limit)
{
    static const std::string first = select_checkpoints("ORDER BY id DESC LIMIT $3");
    static const std::string later = select_checkpoints("AND id < $4 ORDER BY id DESC LIMIT $3");
    return before.empty() ? connection.query(first, thread, ns, limit)
                          : connection.query(later, thread, ns, limit, before);
}

}  // namespace

Result<std::optional<graph::StoredCheckpoint>> read_checkpoint(sql::Connection& connection, const std::string& thread,
                                                               const std::string& ns, const std::string& id,
                                                               bool with_pending)
{
    static const std::string head = select_checkpoints("ORDER BY id DESC LIMIT 1");
    static const std::string named = select_checkpoints("AND id = $3");
    const auto rows = id.empty() ? connection.query(head, thread, ns) : connection.query(named, thread, ns, id);
    if (!rows)
        return rows.error();
    if (rows->empty())
        return std::optional<graph::StoredCheckpoint>();
    std::vector<graph::StoredCheckpoint> one(1);
    one[0].checkpoint = checkpoint_from(rows->front());
    if (auto added = add_channels(connection, thread, ns, one); !added)
        return added.error();
    if (with_pending)
        if (auto added = add_pending(connection, thread, ns, one); !added)
            return added.error();
    return std::optional(std::move(one[0]));
}

Result<std::vector<graph::StoredCheckpoint>> read_history(sql::Connection& connection, const std::string& thread,
                                                          const graph::HistoryQuery& query)
{
    std::vector<graph::StoredCheckpoint> list;
    const auto wanted = static_cast<std::size_t>(std::max<std::int64_t>(query.limit, 0));
    auto before = query.before;
    const auto page = query.metadata.empty() ? std::min(query.limit, page_of_history) : page_of_history;
    while (list.size() < wanted) {
        const auto rows = next_page(connection, thread, query.ns, before, page);
        if (!rows)
            return rows.error();
        for (const auto row : *rows) {
            graph::StoredCheckpoint found;
            found.checkpoint = checkpoint_from(row);
            before = found.checkpoint.id;
            if (list.size() < wanted && graph::matches(found.checkpoint, query.metadata))
                list.push_back(std::move(found));
        }
        if (static_cast<std::int64_t>(rows->size()) < page)
            break;
    }
    if (auto added = add_channels(connection, thread, query.ns, list); !added)
        return added.error();
    if (auto added = add_pending(connection, thread, query.ns, list); !added)
        return added.error();
    return list;
}

}  // namespace dure::runs
