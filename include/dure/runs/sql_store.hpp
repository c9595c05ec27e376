// SqlStore: the Store in the SQL database, on both drivers; rules as in graph/store.hpp. Filters are applied to the rows of
// the prefix as they are read, a page at a time.
#pragma once

#include "dure/graph/store.hpp"
#include "dure/sql/database.hpp"

namespace dure::runs {

class SqlStore final : public graph::Store {
public:
    // The database is migrated; it and the clock outlive this.
    SqlStore(sql::Database& database, const Clock& clock) : database_(database), clock_(clock) {}

    Task<Result<void>> put(const graph::StoreNamespace& ns, const std::string& key, Json value,
                           std::optional<std::chrono::milliseconds> time_to_live) override;
    Task<Result<std::optional<graph::StoreItem>>> get(const graph::StoreNamespace& ns, const std::string& key) override;
    Task<Result<void>> remove(const graph::StoreNamespace& ns, const std::string& key) override;
    Task<Result<std::vector<graph::StoreItem>>> search(const graph::StoreSearch& search) override;
    Task<Result<std::vector<graph::StoreNamespace>>> list_namespaces(const graph::StoreNamespaces& wanted) override;

    // Removes what has outlived its time; returns how many. Expired items are never seen, with or without this.
    Task<Result<std::int64_t>> forget_expired();

private:
    sql::Database& database_;
    const Clock& clock_;
};

}  // namespace dure::runs
