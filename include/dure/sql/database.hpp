// Database: runs units of work. A unit is one function `Result<T>(Connection&)`; it goes to the database's threads in
// one hop and is one transaction there:
//   auto user = co_await db.read([&](sql::Connection& c) { return store::Users(c).find(id); });
// An Error rolls back; an exception rolls back and comes out of co_await. A write is delivered after its commit only.
// A unit may be run a second time when its transaction was lost through no fault of its own, so it must change nothing
// but the database. Thread-safe; destroy it before the io_contexts of waiting coroutines, it finishes what is queued.
// A cancelled coroutine still waits for the end of its unit; units are bounded by queue wait and statement limit.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <semaphore>
#include <type_traits>

#include "dure/base/blocking_pool.hpp"
#include "dure/base/clock.hpp"
#include "dure/base/task.hpp"
#include "dure/sql/connection.hpp"

namespace dure::sql {

// One unit on its way through a driver, without its result type. It lives with whoever waits for it.
class Unit {
public:
    virtual ~Unit() = default;
    // False: the unit gave an Error and wants its transaction rolled back. May throw. May be called again.
    virtual bool run(Connection& connection) = 0;

    std::function<void()> done;  // called once by the driver, from its thread, when the outcome stands
    std::optional<Error> error;  // set by the driver: the transaction failed, whatever run() gave
    std::exception_ptr thrown;  // set by the driver: what run() threw
    Steady::time_point queued_at = Steady::now();
    bool reads_only = false;  // kept by drivers that run reads and writes on the same threads
    bool one_statement = false;  // set by the caller: needs no BEGIN and COMMIT, where the driver can
    bool shares_transaction = false;  // set by the caller: of write_together()
    int interruptions = 0;  // kept by the driver: how often its transaction was lost
};

class Database {
public:
    virtual ~Database() = default;

    // Sees one consistent state; may not change anything.
    template <class F>
    Task<std::invoke_result_t<F&, Connection&>> read(F work)
    {
        TypedUnit<F> unit(work);
        co_await wait_for(unit, Access::read);
        co_return unit.take();
    }

    // A read of exactly one statement, which is consistent by itself: one round trip on PostgreSQL, where read() is three. It must be
    // one that changes nothing.
    template <class F>
    Task<std::invoke_result_t<F&, Connection&>> read_statement(F work)
    {
        TypedUnit<F> unit(work);
        unit.one_statement = true;
        co_await wait_for(unit, Access::read);
        co_return unit.take();
    }

    template <class F>
    Task<std::invoke_result_t<F&, Connection&>> write(F work)
    {
        TypedUnit<F> unit(work);
        co_await wait_for(unit, Access::write);
        co_return unit.take();
    }

    // The same, for short units that come in numbers: those that wait at the same time may become one transaction, with one commit. Each
    // has its own outcome. On PostgreSQL a unit that fails among others rolls them back, and each is run again alone; what takes a lock
    // that everybody waits for goes to Connection::at_end().
    template <class F>
    Task<std::invoke_result_t<F&, Connection&>> write_together(F work)
    {
        TypedUnit<F> unit(work);
        unit.shares_transaction = true;
        co_await wait_for(unit, Access::write);
        co_return unit.take();
    }

    // A write of exactly one statement, which is its own transaction: one round trip on PostgreSQL. An Error the unit gives
    // does not roll the statement back. When its answer was lost it is run again, also after it was committed: the
    // statement must be one that may be repeated.
    template <class F>
    Task<std::invoke_result_t<F&, Connection&>> write_statement(F work)
    {
        TypedUnit<F> unit(work);
        unit.one_statement = true;
        co_await wait_for(unit, Access::write);
        co_return unit.take();
    }

    // A write that blocks the calling thread: command line, migrations, background threads. Never on a core.
    template <class F>
    std::invoke_result_t<F&, Connection&> run_now(F work)
    {
        TypedUnit<F> unit(work);
        block_for(unit);
        return unit.take();
    }

    virtual Dialect dialect() const = 0;
    // Units waiting for a thread, for metrics.
    virtual std::size_t queued() const = 0;
    // The driver's threads, each with a connection of its own, and how many of them wait for work; for metrics.
    struct Threads {
        std::size_t all = 0;
        std::size_t idle = 0;
    };
    virtual Threads threads() const = 0;
    // There is no connection to its server, and none could be made: what is asked now waits, most likely in vain.
    virtual bool is_away() const { return false; }

protected:
    enum class Access { read, write };
    // Takes the unit, or gives the reason why not (then done is not called).
    virtual Result<void> submit(Unit& unit, Access access) = 0;

private:
    template <class F>
    class TypedUnit final : public Unit {
    public:
        using Outcome = std::invoke_result_t<F&, Connection&>;
        explicit TypedUnit(F& work) : work_(work) {}

        bool run(Connection& connection) override
        {
            outcome_.reset();
            outcome_.emplace(work_(connection));
            return outcome_->has_value();
        }

        Outcome take()
        {
            if (thrown)
                std::rethrow_exception(thrown);
            if (error)
                return std::move(*error);
            return std::move(*outcome_);
        }

    private:
        F& work_;
        std::optional<Outcome> outcome_;
    };

    Task<void> wait_for(Unit& unit, Access access);
    void block_for(Unit& unit);
};

}  // namespace dure::sql
