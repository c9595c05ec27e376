// See sql_store.hpp. A namespace is stored as its parts, each ended by U+001F, so that a prefix is a range of texts and the
// order of texts is the order of namespaces.
#include "dure/runs/sql_store.hpp"

#include <set>

#include "runs/storage_retry.hpp"

namespace dure::runs {

namespace {

constexpr char part_end = '\x1f';
constexpr std::int64_t page_of_items = 200;
constexpr std::chrono::seconds longest_outage{10};

std::string text_of(const graph::StoreNamespace& ns)
{
    std::string text;
    for (const auto& part : ns)
        text.append(part).push_back(part_end);
    return text;
}

graph::StoreNamespace parts_of(std::string_view text)
{
    graph::StoreNamespace ns;
    while (!text.empty()) {
        const auto at = text.find(part_end);
        ns.emplace_back(text.substr(0, at));
        text.remove_prefix(at + 1);
    }
    return ns;
}

// The first text behind everything that begins with the prefix; U+10FFFF lies behind every namespace.
std::string end_of(const std::string& prefix)
{
    if (prefix.empty())
        return "\xf4\x8f\xbf\xbf\xf4\x8f\xbf\xbf";
    auto end = prefix;
    ++end.back();
    return end;
}

graph::StoreItem item_from(const sql::Row& row)
{
    graph::StoreItem item;
    item.ns = parts_of(row.text("ns"));
    item.key = row.text("key");
    item.value = Json::parse(row.text("value"));
    item.created_at = row.integer("created_at");
    item.updated_at = row.integer("updated_at");
    return item;
}

Result<std::vector<graph::StoreItem>> search_items(sql::Connection& connection, const graph::StoreSearch& search,
                                                   UnixMillis now)
{
    const auto prefix = text_of(search.prefix);
    const auto end = end_of(prefix);
    std::vector<graph::StoreItem> found;
    auto skip = search.offset;
    std::string ns = prefix;
    std::string key;
    for (;;) {
        const auto rows = connection.query("SELECT ns, key, value, created_at, updated_at FROM graph_store WHERE "
                                           "(ns > $1 OR (ns = $1 AND key > $2)) AND ns < $3 AND "
                                           "(expires_at IS NULL OR expires_at > $4) ORDER BY ns, key LIMIT $5",
                                           ns, key, end, now, page_of_items);
        if (!rows)
            return rows.error();
        for (const auto row : *rows) {
            ns = row.text("ns");
            key = row.text("key");
            auto item = item_from(row);
            if (!graph::matches(item.value, search) || skip-- > 0)
                continue;
            found.push_back(std::move(item));
            if (static_cast<std::int64_t>(found.size()) == search.limit)
                return found;
        }
        if (static_cast<std::int64_t>(rows->size()) < page_of_items)
            return found;
    }
}

Result<std::vector<graph::StoreNamespace>> list_names(sql::Connection& connection, const graph::StoreNamespaces& wanted,
                                                      UnixMillis now)
{
    const auto prefix = text_of(wanted.prefix);
    const auto rows = connection.query("SELECT DISTINCT ns FROM graph_store WHERE ns >= $1 AND ns < $2 AND "
                                       "(expires_at IS NULL OR expires_at > $3) ORDER BY ns",
                                       prefix, end_of(prefix), now);
    if (!rows)
        return rows.error();
    std::set<graph::StoreNamespace> names;
    for (const auto row : *rows) {
        auto name = parts_of(row.text(0));
        if (wanted.max_depth > 0 && name.size() > static_cast<std::size_t>(wanted.max_depth))
            name.resize(static_cast<std::size_t>(wanted.max_depth));
        names.insert(std::move(name));
    }
    std::vector<graph::StoreNamespace> page;
    std::int64_t place = 0;
    for (const auto& name : names)
        if (place++ >= wanted.offset && static_cast<std::int64_t>(page.size()) < wanted.limit)
            page.push_back(name);
    return page;
}

}  // namespace

Task<Result<void>> SqlStore::put(const graph::StoreNamespace& ns, const std::string& key, Json value,
                                 std::optional<std::chrono::milliseconds> time_to_live)
{
    if (auto fine = graph::check_place(ns, key); !fine)
        co_return fine;
    const auto now = clock_.now();
    const auto expires_at = time_to_live ? std::optional<std::int64_t>(now + time_to_live->count()) : std::nullopt;
    const auto work = [&, place = text_of(ns)](sql::Connection& c) -> Result<void> {
        // What has outlived its time is not there: a new item begins.
        const auto stored =
            c.execute("INSERT INTO graph_store (ns, key, value, created_at, updated_at, expires_at) VALUES ($1, $2, "
                      "$3, $4, $4, $5) "
                      "ON CONFLICT (ns, key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at, "
                      "expires_at = "
                      "excluded.expires_at, created_at = CASE WHEN graph_store.expires_at <= excluded.updated_at THEN "
                      "excluded.created_at ELSE graph_store.created_at END",
                      place, key, dump(value), now, expires_at);
        if (!stored)
            return stored.error();
        return {};
    };
    co_return co_await until_stored([&] { return database_.write_statement(work); }, longest_outage);
}

Task<Result<std::optional<graph::StoreItem>>> SqlStore::get(const graph::StoreNamespace& ns, const std::string& key)
{
    if (auto fine = graph::check_place(ns, key); !fine)
        co_return fine.error();
    const auto work = [&, place = text_of(ns),
                       now = clock_.now()](sql::Connection& c) -> Result<std::optional<graph::StoreItem>> {
        const auto rows =
            c.query("SELECT ns, key, value, created_at, updated_at FROM graph_store WHERE ns = $1 AND key = $2 "
                    "AND (expires_at IS NULL OR expires_at > $3)",
                    place, key, now);
        if (!rows)
            return rows.error();
        if (rows->empty())
            return std::optional<graph::StoreItem>();
        return std::optional(item_from(rows->front()));
    };
    co_return co_await until_stored([&] { return database_.read(work); }, longest_outage);
}

Task<Result<void>> SqlStore::remove(const graph::StoreNamespace& ns, const std::string& key)
{
    if (auto fine = graph::check_place(ns, key); !fine)
        co_return fine;
    const auto work = [&, place = text_of(ns)](sql::Connection& c) -> Result<void> {
        const auto removed = c.execute("DELETE FROM graph_store WHERE ns = $1 AND key = $2", place, key);
        if (!removed)
            return removed.error();
        return {};
    };
    co_return co_await until_stored([&] { return database_.write_statement(work); }, longest_outage);
}

Task<Result<std::vector<graph::StoreItem>>> SqlStore::search(const graph::StoreSearch& search)
{
    if (auto fine = graph::check_search(search); !fine)
        co_return fine.error();
    const auto work = [&, now = clock_.now()](sql::Connection& c) { return search_items(c, search, now); };
    co_return co_await until_stored([&] { return database_.read(work); }, longest_outage);
}

Task<Result<std::vector<graph::StoreNamespace>>> SqlStore::list_namespaces(const graph::StoreNamespaces& wanted)
{
    if (auto fine = graph::check_listing(wanted); !fine)
        co_return fine.error();
    const auto work = [&, now = clock_.now()](sql::Connection& c) { return list_names(c, wanted, now); };
    co_return co_await until_stored([&] { return database_.read(work); }, longest_outage);
}

Task<Result<std::int64_t>> SqlStore::forget_expired()
{
    const auto work = [now = clock_.now()](sql::Connection& c) {
        return c.execute("DELETE FROM graph_store WHERE expires_at <= $1", now);
    };
    co_return co_await until_stored([&] { return database_.write_statement(work); }, longest_outage);
}

}  // namespace dure::runs
