// Store: values that threads share (X2), by namespace (a path of texts) and key: in memory, or in the SQL database (module
// runs). A write from a node may happen again when its task is executed again: use the task's idempotency key where that
// matters.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "dure/base/clock.hpp"
#include "dure/base/error.hpp"
#include "dure/base/json.hpp"
#include "dure/base/task.hpp"

namespace dure::graph {

// 1 to 16 parts of 1 to 256 bytes UTF-8 without U+0000 and U+001F; a key is one such part.
using StoreNamespace = std::vector<std::string>;

struct StoreItem {
    StoreNamespace ns;
    std::string key;
    Json value;
    UnixMillis created_at = 0;
    UnixMillis updated_at = 0;
};

struct StoreSearch {
    StoreNamespace prefix;  // may be empty: everything
    // field → value, or {"$eq" | "$ne" | "$gt" | "$gte" | "$lt" | "$lte": value, …}; of the value's own fields. Numbers compare
    // with numbers and texts with texts (by bytes); what cannot be compared does not match, except to $ne.
    Json filter = Json::object();
    std::string query;  // a text that one of the value's texts contains; empty: any
    std::int64_t limit = 10;  // 1 to 1000
    std::int64_t offset = 0;
};

struct StoreNamespaces {
    StoreNamespace prefix;
    std::int64_t max_depth = 0;  // longer ones are cut to this length; 0: not
    std::int64_t limit = 100;  // 1 to 1000
    std::int64_t offset = 0;
};

// Thread-safe. Errors: invalid_argument naming the field; STORAGE_ERROR as reason for a failing store.
class Store {
public:
    virtual ~Store() = default;

    // Replaces what is there. An item with a time to live is gone after it; without one it stays.
    virtual Task<Result<void>> put(const StoreNamespace& ns, const std::string& key, Json value,
                                   std::optional<std::chrono::milliseconds> time_to_live) = 0;
    virtual Task<Result<std::optional<StoreItem>>> get(const StoreNamespace& ns, const std::string& key) = 0;
    // Also when it is not there.
    virtual Task<Result<void>> remove(const StoreNamespace& ns, const std::string& key) = 0;
    // By namespace, then key, in byte order.
    virtual Task<Result<std::vector<StoreItem>>> search(const StoreSearch& search) = 0;
    // Those that hold items, in byte order, each once.
    virtual Task<Result<std::vector<StoreNamespace>>> list_namespaces(const StoreNamespaces& wanted) = 0;
};

// What every Store checks and how it filters.
Result<void> check_place(const StoreNamespace& ns, const std::string& key);
Result<void> check_search(const StoreSearch& search);
Result<void> check_listing(const StoreNamespaces& wanted);
bool matches(const Json& value, const StoreSearch& search);

class MemoryStore final : public Store {
public:
    explicit MemoryStore(const Clock& clock) : clock_(clock) {}

    Task<Result<void>> put(const StoreNamespace& ns, const std::string& key, Json value,
                           std::optional<std::chrono::milliseconds> time_to_live) override;
    Task<Result<std::optional<StoreItem>>> get(const StoreNamespace& ns, const std::string& key) override;
    Task<Result<void>> remove(const StoreNamespace& ns, const std::string& key) override;
    Task<Result<std::vector<StoreItem>>> search(const StoreSearch& search) override;
    Task<Result<std::vector<StoreNamespace>>> list_namespaces(const StoreNamespaces& wanted) override;

private:
    struct Kept {
        StoreItem item;
        std::optional<UnixMillis> expires_at;
    };
    void forget_expired();

    const Clock& clock_;
    std::mutex guard_;
    std::map<std::pair<StoreNamespace, std::string>, Kept> items_;
};

}  // namespace dure::graph
