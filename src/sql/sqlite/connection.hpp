// SqliteConnection: one handle, used by one thread, with its prepared statements and its time limit.
#pragma once

#include <sqlite3.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <unordered_map>
#include <unordered_set>

#include "dure/base/clock.hpp"
#include "dure/sql/connection.hpp"
#include "sql/sqlite/log_writes.hpp"
#include "sql/sqlite/statement.hpp"

namespace dure::sql {

class SqliteConnection final : public Connection {
public:
    enum class Mode { writer, reader };
    static Result<std::unique_ptr<SqliteConnection>> open(const std::string& path, Mode mode,
                                                          std::chrono::milliseconds statement_timeout);
    ~SqliteConnection() override;

    Result<std::int64_t> execute_with(std::string_view sql, std::span<const Param> params) override;
    Result<Rows> query_with(std::string_view sql, std::span<const Param> params) override;
    Result<Rows> query_up_to(const TextBound& bound, std::string_view sql, std::span<const Param> params) override;
    Result<void> run_script(std::string_view sql) override;
    std::int64_t inserted_number() const override { return sqlite3_last_insert_rowid(handle_); }
    bool knows(std::string_view fact) const override { return facts_.contains(fact); }
    void learn(std::string fact) override;
    Dialect dialect() const override { return Dialect::sqlite; }

    // For the driver: BEGIN, COMMIT, SAVEPOINT …; untouched by an earlier failure. Gives SQLite's extended code.
    int command(std::string_view sql);
    Error error_of(int code, std::string_view action) const { return sqlite_error(code, handle_, action); }
    bool in_transaction() const { return sqlite3_get_autocommit(handle_) == 0; }
    // Back to the savepoint of this name, which stays.
    int undo_to(std::string_view savepoint);
    // COMMIT that leaves the fsync of the log to sync_log(). Gives SQLite's extended code.
    int commit_without_sync();
    // From any thread, of the writer's connection.
    int sync_log() { return log_writes_.sync(); }
    // The first failed statement since it was last taken.
    std::optional<Error> take_failure() { return std::exchange(failure_, std::nullopt); }
    // Grows with every row or schema change of this connection, undone ones included.
    std::int64_t changes() const { return sqlite3_total_changes64(handle_) + scripts_; }
    // Pages in the write-ahead log after the last commit.
    int logged_pages() const { return logged_pages_; }
    // Moves the log into the database file as far as readers allow. Gives SQLite's extended code.
    int checkpoint();
    // Brings the database file (not its log) to the disk. Gives SQLite's extended code.
    int sync_database();

private:
    SqliteConnection(sqlite3* handle, std::chrono::milliseconds statement_timeout);
    Result<void> configure(Mode mode);
    Result<Statement*> prepared(std::string_view sql);
    // `on_row` says whether there shall be another.
    template <class OnRow>
    Result<void> run(std::string_view sql, std::span<const Param> params, OnRow on_row);
    Error fail(Error error);

    static int on_progress(void* self);
    static void on_rollback(void* self);
    static int on_commit(void* self, sqlite3* handle, const char* database, int pages);

    // Of the length and the end, where texts differ: all of a long one takes as long as binding its values.
    struct TextHash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const
        {
            constexpr std::size_t hashed = 24;
            return std::hash<std::string_view>()(text.substr(text.size() - std::min(text.size(), hashed))) +
                   text.size();
        }
    };

    LogWrites log_writes_;  // of the writer; outlives the handle, which the destructor closes
    sqlite3* handle_;
    std::chrono::milliseconds statement_timeout_;
    std::optional<Steady::time_point> statement_deadline_;  // known from the first look at the clock on
    std::unordered_map<std::string, Statement, TextHash, std::equal_to<>> statements_;
    std::unordered_set<std::string, TextHash, std::equal_to<>> facts_;
    std::optional<Error> failure_;
    int logged_pages_ = 0;
    std::int64_t scripts_ = 0;   // run; SQLite does not count what they change
};

}  // namespace dure::sql
