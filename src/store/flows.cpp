// Flows: SQL beside each method. The WHERE of a list is put together from the filter's parts, each a fixed text with its
// parameters; nothing a caller says becomes SQL.
#include "dure/store/flows.hpp"

#include <algorithm>

#include "dure/base/text.hpp"
#include "store/columns.hpp"

namespace dure::store {

namespace {

const std::string flow_columns =
    "id, owner_id, flow_type, name, slug, description, category, tags, is_active, version, "
    "revision, published_version, created_at, updated_at";
constexpr std::int64_t far_in_a_list = 200;  // rows
constexpr std::string_view flow_word = "flow";
constexpr std::string_view flow_version_word = "version of the flow";

FlowRecord flow_from(const sql::Row& row)
{
    FlowRecord flow;
    flow.id = row.text("id");
    flow.owner_id = row.text("owner_id");
    flow.flow_type = row.text("flow_type");
    flow.name = row.text("name");
    flow.slug = row.text("slug");
    flow.description = row.text("description");
    flow.category = row.text("category");
    flow.tags = Json::parse(row.text("tags")).get<std::vector<std::string>>();
    flow.is_active = row.flag("is_active");
    flow.version = row.integer("version");
    flow.revision = row.integer("revision");
    flow.published_version = row.maybe_integer("published_version");
    flow.created_at = row.integer("created_at");
    flow.updated_at = row.integer("updated_at");
    return flow;
}

FlowVersion flow_version_from(const sql::Row& row)
{
    return {row.integer("version"), row.text("saved_by"), row.integer("created_at")};
}

std::string flow_search_text(const FlowRecord& flow)
{
    return ascii_lower(flow.name + "\n" + flow.description);
}

std::int64_t flow_page_size(const NumberedPage& page)
{
    return std::clamp<std::int64_t>(page.page_size, 1, 100);
}

// A tag as it stands in tag_text: nothing else of the text can look like it.
std::string flow_tag_mark(const std::string& tag)
{
    return "\x1f" + dump(Json(tag)) + "\x1f";
}

std::string flow_tag_text(const FlowRecord& flow)
{
    std::string text;
    for (const auto& tag : flow.tags)
        text += (text.empty() ? "\x1f" : "") + dump(Json(tag)) + "\x1f";
    return text;
}

// Pages beyond any table stay within the numbers of SQL.
std::int64_t flow_offset(const NumberedPage& page)
{
    return (std::clamp<std::int64_t>(page.page, 1, std::int64_t{1} << 40) - 1) * flow_page_size(page);
}

// The WHERE of a list with what it binds; views the owner and the filter, which must outlive it.
class FlowSelection {
public:
    FlowSelection(sql::Dialect dialect, std::string_view owner_id, const FlowFilter& filter)
        : search_(ascii_lower(filter.search))
    {
        where_ = " WHERE owner_id = " + bind(owner_id) + " AND deleted_at IS NULL";
        if (!filter.flow_type.empty())
            where_ += " AND flow_type = " + bind(filter.flow_type);
        if (!filter.category.empty())
            where_ += " AND category = " + bind(filter.category);
        if (filter.is_active)
            where_ += " AND is_active = " + bind(*filter.is_active);
        const std::string found = dialect == sql::Dialect::postgres ? " AND strpos(" : " AND instr(";
        for (const auto& tag : filter.tags)
            marks_.push_back(flow_tag_mark(tag));
        for (const auto& mark : marks_)  // before the search: it looks at less
            where_ += found + "tag_text, " + bind(mark) + ") > 0";
        if (!search_.empty())
            where_ += found + "search_text, " + bind(search_) + ") > 0";
    }
    FlowSelection(const FlowSelection&) = delete;
    FlowSelection& operator=(const FlowSelection&) = delete;

    std::string bind(sql::Param value)
    {
        params_.push_back(value);
        return "$" + std::to_string(params_.size());
    }
    const std::string& where() const { return where_; }
    std::span<const sql::Param> params() const { return params_; }

private:
    std::string search_;
    std::vector<std::string> marks_;
    std::string where_;
    std::vector<sql::Param> params_;
};

std::string flow_order_by(FlowOrder order, bool descending)
{
    const std::string direction = descending ? " DESC" : " ASC";
    const char* column = order == FlowOrder::name         ? "name"
                         : order == FlowOrder::created_at ? "created_at"
                                                          : "updated_at";
    return " ORDER BY " + std::string(column) + direction + ", id" + direction;
}

}  // namespace

Result<void> Flows::note_change(std::string_view owner_id)
{
    return without_count(connection_.execute("INSERT INTO flow_changes (owner_id, changes) VALUES ($1, 1) "
                                             "ON CONFLICT (owner_id) DO UPDATE SET changes = flow_changes.changes + 1",
                                             owner_id));
}

Result<std::int64_t> Flows::changes(std::string_view owner_id)
{
    return read_number(
        connection_.query("SELECT COALESCE(MAX(changes), 0) FROM flow_changes WHERE owner_id = $1", owner_id));
}

Result<void> Flows::add_version(std::string_view id, std::int64_t version, std::string_view document,
                                std::string_view saved_by, UnixMillis now)
{
    return without_count(connection_.execute(
        "INSERT INTO flow_versions (flow_id, version, document, saved_by, created_at) VALUES ($1, $2, $3, $4, $5)", id,
        version, document, saved_by, now));
}

Result<void> Flows::insert(const FlowRecord& flow, std::string_view document, std::string_view saved_by)
{
    static const std::string sql =
        "INSERT INTO flows (" + flow_columns +
        ", search_text, tag_text) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";
    const auto added = connection_.execute(sql, flow.id, flow.owner_id, flow.flow_type, flow.name, flow.slug,
                                           flow.description, flow.category, dump(Json(flow.tags)), flow.is_active,
                                           flow.version, flow.revision, flow.published_version, flow.created_at,
                                           flow.updated_at, flow_search_text(flow), flow_tag_text(flow));
    if (!added)
        return added.error();
    if (auto noted = note_change(flow.owner_id); !noted)
        return noted;
    return add_version(flow.id, flow.version, document, saved_by, flow.updated_at);
}

Result<FlowRecord> Flows::find(std::string_view id, std::string_view owner_id)
{
    static const std::string sql =
        "SELECT " + flow_columns + " FROM flows WHERE id = $1 AND owner_id = $2 AND deleted_at IS NULL";
    return read_one(connection_.query(sql, id, owner_id), flow_from, flow_word);
}

Result<FlowRecord> Flows::find_for_update(std::string_view id, std::string_view owner_id)
{
    // A change that changes nothing takes the lock of the row on every driver.
    static const std::string sql = "UPDATE flows SET revision = revision WHERE id = $1 AND owner_id = $2 "
                                   "AND deleted_at IS NULL RETURNING " +
                                   flow_columns;
    return read_one(connection_.query(sql, id, owner_id), flow_from, flow_word);
}

Result<FlowRecord> Flows::find_by_slug(std::string_view slug, std::string_view owner_id)
{
    static const std::string sql =
        "SELECT " + flow_columns + " FROM flows WHERE slug = $1 AND owner_id = $2 AND deleted_at IS NULL";
    return read_one(connection_.query(sql, slug, owner_id), flow_from, flow_word);
}

Result<FlowRecord> Flows::find_pinned(std::string_view id, std::int64_t version)
{
    static const std::string sql =
        "SELECT " + flow_columns +
        " FROM flows WHERE id = $1 AND EXISTS (SELECT 1 FROM flow_versions WHERE flow_id = $1 AND version = $2)";
    return read_one(connection_.query(sql, id, version), flow_from, flow_version_word);
}

Result<std::string> Flows::pinned_document(std::string_view id, std::int64_t version)
{
    return read_one(
        connection_.query("SELECT document FROM flow_versions WHERE flow_id = $1 AND version = $2", id, version),
        [](const sql::Row& row) { return row.text("document"); }, flow_version_word);
}

Result<void> Flows::hold_name(std::string_view name, std::string_view owner_id)
{
    if (connection_.dialect() == sql::Dialect::sqlite)  // one unit writes at a time
        return {};
    const auto held = connection_.query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))::text AS held",
                                        "flow name " + std::string(owner_id) + " " + std::string(name));
    if (!held)
        return held.error();
    return {};
}

Result<FlowRecord> Flows::find_by_name(std::string_view name, std::string_view owner_id)
{
    static const std::string sql = "SELECT " + flow_columns +
                                   " FROM flows WHERE owner_id = $2 AND name = $1 AND deleted_at IS NULL "
                                   "ORDER BY updated_at DESC, id DESC LIMIT 1";
    return read_one(connection_.query(sql, name, owner_id), flow_from, flow_word);
}

Result<FlowRecord> Flows::save(const FlowRecord& flow, std::string_view document, std::string_view saved_by)
{
    static const std::string sql =
        "UPDATE flows SET name = $3, description = $4, category = $5, tags = $6, is_active = $7, search_text = $8, "
        "updated_at = $9, tag_text = $10, version = version + 1, revision = revision + 1 "
        "WHERE id = $1 AND owner_id = $2 AND deleted_at IS NULL RETURNING " +
        flow_columns;
    auto saved = read_one(connection_.query(sql, flow.id, flow.owner_id, flow.name, flow.description, flow.category,
                                            dump(Json(flow.tags)), flow.is_active, flow_search_text(flow),
                                            flow.updated_at, flow_tag_text(flow)),
                          flow_from, flow_word);
    if (!saved)
        return saved;
    if (auto noted = note_change(flow.owner_id); !noted)
        return noted.error();
    if (auto added = add_version(saved->id, saved->version, document, saved_by, flow.updated_at); !added)
        return added.error();
    return saved;
}

Result<FlowRecord> Flows::publish(std::string_view id, std::string_view owner_id, std::optional<std::int64_t> version,
                                  UnixMillis now)
{
    if (version) {
        const auto there = document(id, owner_id, *version);
        if (!there)
            return there.error();
    }
    static const std::string sql = "UPDATE flows SET published_version = $3, revision = revision + 1, updated_at = $4 "
                                   "WHERE id = $1 AND owner_id = $2 AND deleted_at IS NULL RETURNING " +
                                   flow_columns;
    return read_one(connection_.query(sql, id, owner_id, version, now), flow_from, flow_word);
}

Result<void> Flows::remove(std::string_view id, std::string_view owner_id, UnixMillis now)
{
    auto removed = must_change(connection_.execute("UPDATE flows SET deleted_at = $3, revision = revision + 1 "
                                                   "WHERE id = $1 AND owner_id = $2 AND deleted_at IS NULL",
                                                   id, owner_id, now),
                               flow_word);
    return removed ? note_change(owner_id) : removed;
}

// A page is walked to from the nearer end of the list, and, where that is far, in the index alone: the rows of the page are looked up
// by their ids.
Result<std::vector<FlowRecord>> Flows::list(std::string_view owner_id, const FlowFilter& filter, FlowOrder order,
                                            bool descending, const NumberedPage& page, std::int64_t total)
{
    const auto before = flow_offset(page);
    const auto rows = std::min(flow_page_size(page), total - before);
    if (rows <= 0)
        return std::vector<FlowRecord>();
    const auto behind = total - before - rows;
    const bool backward = behind < before;
    const auto passed = std::min(before, behind);
    FlowSelection selection(connection_.dialect(), owner_id, filter);
    auto walk = " FROM flows" + selection.where() + flow_order_by(order, descending != backward);
    walk += " LIMIT " + selection.bind(rows);
    walk += " OFFSET " + selection.bind(passed);
    const auto sql = passed < far_in_a_list ? "SELECT " + flow_columns + walk
                                            : "SELECT " + flow_columns + " FROM flows WHERE id IN (SELECT id" + walk +
                                                  ")" + flow_order_by(order, descending != backward);
    auto found = read_all(connection_.query_with(sql, selection.params()), flow_from);
    if (found && backward)
        std::reverse(found->begin(), found->end());
    return found;
}

Result<std::int64_t> Flows::count(std::string_view owner_id, const FlowFilter& filter)
{
    const FlowSelection selection(connection_.dialect(), owner_id, filter);
    return read_number(connection_.query_with("SELECT COUNT(*) FROM flows" + selection.where(), selection.params()));
}

Result<std::vector<FlowRecord>> Flows::published(std::string_view owner_id, std::int64_t limit)
{
    static const std::string sql =
        "SELECT " + flow_columns +
        " FROM flows WHERE owner_id = $1 AND deleted_at IS NULL AND published_version IS NOT "
        "NULL AND is_active = $2 ORDER BY slug LIMIT $3";
    return read_all(connection_.query(sql, owner_id, true, limit), flow_from);
}

Result<FlowVersion> Flows::version(std::string_view id, std::string_view owner_id, std::int64_t version)
{
    return read_one(connection_.query("SELECT flow_versions.version AS version, saved_by, flow_versions.created_at AS "
                                      "created_at FROM flow_versions JOIN flows ON flows.id = flow_id "
                                      "WHERE flow_id = $1 AND owner_id = $2 AND deleted_at IS NULL AND "
                                      "flow_versions.version = $3",
                                      id, owner_id, version),
                    flow_version_from, flow_version_word);
}

Result<std::string> Flows::document(std::string_view id, std::string_view owner_id, std::int64_t version)
{
    return read_one(
        connection_.query("SELECT document FROM flow_versions JOIN flows ON flows.id = flow_id "
                          "WHERE flow_id = $1 AND owner_id = $2 AND deleted_at IS NULL "
                          "AND flow_versions.version = $3",
                          id, owner_id, version),
        [](const sql::Row& row) { return row.text("document"); }, flow_version_word);
}

Result<std::vector<FlowVersion>> Flows::versions(std::string_view id, std::string_view owner_id,
                                                 const NumberedPage& page)
{
    if (auto there = find(id, owner_id); !there)
        return there.error();
    return read_all(connection_.query("SELECT version, saved_by, created_at FROM flow_versions WHERE flow_id = $1 "
                                      "ORDER BY version DESC LIMIT $2 OFFSET $3",
                                      id, flow_page_size(page), flow_offset(page)),
                    flow_version_from);
}

}  // namespace dure::store
