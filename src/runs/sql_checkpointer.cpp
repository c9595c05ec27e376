// SqlCheckpointer: each call is one unit of work; see batch_writer, checkpoint_reader and thread_care.
#include "dure/runs/sql_checkpointer.hpp"

#include "runs/batch_writer.hpp"
#include "runs/checkpoint_reader.hpp"
#include "runs/storage_retry.hpp"
#include "runs/thread_care.hpp"

namespace dure::runs {

Result<bool> SqlCheckpointer::has_thread_in(sql::Connection& connection, const std::string& thread)
{
    return has_thread(connection, thread);
}

Result<void> SqlCheckpointer::save_in(sql::Connection& connection, const std::string& thread, const graph::Batch& batch)
{
    const Fence nobody;
    return write_batch(connection, {thread, batch, nobody, {}});
}

Task<Result<void>> SqlCheckpointer::save(const std::string& thread, graph::Batch batch)
{
    const auto write = [&](sql::Connection& c) { return save_in(c, thread, batch); };
    const bool one_statement = is_one_statement(database_.dialect(), batch);
    co_return co_await until_stored(
        [&] { return one_statement ? database_.write_statement(write) : database_.write(write); },
        limits_.give_up_after);
}

Task<Result<std::optional<graph::StoredCheckpoint>>>
SqlCheckpointer::load(const std::string& thread, const std::string& ns, const std::string& id, bool with_pending)
{
    const auto read = [&](sql::Connection& c) { return read_checkpoint(c, thread, ns, id, with_pending); };
    co_return co_await until_stored([&] { return database_.read(read); }, limits_.give_up_after);
}

Task<Result<std::vector<graph::StoredCheckpoint>>> SqlCheckpointer::history(const std::string& thread,
                                                                            const graph::HistoryQuery& query)
{
    const auto read = [&](sql::Connection& c) { return read_history(c, thread, query); };
    co_return co_await until_stored([&] { return database_.read(read); }, limits_.give_up_after);
}

Task<Result<std::vector<std::string>>> SqlCheckpointer::namespaces(const std::string& thread)
{
    const auto read = [&](sql::Connection& c) -> Result<std::vector<std::string>> {
        const auto rows = c.query("SELECT DISTINCT ns FROM graph_checkpoints WHERE thread_id = $1 ORDER BY ns", thread);
        if (!rows)
            return rows.error();
        std::vector<std::string> names;
        for (const auto row : *rows)
            names.push_back(row.text(0));
        return names;
    };
    co_return co_await until_stored([&] { return database_.read(read); }, limits_.give_up_after);
}

Task<Result<void>> SqlCheckpointer::delete_thread(const std::string& thread)
{
    const auto work = [&](sql::Connection& c) { return runs::delete_thread(c, thread); };
    co_return co_await until_stored([&] { return database_.write(work); }, limits_.give_up_after);
}

Task<Result<void>> SqlCheckpointer::copy_thread(const std::string& from, const std::string& to)
{
    const auto work = [&](sql::Connection& c) { return runs::copy_thread(c, from, to); };
    co_return co_await until_stored([&] { return database_.write(work); }, limits_.give_up_after);
}

Task<Result<void>> SqlCheckpointer::delete_run(const std::string& thread, const std::string& run)
{
    const auto work = [&](sql::Connection& c) { return runs::delete_run(c, thread, run); };
    co_return co_await until_stored([&] { return database_.write(work); }, limits_.give_up_after);
}

Task<Result<std::int64_t>> SqlCheckpointer::prune(const std::string& thread, std::int64_t keep,
                                                  std::optional<UnixMillis> older_than)
{
    const auto work = [&](sql::Connection& c) { return runs::prune(c, thread, keep, older_than); };
    co_return co_await until_stored([&] { return database_.write(work); }, limits_.give_up_after);
}

}  // namespace dure::runs
