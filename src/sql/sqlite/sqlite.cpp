// The SQLite driver: files and folders, the writer's thread, the readers' threads; see sqlite.hpp.
#include "dure/sql/sqlite.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <thread>

#include "sql/sqlite/writer.hpp"

namespace dure::sql {

namespace {

namespace fs = std::filesystem;

Error file_error(std::string_view what, const std::string& path, int number)
{
    return Error(Errc::unavailable, std::string(what) + " " + path + ": " + std::strerror(number));
}

Result<void> create_private_folder(const fs::path& folder)
{
    if (folder.empty() || fs::exists(folder))
        return {};
    if (auto above = create_private_folder(folder.parent_path()); !above)
        return above;
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
        return file_error("cannot create the folder", folder.string(), errno);
    return {};
}

Result<void> create_private_file(const std::string& path)
{
    // Only a file that is not there: closing a second descriptor of an open database would drop SQLite's locks on it.
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (descriptor < 0 && errno != EEXIST)
        return file_error("cannot create the database", path, errno);
    if (descriptor >= 0)
        ::close(descriptor);
    return {};
}

Result<std::string> make_temporary_folder()
{
    std::string pattern = (fs::temp_directory_path() / "dure-XXXXXX").string();
    if (!::mkdtemp(pattern.data()))
        return file_error("cannot create the folder", pattern, errno);
    return pattern;
}

// Without a lock and a sum around each of the library's allocations. It takes the setting before its first use only; a process
// that used it before goes without.
void leave_memory_uncounted()
{
    static const int once = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    static_cast<void>(once);
}

class SqliteDatabase final : public Database {
public:
    SqliteDatabase(SqliteOptions options, std::string temporary_folder)
        : options_(std::move(options)), temporary_folder_(std::move(temporary_folder)), writes_(options_.queue_limit),
          reads_(options_.queue_limit)
    {}

    ~SqliteDatabase() override
    {
        writes_.close();
        reads_.close();
        for (auto& thread : threads_)
            thread.join();
        readers_.clear();
        writer_.reset();
        std::error_code ignored;  // a folder that stays behind harms nobody
        if (!temporary_folder_.empty())
            fs::remove_all(temporary_folder_, ignored);
    }

    Result<void> start()
    {
        using Mode = SqliteConnection::Mode;
        auto connection = SqliteConnection::open(options_.path, Mode::writer, options_.statement_timeout);
        if (!connection)
            return connection.error();
        auto mover = SqliteConnection::open(options_.path, Mode::reader, options_.statement_timeout);
        if (!mover)
            return mover.error();
        writer_.emplace(std::move(*connection), std::move(*mover), writes_, options_);
        for (std::size_t i = 0; i < std::max<std::size_t>(1, options_.readers); ++i) {
            auto reader = SqliteConnection::open(options_.path, Mode::reader, options_.statement_timeout);
            if (!reader)
                return reader.error();
            readers_.push_back(std::move(*reader));
        }
        threads_.emplace_back([this] {
            pthread_setname_np(pthread_self(), "sql-writer");
            writer_->work();
        });
        for (auto& reader : readers_)
            threads_.emplace_back([this, &reader] {
                pthread_setname_np(pthread_self(), "sql-reader");
                run_reader(*reader, reads_, writer_->log_sync(), writes_, options_.queue_wait);
            });
        return {};
    }

    Dialect dialect() const override { return Dialect::sqlite; }
    std::size_t queued() const override { return writes_.size() + reads_.size(); }
    Threads threads() const override { return {threads_.size(), writes_.idle() + reads_.idle()}; }

protected:
    Result<void> submit(Unit& unit, Access access) override
    {
        if (access == Access::write && writer_->dead())
            return busy_error("storage failed before");
        auto& queue = access == Access::write ? writes_ : reads_;
        if (!queue.push(unit))
            return busy_error("database queue is full or closed");
        return {};
    }

private:
    const SqliteOptions options_;
    const std::string temporary_folder_;
    UnitQueue writes_;
    UnitQueue reads_;
    std::optional<SqliteWriter> writer_;
    std::vector<std::unique_ptr<SqliteConnection>> readers_;
    std::vector<std::thread> threads_;
};

}  // namespace

Result<std::unique_ptr<Database>> open_sqlite(SqliteOptions options)
{
    leave_memory_uncounted();
    std::string temporary;
    if (options.path == ":memory:") {
        auto made = make_temporary_folder();
        if (!made)
            return made.error();
        temporary = *made;
        options.path = temporary + "/memory.db";
    }
    if (options.path.empty())
        return Error(Errc::invalid_argument, "The database URL names no file.");
    if (auto folder = create_private_folder(fs::path(options.path).parent_path()); !folder)
        return folder.error();
    if (auto file = create_private_file(options.path); !file)
        return file.error();
    auto database = std::make_unique<SqliteDatabase>(std::move(options), std::move(temporary));
    if (auto started = database->start(); !started)
        return started.error();
    return std::unique_ptr<Database>(std::move(database));
}

}  // namespace dure::sql
