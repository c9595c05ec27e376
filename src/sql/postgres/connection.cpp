// PostgresConnection: parameters checked -> statement prepared once -> executed under two limits: the server's
// statement timeout, and behind it the socket's for a server that does not answer at all. See connection.hpp.
#include "sql/postgres/connection.hpp"

#include <algorithm>
#include <utility>

#include "sql/param_check.hpp"
#include "sql/postgres/values.hpp"
#include "sql/unit_queue.hpp"

namespace dure::sql {

namespace {

constexpr std::size_t most_prepared = 512;
constexpr std::chrono::milliseconds answer_grace{1000};  // between the server's limit and the socket's
constexpr std::chrono::minutes script_limit{10};
constexpr std::chrono::milliseconds shortest_idle{3000}, longest_idle{12000};

// A process that is stopped inside of a transaction holds its locks: the server ends it sooner than the statements of others
// that wait for them, and than a lease. Between two statements of a unit there are microseconds; of one that reads megabytes on a
// busy machine, more.
std::string session_settings(std::chrono::milliseconds statement_timeout)
{
    const auto idle = std::clamp<std::chrono::milliseconds>(statement_timeout * 3 / 5, shortest_idle, longest_idle);
    return "-c statement_timeout=" + std::to_string(statement_timeout.count()) +
           " -c synchronous_commit=on -c idle_in_transaction_session_timeout=" + std::to_string(idle.count()) +
           " -c jit=off -c client_min_messages=error";
}

}  // namespace

PostgresConnection::PostgresConnection(const std::string& text, std::chrono::milliseconds statement_timeout,
                                       Watchdog& dog)
    : statement_timeout_(statement_timeout), session_(text), answer_limit_(longest_answer())
{
    session_.set_verbosity(pqxx::connection_base::terse);  // what a message explains further holds values
    watch_.emplace(dog, session_.sock());
}

PostgresConnection::~PostgresConnection()
{
    watch_.reset();  // before the socket is closed
}

Result<std::unique_ptr<PostgresConnection>>
PostgresConnection::open(const PostgresAddress& address, std::chrono::milliseconds statement_timeout, Watchdog& dog)
{
    try {
        const auto text = address.connection_text(session_settings(statement_timeout));
        return std::unique_ptr<PostgresConnection>(
            new PostgresConnection(std::string(text.reveal()), statement_timeout, dog));
    } catch (...) {
        return current_failure(false, "").error;
    }
}

bool PostgresConnection::is_hung_up() const
{
    pollfd socket{session_.sock(), POLLRDHUP, 0};
    return !session_.is_open() || ::poll(&socket, 1, 0) != 0;
}

Error PostgresConnection::fail(Error error)
{
    failure_ = PostgresFailure{PostgresFailure::Kind::statement, error};
    return error;
}

template <class Work>
Result<pqxx::result> PostgresConnection::guarded(std::string_view sql, Steady::duration limit, Work work)
{
    if (failure_)
        return failure_->error;
    watch_->arm(limit);
    try {
        auto result = work();
        watch_->disarm();
        return result;
    } catch (...) {
        watch_->disarm();
        failure_ = current_failure(session_.is_open(), sql);
    }
    return failure_->error;
}

PostgresConnection::Prepared* PostgresConnection::prepared(std::string_view sql)
{
    if (const auto found = prepared_.find(sql); found != prepared_.end())
        return &found->second;
    if (prepared_.size() >= most_prepared)
        return nullptr;
    Prepared fresh;
    fresh.name = "s" + std::to_string(prepared_.size());
    session_.prepare(fresh.name, std::string(sql));
    try {
        session_.prepare_now(fresh.name);
    } catch (...) {
        session_.unprepare(fresh.name);  // the name is free for the next one
        throw;
    }
    return &prepared_.emplace(sql, std::move(fresh)).first->second;
}

Result<pqxx::result> PostgresConnection::run(std::string_view sql, std::span<const Param> params)
{
    if (failure_)
        return failure_->error;
    for (const auto& param : params)
        if (auto fine = check_param(param.value()); !fine)
            return fail(fine.error());
    return guarded(sql, answer_limit_, [&] {
        const auto bound = pqxx::prepare::make_dynamic_params(params.begin(), params.end());
        if (const auto* statement = prepared(sql))
            return commands_.exec_prepared(statement->name, bound);
        return commands_.exec_params(std::string(sql), bound);
    });
}

Result<std::int64_t> PostgresConnection::execute_with(std::string_view sql, std::span<const Param> params)
{
    auto result = run(sql, params);
    if (!result)
        return result.error();
    return static_cast<std::int64_t>(result->affected_rows());
}

std::shared_ptr<const std::vector<std::string>> PostgresConnection::columns_of(std::string_view sql,
                                                                               const pqxx::result& result)
{
    const auto known = prepared_.find(sql);
    if (known != prepared_.end() && known->second.columns)
        return known->second.columns;
    auto names = std::make_shared<std::vector<std::string>>();
    for (pqxx::row::size_type i = 0; i < result.columns(); ++i)
        names->emplace_back(result.column_name(i));
    if (known != prepared_.end())
        known->second.columns = names;
    return names;
}

Result<Rows> PostgresConnection::query_with(std::string_view sql, std::span<const Param> params)
{
    auto result = run(sql, params);
    if (!result)
        return result.error();
    Rows rows(columns_of(sql, *result));
    std::vector<pqxx::oid> types;
    for (pqxx::row::size_type i = 0; i < result->columns(); ++i)
        types.push_back(result->column_type(i));
    for (const auto& row : *result)
        for (pqxx::row::size_type i = 0; i < row.size(); ++i)
            rows.append(postgres_cell(row[i], types[static_cast<std::size_t>(i)]));
    return rows;
}

// The length of a text that is stored apart is known without it: the windows see every row of the query, only those that are given
// are read whole.
Result<Rows> PostgresConnection::query_up_to(const TextBound& bound, std::string_view sql,
                                             std::span<const Param> params)
{
    const std::string order(bound.order);
    const auto bounded =
        "SELECT * FROM (SELECT listed.*, CAST(COALESCE(SUM(" + std::string(bound.lengths) + ") OVER (ORDER BY " +
        order + " ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS BIGINT) AS bytes_before, COUNT(*) OVER () AS "
        "rows_listed FROM (" + std::string(sql) + ") AS listed) AS measured WHERE bytes_before < " +
        std::to_string(bound.bytes) + " ORDER BY " + order;
    auto rows = query_with(bounded, params);
    if (rows && !rows->empty() && std::cmp_greater(rows->front().integer("rows_listed"), rows->size()))
        rows->set_cut();
    return rows;
}

Result<void> PostgresConnection::run_script(std::string_view sql)
{
    const auto limited = [](std::chrono::milliseconds limit) {
        return "SET LOCAL statement_timeout = " + std::to_string(limit.count());
    };
    for (const auto& text : {limited(script_limit), std::string(sql), limited(statement_timeout_)})
        if (auto ran = guarded(sql, script_limit + answer_grace, [&] { return commands_.exec(text); }); !ran)
            return ran.error();
    return {};
}

Result<void> PostgresConnection::at_end(std::function<Result<void>(Connection&)> work)
{
    ends_.push_back(std::move(work));
    return {};
}

Result<void> PostgresConnection::do_ends()
{
    const auto ends = std::exchange(ends_, {});
    for (const auto& work : ends)
        if (auto done = work(*this); !done)
            return done;
    return {};
}

Steady::duration PostgresConnection::longest_answer() const
{
    return statement_timeout_ + answer_grace;
}

Result<std::string> PostgresConnection::command(std::string_view sql, Steady::duration patience)
{
    auto result = guarded(sql, patience, [&] { return commands_.exec(std::string(sql)); });
    if (!result)
        return result.error();
    if (result->empty() || result->columns() == 0 || (*result)[0][0].is_null())
        return std::string();
    return std::string((*result)[0][0].c_str());
}

}  // namespace dure::sql
