// SQLSTATE codes and libpqxx's exceptions as errors of this module; see failure.hpp.
#include "sql/postgres/failure.hpp"

#include <pqxx/except>

#include "dure/base/text.hpp"
#include "sql/unit_queue.hpp"

namespace dure::sql {

namespace {

using Kind = PostgresFailure::Kind;
constexpr std::size_t statement_in_detail = 200;

// The first line only: further ones repeat values of rows.
std::string failure_detail(std::string_view state, std::string_view message, std::string_view sql)
{
    const auto line = trim(message.substr(0, message.find('\n')));
    std::string detail = "postgres ";
    detail.append(state).append(state.empty() ? "" : " ").append(to_valid_utf8(line));
    if (!sql.empty())
        detail.append(" in: ").append(utf8_prefix(sql, statement_in_detail));
    return detail;
}

Error statement_error(std::string_view state, std::string detail)
{
    if (state == "23505" || state == "23503" || state == "23P01")
        return Error(Errc::conflict, "The value is already taken, or refers to something that is not there.")
            .reason(state == "23503" ? std::string(broken_reference) : std::string())
            .detail(std::move(detail));
    if (state == "57014")
        return Error(Errc::timeout, "The storage did not answer in time.").detail(std::move(detail));
    if (state == "53100")
        return Error(Errc::storage_full, "The storage is full.").detail(std::move(detail));
    if (state.starts_with("54"))   // a limit of the server, such as the size of an index entry
        return Error(Errc::invalid_argument, "A value is too large to be stored.").detail(std::move(detail));
    if (state.starts_with("53") || state.starts_with("57") || state.starts_with("58") || state == "55P03" ||
        state == "55000")
        return busy_error(std::move(detail));
    return Error(Errc::internal, "The storage failed.").detail(std::move(detail));
}

// Codes that come with the end of the session: shutdowns, the idle limit; and plans that no longer fit their tables.
bool ends_session(std::string_view state, std::string_view message)
{
    return state == "57P01" || state == "57P02" || state == "57P03" || state == "57P05" || state == "25P03" ||
           (state == "0A000" && message.find("cached plan") != std::string_view::npos);
}

}  // namespace

PostgresFailure current_failure(bool open, std::string_view sql)
{
    const auto lost_or = [open](Kind kind) { return open ? kind : Kind::lost; };
    try {
        throw;
    } catch (const pqxx::transaction_rollback& again) {
        return {lost_or(Kind::again), busy_error(failure_detail("", again.what(), sql))};
    } catch (const pqxx::sql_error& refused) {
        auto detail = failure_detail(refused.sqlstate(), refused.what(), sql);
        if (!open || ends_session(refused.sqlstate(), refused.what()))
            return {Kind::lost, busy_error(std::move(detail)), refused.sqlstate()};
        return {Kind::statement, statement_error(refused.sqlstate(), std::move(detail)), refused.sqlstate()};
    } catch (const pqxx::broken_connection& broken) {
        return {lost_or(Kind::unclear), busy_error(failure_detail("", broken.what(), sql))};
    } catch (const std::exception& other) {
        return {lost_or(Kind::unclear),
                Error(Errc::internal, "The storage failed.").detail(failure_detail("", other.what(), sql))};
    }
}

}  // namespace dure::sql
