// PostgresConnection: one session of libpqxx, used by one thread at a time, with its prepared statements and its
// limits. libpqxx throws; here it ends: the first failure is kept, and later statements repeat it until it is taken.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <pqxx/connection>
#include <pqxx/errorhandler>
#include <pqxx/nontransaction>
#include <unordered_map>

#include "dure/sql/connection.hpp"
#include "sql/postgres/address.hpp"
#include "sql/postgres/failure.hpp"
#include "sql/postgres/watchdog.hpp"

namespace dure::sql {

class PostgresConnection final : public Connection {
public:
    // unavailable with the reason in its detail when there is no connection.
    static Result<std::unique_ptr<PostgresConnection>> open(const PostgresAddress& address,
                                                            std::chrono::milliseconds statement_timeout, Watchdog& dog);
    ~PostgresConnection() override;

    Result<std::int64_t> execute_with(std::string_view sql, std::span<const Param> params) override;
    Result<Rows> query_with(std::string_view sql, std::span<const Param> params) override;
    Result<Rows> query_up_to(const TextBound& bound, std::string_view sql, std::span<const Param> params) override;
    Result<void> run_script(std::string_view sql) override;
    Result<void> at_end(std::function<Result<void>(Connection&)> work) override;
    Dialect dialect() const override { return Dialect::postgres; }

    // For the driver: one or more statements as text; the first cell of the last one's result, or nothing. An answer that
    // does not come within `patience` is a lost connection; as long as any statement may take, unless less is said.
    Result<std::string> command(std::string_view sql) { return command(sql, longest_answer()); }
    Result<std::string> command(std::string_view sql, Steady::duration patience);
    Steady::duration longest_answer() const;
    // How long the statements of a unit may take to answer, where it is less than longest_answer(); until another one is given.
    void limit_answers(Steady::duration limit) { answer_limit_ = limit; }
    // Does what was put off to the end, in its order, until something fails; then, or before another attempt, the rest is dropped.
    Result<void> do_ends();
    void drop_ends() { ends_.clear(); }
    bool has_failed() const { return failure_.has_value(); }
    // The first failure since it was last taken.
    std::optional<PostgresFailure> take_failure() { return std::exchange(failure_, std::nullopt); }
    // The server has closed it. Not while another thread uses it.
    bool is_hung_up() const;
    int server_process() const { return session_.backendpid(); }
    int server_version() const { return session_.server_version(); }

private:
    struct Prepared {
        std::string name;
        std::shared_ptr<const std::vector<std::string>> columns;  // known after the first result
    };
    struct TextHash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
    };

    PostgresConnection(const std::string& text, std::chrono::milliseconds statement_timeout, Watchdog& dog);
    Error fail(Error error);
    // Runs `work` of libpqxx under the socket's limit.
    template <class Work>
    Result<pqxx::result> guarded(std::string_view sql, Steady::duration limit, Work work);
    Result<pqxx::result> run(std::string_view sql, std::span<const Param> params);
    // Empty when this connection has prepared enough.
    Prepared* prepared(std::string_view sql);
    std::shared_ptr<const std::vector<std::string>> columns_of(std::string_view sql, const pqxx::result& result);

    const std::chrono::milliseconds statement_timeout_;
    pqxx::connection session_;
    pqxx::quiet_errorhandler quiet_{session_};  // notices would go to standard error
    pqxx::nontransaction commands_{session_};  // BEGIN and COMMIT are ours
    std::optional<Watchdog::Watch> watch_;
    std::unordered_map<std::string, Prepared, TextHash, std::equal_to<>> prepared_;
    std::optional<PostgresFailure> failure_;
    std::vector<std::function<Result<void>(Connection&)>> ends_;
    Steady::duration answer_limit_;
};

}  // namespace dure::sql
