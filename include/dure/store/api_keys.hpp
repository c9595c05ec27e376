// API keys. Only the SHA-256 of a key is stored; a caller is found by it.
#pragma once

#include <vector>

#include "dure/model/records.hpp"
#include "dure/sql/connection.hpp"

namespace dure::store {

// A key with its owner as they are now, so that one look-up decides about a caller.
struct KeyAndOwner {
    model::ApiKey key;
    model::User owner;
};

class ApiKeys {
public:
    explicit ApiKeys(sql::Connection& connection) : connection_(connection) {}

    Result<void> insert(const model::ApiKey& key);           // conflict: hash known, or owner unknown
    Result<KeyAndOwner> find_by_hash(std::string_view hash); // revoked and expired ones too: the caller decides
    Result<model::ApiKey> find(std::string_view id, std::string_view owner_id);
    Result<model::ApiKey> find_of_anybody(std::string_view id);   // the caller has checked the permission
    // Newest first, the ended ones too: `limit` of them behind the first `passed`.
    Result<std::vector<model::ApiKey>> list(std::string_view owner_id, std::int64_t limit, std::int64_t passed);
    Result<std::int64_t> count(std::string_view owner_id);
    Result<std::int64_t> count_active(std::string_view owner_id, UnixMillis now);
    // The key as it was revoked (its hash is what caches forget); a second time keeps the first moment.
    Result<model::ApiKey> revoke(std::string_view id, std::string_view owner_id, UnixMillis now);
    Result<void> set_expiry(std::string_view id, std::string_view owner_id, UnixMillis expires_at);
    // last_used_at, never backwards. True: it was the first use.
    Result<bool> touch(std::string_view id, UnixMillis now);

private:
    sql::Connection& connection_;
};

}  // namespace dure::store
