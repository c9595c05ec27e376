// SqliteConnection: statement -> bind -> step until done, under the time limit; see connection.hpp.
#include "sql/sqlite/connection.hpp"

#include <cerrno>

namespace dure::sql {

namespace {

constexpr std::size_t statements_kept = 256;
constexpr std::size_t facts_kept = 1024;
constexpr int instructions_between_looks_at_the_clock = 2000;
constexpr int longest_value = 64 << 20;   // bytes of a text or a row

}  // namespace

SqliteConnection::SqliteConnection(sqlite3* handle, std::chrono::milliseconds statement_timeout)
    : handle_(handle), statement_timeout_(statement_timeout)
{}

SqliteConnection::~SqliteConnection()
{
    statements_.clear();
    sqlite3_close(handle_);
}

Result<std::unique_ptr<SqliteConnection>> SqliteConnection::open(const std::string& path, Mode mode,
                                                                 std::chrono::milliseconds statement_timeout)
{
    sqlite3* handle = nullptr;
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    const int code = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
    std::unique_ptr<SqliteConnection> connection(new SqliteConnection(handle, statement_timeout));
    if (code != SQLITE_OK) {   // to try again shortly, as of other errors, would be no help
        const auto error = sqlite_error(code, handle, "open " + path);
        return Error(error.code(), "The database file cannot be opened.").reason(error.reason()).detail(error.detail());
    }
    if (auto configured = connection->configure(mode); !configured)
        return configured.error();
    return connection;
}

Result<void> SqliteConnection::configure(Mode mode)
{
    // Another process holds the file for moments only; who waits for longer is told within two seconds (threat-model §9).
    constexpr std::chrono::milliseconds longest_wait_for_others{1500};
    sqlite3_busy_timeout(handle_, static_cast<int>(std::min(statement_timeout_, longest_wait_for_others).count()));
    sqlite3_limit(handle_, SQLITE_LIMIT_LENGTH, longest_value);
    sqlite3_db_config(handle_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(handle_, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);  // "name" is never a text literal
    sqlite3_db_config(handle_, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
    // Debian's library overwrites what is deleted, for which pages that are given free were written once more: FAST leaves that out.
    // The log is moved by checkpoint(), whose errors must not be lost as those of an automatic one are.
    for (const auto* setting : {"PRAGMA journal_mode=WAL", "PRAGMA wal_autocheckpoint=0", "PRAGMA synchronous=FULL",
                                "PRAGMA foreign_keys=ON", "PRAGMA trusted_schema=OFF", "PRAGMA secure_delete=FAST",
                                "PRAGMA case_sensitive_like=ON", "PRAGMA cache_size=-16000"})
        if (const int code = command(setting); code != SQLITE_OK)
            return error_of(code, setting);
    if (mode == Mode::reader)
        if (const int code = command("PRAGMA query_only=ON"); code != SQLITE_OK)
            return error_of(code, "query_only");
    // The pages a savepoint may have to bring back are kept in memory: a file of them costs more than the log.
    if (mode == Mode::writer)
        if (const int code = command("PRAGMA temp_store=MEMORY"); code != SQLITE_OK)
            return error_of(code, "temp_store");
    auto journal = query("PRAGMA journal_mode");
    if (!journal)
        return journal.error();
    if (journal->front().text(0) != "wal")
        return Error(Errc::unavailable, "The database folder does not support write-ahead logging.")
            .detail("journal mode is " + journal->front().text(0));
    if (mode == Mode::writer) {
        auto known = query("SELECT COUNT(*) FROM sqlite_schema");  // opens the log
        if (!known)
            return known.error();
        if (const int code = log_writes_.attach(handle_); code != SQLITE_OK)
            return error_of(code, "the log of the database");
        sqlite3_rollback_hook(handle_, &SqliteConnection::on_rollback, this);
    }
    sqlite3_progress_handler(handle_, instructions_between_looks_at_the_clock, &SqliteConnection::on_progress, this);
    sqlite3_wal_hook(handle_, &SqliteConnection::on_commit, this);
    return {};
}

int SqliteConnection::on_progress(void* self)
{
    auto& connection = *static_cast<SqliteConnection*>(self);
    const auto now = Steady::now();
    if (!connection.statement_deadline_)
        connection.statement_deadline_ = now + connection.statement_timeout_;
    return now >= *connection.statement_deadline_ ? 1 : 0;
}

void SqliteConnection::on_rollback(void* self)
{
    auto& connection = *static_cast<SqliteConnection*>(self);
    LogWrites::on_rollback(&connection.log_writes_);
    connection.facts_.clear();
}

int SqliteConnection::on_commit(void* self, sqlite3*, const char*, int pages)
{
    static_cast<SqliteConnection*>(self)->logged_pages_ = pages;
    return SQLITE_OK;
}

Error SqliteConnection::fail(Error error)
{
    failure_ = error;
    return error;
}

Result<Statement*> SqliteConnection::prepared(std::string_view sql)
{
    if (const auto found = statements_.find(sql); found != statements_.end())
        return &found->second;
    // Texts come from code, not from users, so this happens only if code makes ever new ones: starting over is fine.
    if (statements_.size() >= statements_kept)
        statements_.clear();
    auto statement = Statement::prepare(handle_, sql);
    if (!statement)
        return statement.error();
    return &statements_.emplace(sql, std::move(*statement)).first->second;
}

template <class OnRow>
Result<void> SqliteConnection::run(std::string_view sql, std::span<const Param> params, OnRow on_row)
{
    if (failure_)
        return *failure_;
    auto statement = prepared(sql);
    if (!statement)
        return fail(statement.error());
    auto bound = (*statement)->bind(params);
    if (!bound) {
        (*statement)->reset();
        return fail(bound.error());
    }
    statement_deadline_.reset();
    int code = (*statement)->step();
    while (code == SQLITE_ROW && on_row(**statement))
        code = (*statement)->step();
    statement_deadline_ = Steady::time_point::max();
    std::optional<Error> failed;
    if (code != SQLITE_DONE && code != SQLITE_ROW)
        failed = sqlite_error(code, handle_, sql);  // before reset: it reads the message
    (*statement)->reset();
    if (failed)
        return fail(*failed);
    return {};
}

Result<std::int64_t> SqliteConnection::execute_with(std::string_view sql, std::span<const Param> params)
{
    const auto before = sqlite3_total_changes64(handle_);
    if (auto ran = run(sql, params, [](Statement&) { return true; }); !ran)
        return ran.error();
    // sqlite3_changes64 keeps the number of an earlier statement when this one changed nothing (CREATE TABLE …).
    return sqlite3_total_changes64(handle_) == before ? 0 : sqlite3_changes64(handle_);
}

Result<Rows> SqliteConnection::query_with(std::string_view sql, std::span<const Param> params)
{
    std::optional<Rows> rows;
    auto ran = run(sql, params, [&rows](Statement& statement) {
        if (!rows)
            rows = statement.empty_rows();
        statement.append_row(*rows);
        return true;
    });
    if (!ran)
        return ran.error();
    return rows ? std::move(*rows) : Rows();
}

Result<Rows> SqliteConnection::query_up_to(const TextBound& bound, std::string_view sql, std::span<const Param> params)
{
    std::optional<Rows> rows;
    std::int64_t text_bytes = 0;
    auto ran = run(sql, params, [&](Statement& statement) {
        if (!rows)
            rows = statement.empty_rows();
        if (text_bytes >= bound.bytes) {
            rows->set_cut();
            return false;
        }
        text_bytes += static_cast<std::int64_t>(statement.append_row(*rows));
        return true;
    });
    if (!ran)
        return ran.error();
    return rows ? std::move(*rows) : Rows();
}

void SqliteConnection::learn(std::string fact)
{
    if (facts_.size() >= facts_kept)
        facts_.clear();
    facts_.insert(std::move(fact));
}

Result<void> SqliteConnection::run_script(std::string_view sql)
{
    if (failure_)
        return *failure_;
    ++scripts_;
    if (const int code = command(sql); code != SQLITE_OK)
        return fail(error_of(code, sql));
    return {};
}

int SqliteConnection::command(std::string_view sql)
{
    return sqlite3_exec(handle_, std::string(sql).c_str(), nullptr, nullptr, nullptr);
}

int SqliteConnection::undo_to(std::string_view savepoint)
{
    facts_.clear();  // SQLite calls on_rollback() for whole transactions only
    return command("ROLLBACK TO " + std::string(savepoint));
}

int SqliteConnection::commit_without_sync()
{
    log_writes_.sync_later(true);
    const int code = command("COMMIT");
    log_writes_.sync_later(false);
    return code;
}

int SqliteConnection::checkpoint()
{
    const int code = sqlite3_wal_checkpoint_v2(handle_, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
    return code == SQLITE_IOERR_WRITE && sqlite3_system_errno(handle_) == EFBIG ? SQLITE_FULL
                                                                                : code;  // as of LogWrites
}

int SqliteConnection::sync_database()
{
    sqlite3_file* file = nullptr;
    if (const int code = sqlite3_file_control(handle_, "main", SQLITE_FCNTL_FILE_POINTER, static_cast<void*>(&file));
        code != SQLITE_OK)
        return code;
    return file && file->pMethods ? file->pMethods->xSync(file, SQLITE_SYNC_NORMAL) : SQLITE_OK;
}

}  // namespace dure::sql
