// What all stores share, and the one in memory; see store.hpp.
#include "dure/graph/store.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "dure/base/text.hpp"

namespace dure::graph {

namespace {

constexpr std::size_t deepest_namespace = 16;
constexpr std::size_t longest_part = 256;
constexpr std::int64_t most_items = 1000;
constexpr std::array<std::string_view, 6> filter_operators{"$eq", "$ne", "$gt", "$gte", "$lt", "$lte"};

Error wrong_store_field(const std::string& field, const std::string& expected)
{
    return Error(Errc::invalid_argument, field + " must be " + expected + ".").param(field);
}

bool is_part(const std::string& text)
{
    return !text.empty() && text.size() <= longest_part && valid_utf8(text) &&
           text.find_first_of(std::string_view("\0\x1f", 2)) == std::string::npos;
}

Result<void> check_parts(const StoreNamespace& ns, const std::string& field)
{
    if (ns.size() > deepest_namespace || !std::all_of(ns.begin(), ns.end(), is_part))
        return wrong_store_field(field, "at most 16 texts of 1 to 256 bytes without U+0000 and U+001F");
    return {};
}

Result<void> check_page(std::int64_t limit, std::int64_t offset)
{
    if (limit < 1 || limit > most_items)
        return wrong_store_field("limit", "a number from 1 to 1000");
    if (offset < 0)
        return wrong_store_field("offset", "0 or more");
    return {};
}

bool is_operators(const Json& condition)
{
    return condition.is_object() && !condition.empty() &&
           std::all_of(condition.items().begin(), condition.items().end(),
                       [](const auto& entry) { return entry.key().starts_with('$'); });
}

bool comparable(const Json& a, const Json& b)
{
    return (a.is_number() && b.is_number()) || (a.is_string() && b.is_string());
}

bool holds(const Json* field, const std::string& op, const Json& wanted)
{
    if (op == "$eq")
        return field && *field == wanted;
    if (op == "$ne")
        return !field || *field != wanted;
    if (!field || !comparable(*field, wanted))
        return false;
    return op == "$gt"    ? *field > wanted
           : op == "$gte" ? *field >= wanted
           : op == "$lt"  ? *field < wanted
                          : *field <= wanted;
}

bool has_text(const Json& value, const std::string& query)
{
    if (value.is_string())
        return value.get_ref<const std::string&>().find(query) != std::string::npos;
    return value.is_structured() &&
           std::any_of(value.begin(), value.end(), [&](const Json& inner) { return has_text(inner, query); });
}

bool starts_with(const StoreNamespace& ns, const StoreNamespace& prefix)
{
    return ns.size() >= prefix.size() && std::equal(prefix.begin(), prefix.end(), ns.begin());
}

}  // namespace

Result<void> check_place(const StoreNamespace& ns, const std::string& key)
{
    if (ns.empty())
        return wrong_store_field("namespace", "at least one text");
    if (auto fine = check_parts(ns, "namespace"); !fine)
        return fine;
    if (!is_part(key))
        return wrong_store_field("key", "a text of 1 to 256 bytes without U+0000 and U+001F");
    return {};
}

Result<void> check_search(const StoreSearch& search)
{
    if (auto fine = check_parts(search.prefix, "prefix"); !fine)
        return fine;
    if (!search.filter.is_object())
        return wrong_store_field("filter", "an object");
    for (const auto& [field, condition] : search.filter.items())
        if (is_operators(condition))
            for (const auto& [op, wanted] : condition.items())
                if (std::find(filter_operators.begin(), filter_operators.end(), op) == filter_operators.end())
                    return wrong_store_field("filter", "made of $eq, $ne, $gt, $gte, $lt, $lte; not \"" + op + "\"");
    return check_page(search.limit, search.offset);
}

Result<void> check_listing(const StoreNamespaces& wanted)
{
    if (auto fine = check_parts(wanted.prefix, "prefix"); !fine)
        return fine;
    if (wanted.max_depth < 0)
        return wrong_store_field("max_depth", "0 or more");
    return check_page(wanted.limit, wanted.offset);
}

bool matches(const Json& value, const StoreSearch& search)
{
    for (const auto& [name, condition] : search.filter.items()) {
        const auto found = value.is_object() ? value.find(name) : value.end();
        const Json* field = found == value.end() ? nullptr : &*found;
        if (!is_operators(condition)) {
            if (!holds(field, "$eq", condition))
                return false;
            continue;
        }
        for (const auto& [op, wanted] : condition.items())
            if (!holds(field, op, wanted))
                return false;
    }
    return search.query.empty() || has_text(value, search.query);
}

void MemoryStore::forget_expired()
{
    const auto now = clock_.now();
    std::erase_if(items_,
                  [now](const auto& entry) { return entry.second.expires_at && *entry.second.expires_at <= now; });
}

Task<Result<void>> MemoryStore::put(const StoreNamespace& ns, const std::string& key, Json value,
                                    std::optional<std::chrono::milliseconds> time_to_live)
{
    if (auto fine = check_place(ns, key); !fine)
        co_return fine;
    const std::lock_guard lock(guard_);
    forget_expired();
    const auto now = clock_.now();
    auto& kept = items_[{ns, key}];
    if (kept.item.key.empty())
        kept.item = {ns, key, nullptr, now, now};
    kept.item.value = std::move(value);
    kept.item.updated_at = now;
    kept.expires_at = time_to_live ? std::optional(now + time_to_live->count()) : std::nullopt;
    co_return Result<void>();
}

Task<Result<std::optional<StoreItem>>> MemoryStore::get(const StoreNamespace& ns, const std::string& key)
{
    if (auto fine = check_place(ns, key); !fine)
        co_return fine.error();
    const std::lock_guard lock(guard_);
    const auto found = items_.find({ns, key});
    if (found == items_.end() || (found->second.expires_at && *found->second.expires_at <= clock_.now()))
        co_return std::optional<StoreItem>();
    co_return std::optional(found->second.item);
}

Task<Result<void>> MemoryStore::remove(const StoreNamespace& ns, const std::string& key)
{
    if (auto fine = check_place(ns, key); !fine)
        co_return fine;
    const std::lock_guard lock(guard_);
    items_.erase({ns, key});
    co_return Result<void>();
}

Task<Result<std::vector<StoreItem>>> MemoryStore::search(const StoreSearch& search)
{
    if (auto fine = check_search(search); !fine)
        co_return fine.error();
    const std::lock_guard lock(guard_);
    forget_expired();
    std::vector<StoreItem> found;
    auto skip = search.offset;
    for (auto at = items_.lower_bound({search.prefix, ""});
         at != items_.end() && starts_with(at->first.first, search.prefix); ++at) {
        if (!matches(at->second.item.value, search) || skip-- > 0)
            continue;
        found.push_back(at->second.item);
        if (static_cast<std::int64_t>(found.size()) == search.limit)
            break;
    }
    co_return found;
}

Task<Result<std::vector<StoreNamespace>>> MemoryStore::list_namespaces(const StoreNamespaces& wanted)
{
    if (auto fine = check_listing(wanted); !fine)
        co_return fine.error();
    const std::lock_guard lock(guard_);
    forget_expired();
    std::set<StoreNamespace> names;
    for (auto at = items_.lower_bound({wanted.prefix, ""});
         at != items_.end() && starts_with(at->first.first, wanted.prefix); ++at) {
        auto name = at->first.first;
        if (wanted.max_depth > 0 && name.size() > static_cast<std::size_t>(wanted.max_depth))
            name.resize(static_cast<std::size_t>(wanted.max_depth));
        names.insert(std::move(name));
    }
    std::vector<StoreNamespace> page;
    std::int64_t place = 0;
    for (const auto& name : names)
        if (place++ >= wanted.offset && static_cast<std::int64_t>(page.size()) < wanted.limit)
            page.push_back(name);
    co_return page;
}

}  // namespace dure::graph
