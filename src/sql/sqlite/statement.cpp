// Statement and the mapping of SQLite's result codes; see statement.hpp.
#include "sql/sqlite/statement.hpp"

#include <charconv>

#include "dure/base/text.hpp"
#include "sql/param_check.hpp"
#include "sql/unit_queue.hpp"

namespace dure::sql {

namespace {

constexpr std::size_t sql_in_detail = 200;

Error broken_statement(std::string_view problem, std::string_view sql)
{
    return Error(Errc::internal, "The storage failed.")
        .detail(std::string(problem) + ": " + std::string(utf8_prefix(sql, sql_in_detail)));
}

bool is_conflict(int extended_code)
{
    return extended_code == SQLITE_CONSTRAINT_UNIQUE || extended_code == SQLITE_CONSTRAINT_PRIMARYKEY ||
           extended_code == SQLITE_CONSTRAINT_ROWID || extended_code == SQLITE_CONSTRAINT_FOREIGNKEY;
}

Error code_to_error(int code, std::string detail)
{
    if (is_conflict(code))
        return Error(Errc::conflict, "The value is already taken, or refers to something that is not there.")
            .reason(code == SQLITE_CONSTRAINT_FOREIGNKEY ? std::string(broken_reference) : std::string())
            .detail(std::move(detail));
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_PROTOCOL:
    case SQLITE_NOMEM: return busy_error(std::move(detail));
    case SQLITE_FULL: return Error(Errc::storage_full, "The storage is full.").detail(std::move(detail));
    case SQLITE_INTERRUPT: return Error(Errc::timeout, "The storage did not answer in time.").detail(std::move(detail));
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return Error(Errc::internal, "The database file is damaged, or is no database.")
            .reason(std::string(damaged_database))
            .detail(std::move(detail));
    case SQLITE_TOOBIG:
        return Error(Errc::invalid_argument, "A value is too large to be stored.").detail(std::move(detail));
    default: return Error(Errc::internal, "The storage failed.").detail(std::move(detail));
    }
}

int bind_value(sqlite3_stmt* statement, int position, const Param::Value& value)
{
    if (const auto* number = std::get_if<std::int64_t>(&value))
        return sqlite3_bind_int64(statement, position, *number);
    if (const auto* real = std::get_if<double>(&value))
        return sqlite3_bind_double(statement, position, *real);
    if (const auto* text = std::get_if<std::string_view>(&value))
        return sqlite3_bind_text64(statement, position, text->data() ? text->data() : "", text->size(), SQLITE_STATIC,
                                   SQLITE_UTF8);
    return sqlite3_bind_null(statement, position);
}

}  // namespace

Error sqlite_error(int code, sqlite3* handle, std::string_view action)
{
    std::string detail = "sqlite " + std::to_string(code);
    if (handle)
        detail.append(" ").append(sqlite3_errmsg(handle));
    detail.append(" in: ").append(utf8_prefix(action, sql_in_detail));
    return code_to_error(code, std::move(detail));
}

Result<Statement> Statement::prepare(sqlite3* handle, std::string_view sql)
{
    Statement made;
    sqlite3_stmt* raw = nullptr;
    const char* tail = nullptr;
    const int code =
        sqlite3_prepare_v3(handle, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &raw, &tail);
    made.statement_.reset(raw);
    if (code != SQLITE_OK)
        return sqlite_error(code, handle, sql);
    if (!raw || !trim(sql.substr(static_cast<std::size_t>(tail - sql.data()))).empty())
        return broken_statement("not exactly one statement", sql);
    if (auto resolved = made.resolve_parameters(sql); !resolved)
        return resolved.error();
    made.read_columns();
    return made;
}

Result<void> Statement::resolve_parameters(std::string_view sql)
{
    const int count = sqlite3_bind_parameter_count(statement_.get());
    positions_.assign(static_cast<std::size_t>(count), 0);
    for (int position = 1; position <= count; ++position) {
        const char* raw_name = sqlite3_bind_parameter_name(statement_.get(), position);
        const std::string_view name = raw_name ? raw_name : "";
        int number = 0;
        const char* end = name.data() + name.size();
        const bool whole = name.starts_with('$') && std::from_chars(name.data() + 1, end, number).ptr == end;
        if (!whole || number < 1 || number > count)
            return broken_statement("parameters are not $1 to $n", sql);
        positions_[static_cast<std::size_t>(number - 1)] = position;
    }
    return {};
}

void Statement::read_columns()
{
    auto names = std::make_shared<std::vector<std::string>>();
    const int count = sqlite3_column_count(statement_.get());
    for (int i = 0; i < count; ++i)
        names->emplace_back(sqlite3_column_name(statement_.get(), i));
    columns_ = std::move(names);
}

Result<void> Statement::bind(std::span<const Param> params)
{
    if (params.size() != positions_.size())
        return broken_statement("wrong number of parameters", sqlite3_sql(statement_.get()));
    for (std::size_t i = 0; i < params.size(); ++i) {
        const auto& value = params[i].value();
        if (auto fine = check_param(value); !fine)
            return fine.error();
        if (const int code = bind_value(statement_.get(), positions_[i], value); code != SQLITE_OK)
            return sqlite_error(code, nullptr, sqlite3_sql(statement_.get()));
    }
    return {};
}

std::size_t Statement::append_row(Rows& rows) const
{
    auto* statement = statement_.get();
    std::size_t text_bytes = 0;
    for (int i = 0; i < static_cast<int>(columns_->size()); ++i) {
        switch (sqlite3_column_type(statement, i)) {
        case SQLITE_INTEGER: rows.append(static_cast<std::int64_t>(sqlite3_column_int64(statement, i))); break;
        case SQLITE_FLOAT: rows.append(sqlite3_column_double(statement, i)); break;
        case SQLITE_NULL: rows.append(nullptr); break;
        default: {
            const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement, i));
            const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, i));
            rows.append(bytes ? std::string(bytes, size) : std::string());
            text_bytes += size;
        }
        }
    }
    return text_bytes;
}

void Statement::reset()
{
    // The code only repeats what step() gave. The bindings stay, views of what may be gone: each is bound anew before the next step().
    sqlite3_reset(statement_.get());
}

}  // namespace dure::sql
