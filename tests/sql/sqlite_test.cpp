// What is special to SQLite: the file, a second process, a full disk, a storage that cannot confirm a commit.
#include <sqlite3.h>
#include <sys/stat.h>

#include <atomic>
#include <thread>
#include <vector>

#include "dure/sql/file_lock.hpp"
#include "sql/failing_disk.hpp"
#include "sql/items.hpp"
#include "support/databases.hpp"

namespace dure::sql {
namespace {

using namespace std::chrono_literals;

mode_t mode_of(const std::string& path)
{
    struct stat found{};
    return ::stat(path.c_str(), &found) == 0 ? found.st_mode & 0777 : 0;
}

TEST(Sqlite, MakesAPrivateFileInAPrivateFolder)
{
    test::TemporaryFolder folder;
    const auto path = folder.file("a/b/dure.db");
    const auto database = test::open_or_throw(test::sqlite_options(path));
    ASSERT_TRUE(database->run_now(make_table));
    EXPECT_EQ(mode_of(path), 0600u);
    EXPECT_EQ(mode_of(path + "-wal"), 0600u);
    EXPECT_EQ(mode_of(folder.file("a")), 0700u);
    EXPECT_EQ(mode_of(folder.file("a/b")), 0700u);
}

TEST(Sqlite, KeepsDataAcrossReopening)
{
    test::TemporaryFolder folder;
    const auto options = test::sqlite_options(folder.file("dure.db"));
    {
        const auto database = test::open_or_throw(options);
        ASSERT_TRUE(database->run_now(make_table));
        ASSERT_TRUE(database->run_now([](Connection& c) { return insert_item(c, "한"); }));
    }
    const auto database = test::open_or_throw(options);
    EXPECT_EQ(test::read_now(*database, count_items).value(), 1);
}

TEST(Sqlite, SaysWhyAFileCannotBeOpened)
{
    test::TemporaryFolder folder;
    std::ofstream(folder.file("text.db")) << std::string(5000, 'x');
    std::ofstream(folder.file("file")) << "x";
    for (const auto& path : {folder.file("text.db"), folder.file("file/dure.db"), std::string()}) {
        const auto opened = open_sqlite(test::sqlite_options(path));
        ASSERT_FALSE(opened) << path;
        EXPECT_FALSE(opened.error().message().empty());
    }
}

TEST(Sqlite, AFileThatIsNoDatabaseOrIsDamagedIsToldApartFromOtherFailures)
{
    test::TemporaryFolder folder;
    std::ofstream(folder.file("text.db")) << std::string(5000, 'x');
    const auto none = open_sqlite(test::sqlite_options(folder.file("text.db")));
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().reason(), damaged_database) << none.error().message();
    const auto path = folder.file("dure.db");
    {
        const auto database = test::open_or_throw(test::sqlite_options(path));
        ASSERT_TRUE(database->run_now(make_table));
    }
    {
        std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(100);   // behind the head of the file: the page that tells which tables there are
        file << std::string(3000, '\xff');
    }
    const auto damaged = open_sqlite(test::sqlite_options(path));
    ASSERT_FALSE(damaged);
    EXPECT_EQ(damaged.error().reason(), damaged_database) << damaged.error().message() << damaged.error().detail();
    std::ofstream(folder.file("empty.db")).close();
    const auto fresh = open_sqlite(test::sqlite_options(folder.file("empty.db")));
    EXPECT_TRUE(fresh) << "an empty file is a new database";
}

TEST(Sqlite, AnotherProcessHoldingTheWriteLockMakesItUnavailable)
{
    test::TemporaryFolder folder;
    const auto path = folder.file("dure.db");
    const auto database = test::open_or_throw(test::sqlite_options(path, {.statement_timeout = 50ms}));
    ASSERT_TRUE(database->run_now(make_table));
    sqlite3* other = nullptr;
    ASSERT_EQ(sqlite3_open(path.c_str(), &other), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
    const auto refused = database->run_now([](Connection& c) { return insert_item(c, "a"); });
    EXPECT_EQ(refused.error().code(), Errc::unavailable);
    EXPECT_EQ(test::read_now(*database, count_items).value(), 0);
    ASSERT_EQ(sqlite3_exec(other, "ROLLBACK", nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(other);
    EXPECT_TRUE(database->run_now([](Connection& c) { return insert_item(c, "a"); }));
}

TEST(Sqlite, AFullDiskIsToldAndPasses)
{
    const auto database = test::open_or_throw(test::sqlite_options(":memory:"));
    ASSERT_TRUE(database->run_now(make_table));
    ASSERT_TRUE(database->run_now([](Connection& c) { return c.run_script("PRAGMA max_page_count = 10"); }));
    const auto full = database->run_now([](Connection& c) { return insert_item(c, std::string(200'000, 'x')); });
    EXPECT_EQ(full.error().code(), Errc::storage_full);
    ASSERT_TRUE(database->run_now([](Connection& c) { return c.run_script("PRAGMA max_page_count = 100000"); }));
    EXPECT_TRUE(database->run_now([](Connection& c) { return insert_item(c, std::string(200'000, 'x')); }));
    EXPECT_EQ(test::read_now(*database, count_items).value(), 1);
}

TEST(Sqlite, MovesTheLogIntoTheFileAsItGrows)
{
    test::TemporaryFolder folder;
    const auto path = folder.file("dure.db");
    const auto database = test::open_or_throw(test::sqlite_options(path));
    ASSERT_TRUE(database->run_now(make_table));
    for (int i = 0; i < 60; ++i) {
        const auto id = std::to_string(i) + std::string(800'000, 'x');
        ASSERT_TRUE(database->run_now([&](Connection& c) { return insert_item(c, id); }));
    }
    EXPECT_GT(std::filesystem::file_size(path), 20'000'000u);
    EXPECT_LT(std::filesystem::file_size(path + "-wal"), 40'000'000u);
}

// Pages of a transaction that is larger than the cache go into the log before its end, and are read from there.
TEST(Sqlite, ATransactionLargerThanTheCacheIsWholeOrNotThere)
{
    test::TemporaryFolder folder;
    const auto options = test::sqlite_options(folder.file("dure.db"));
    const auto fill = [](Connection& c, std::string_view kind, bool good) -> Result<std::int64_t> {
        for (int i = 0; i < 3000; ++i)
            if (auto added =
                    insert_item(c, std::string(kind) + std::to_string(i * 7919 % 3000) + std::string(700, 'x'));
                !added)
                return added;
        auto changed = c.execute("UPDATE item SET id = id || 'y' WHERE id LIKE $1", std::string(kind) + "1%");
        if (!good)
            return Error(Errc::invalid_argument, "undone");
        return changed;
    };
    const auto check = [](Connection& c) { return c.query("PRAGMA integrity_check"); };
    {
        const auto database = test::open_or_throw(options);
        ASSERT_TRUE(database->run_now(make_table));
        ASSERT_TRUE(database->run_now([](Connection& c) { return c.run_script("PRAGMA cache_size = 20"); }));
        ASSERT_EQ(database->run_now([&](Connection& c) { return fill(c, "a", true); }).value(), 1111);
        ASSERT_FALSE(database->run_now([&](Connection& c) { return fill(c, "b", false); }));
        EXPECT_EQ(test::read_now(*database, count_items).value(), 3000);
        ASSERT_TRUE(database->run_now([&](Connection& c) { return fill(c, "c", true); }));
        EXPECT_EQ(test::read_now(*database, count_items).value(), 6000);
        EXPECT_EQ(test::read_now(*database, check)->front().text(0), "ok");
    }
    const auto database = test::open_or_throw(options);
    EXPECT_EQ(test::read_now(*database, count_items).value(), 6000);
    EXPECT_EQ(test::read_now(*database, check)->front().text(0), "ok");
}

// Pages that had gone into the log before their transaction was undone stand where those of the next commit belong, which
// may be another process's.
TEST(Sqlite, WhatWasUndoneIsNotWrittenOverTheCommitOfAnotherProcess)
{
    test::TemporaryFolder folder;
    const auto path = folder.file("dure.db");
    const auto database = test::open_or_throw(test::sqlite_options(path));
    ASSERT_TRUE(database->run_now(make_table));
    ASSERT_TRUE(database->run_now([](Connection& c) { return c.run_script("PRAGMA cache_size = 10"); }));
    sqlite3* other = nullptr;
    ASSERT_EQ(sqlite3_open(path.c_str(), &other), SQLITE_OK);
    const auto check = [](Connection& c) { return c.query("PRAGMA integrity_check"); };
    for (int rows = 1; rows <= 40; ++rows) {  // of some of them the last pages had not reached the file yet
        const auto undone = database->run_now([&](Connection& c) -> Result<std::int64_t> {
            for (int i = 0; i < rows; ++i)
                if (auto added = insert_item(c, "undone " + std::to_string(1000 + i) + std::string(700, 'x')); !added)
                    return added;
            return Error(Errc::invalid_argument, "undone");
        });
        ASSERT_EQ(undone.error().message(), "undone");
        const auto theirs = "INSERT INTO item VALUES ('theirs " + std::to_string(rows) + "')";
        ASSERT_EQ(sqlite3_exec(other, theirs.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << rows;
        const auto ours =
            database->run_now([&](Connection& c) { return insert_item(c, "ours " + std::to_string(rows)); });
        ASSERT_TRUE(ours) << rows << ": " << ours.error().detail();
        ASSERT_EQ(test::read_now(*database, check)->front().text(0), "ok") << rows;
        ASSERT_EQ(test::read_now(*database, count_items).value(), 2 * rows);
    }
    sqlite3_close(other);
}

TEST(Sqlite, AFailedFsyncAtCommitIsFatalAndNothingIsAcknowledged)
{
    FailingDisk disk;
    test::TemporaryFolder folder;
    std::atomic<int> fatal_calls = 0;
    auto options = test::sqlite_options(folder.file("dure.db"));
    options.on_fatal = [&](std::string_view) { ++fatal_calls; };
    const auto database = test::open_or_throw(options);
    ASSERT_TRUE(database->run_now(make_table));
    disk.failing = true;
    const auto lost = database->run_now([](Connection& c) { return insert_item(c, "a"); });
    ASSERT_FALSE(lost);
    EXPECT_EQ(lost.error().code(), Errc::internal);
    EXPECT_EQ(fatal_calls, 1);
    disk.failing = false;
    const auto later = database->run_now([](Connection& c) { return insert_item(c, "b"); });
    ASSERT_FALSE(later);
    EXPECT_EQ(later.error().code(), Errc::unavailable);
    EXPECT_EQ(fatal_calls, 1);
    EXPECT_FALSE(test::read_now(*database, count_items));  // it may see what is not on the disk
}

TEST(Sqlite, ThePagesOfACommitAreMovedAfterTheLogIsOnTheDisk)
{
    FailingDisk disk;
    test::TemporaryFolder folder;
    {
        const auto database = test::open_or_throw(test::sqlite_options(folder.file("dure.db")));
        ASSERT_TRUE(database->run_now(make_table));
        disk.pages_before_their_log = disk.pages_moved = 0;  // those of the new file, before it had a log
        for (int i = 0; i < 60; ++i) {
            const auto id = std::to_string(i) + std::string(800'000, 'x');
            ASSERT_TRUE(database->run_now([&](Connection& c) { return insert_item(c, id); }));
        }
        EXPECT_GT(disk.pages_moved, 0);
    }
    EXPECT_EQ(disk.pages_before_their_log, 0);
}

void insert_large_items(Database& database, int from, int count)
{
    for (int i = from; i < from + count; ++i) {
        const auto id = std::to_string(i) + std::string(800'000, 'x');
        ASSERT_TRUE(database.run_now([&](Connection& c) { return insert_item(c, id); })) << i;
    }
}

TEST(Sqlite, UnitsGoOnWhileTheLogIsMovedAndThenItBeginsAnew)
{
    FailingDisk disk;
    test::TemporaryFolder folder;
    const auto path = folder.file("dure.db");
    {
        const auto database = test::open_or_throw(test::sqlite_options(path));
        ASSERT_TRUE(database->run_now(make_table));
        disk.pages_before_their_log = disk.held_moves = 0;  // those of the new file, before it had a log
        disk.moves_held = true;
        int stored = 0;
        while (disk.held_moves == 0 && stored < 13)  // 400 pages each
            insert_large_items(*database, stored++, 1);
        ASSERT_TRUE(comes_true([&] { return disk.held_moves == 1; }));
        insert_large_items(*database, stored, 3);
        EXPECT_EQ(test::read_now(*database, count_items).value(), stored + 3);
        disk.moves_held = false;
        insert_large_items(*database, stored + 3, 60);
        EXPECT_LT(std::filesystem::file_size(path + "-wal"), 40'000'000u);
        EXPECT_EQ(test::read_now(*database, count_items).value(), stored + 63);
    }
    EXPECT_EQ(disk.pages_before_their_log, 0);
}

TEST(Sqlite, AFailedFsyncOfTheFileWhenTheLogIsMovedIsFatal)
{
    FailingDisk disk;
    test::TemporaryFolder folder;
    std::atomic<int> fatal_calls = 0;
    auto options = test::sqlite_options(folder.file("dure.db"));
    options.on_fatal = [&](std::string_view) { ++fatal_calls; };
    const auto database = test::open_or_throw(options);
    ASSERT_TRUE(database->run_now(make_table));
    disk.failing_moves = true;
    bool stores = true;  // until the move has failed, which is another thread's
    for (int i = 0; stores && i < 20; ++i)
        stores =
            database
                ->run_now([&](Connection& c) { return insert_item(c, std::to_string(i) + std::string(800'000, 'x')); })
                .has_value();
    ASSERT_TRUE(comes_true([&] { return fatal_calls == 1; }));
    const auto later = database->run_now([](Connection& c) { return insert_item(c, "later"); });
    ASSERT_FALSE(later);
    EXPECT_EQ(later.error().code(), Errc::unavailable);
    EXPECT_EQ(fatal_calls, 1);
}

TEST(Sqlite, ALogThatFindsNoSpaceRefusesTheUnitAndPasses)
{
    FailingDisk disk;
    test::TemporaryFolder folder;
    const auto options = test::sqlite_options(folder.file("dure.db"));
    {
        const auto database = test::open_or_throw(options);
        ASSERT_TRUE(database->run_now(make_table));
        ASSERT_TRUE(database->run_now([](Connection& c) { return insert_item(c, "a"); }));
        disk.full = true;
        const auto refused = database->run_now([](Connection& c) { return insert_item(c, "b"); });
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code(), Errc::storage_full);
        EXPECT_EQ(test::read_now(*database, count_items).value(), 1);
        disk.full = false;
        EXPECT_TRUE(database->run_now([](Connection& c) { return insert_item(c, "c"); }));
        EXPECT_EQ(test::read_now(*database, count_items).value(), 2);
    }
    EXPECT_EQ(test::read_now(*test::open_or_throw(options), count_items).value(), 2);
}

TEST(Sqlite, ACommitOfManyPagesIsWrittenInFewPieces)
{
    FailingDisk disk;
    test::TemporaryFolder folder;
    const auto database = test::open_or_throw(test::sqlite_options(folder.file("dure.db")));
    ASSERT_TRUE(database->run_now(make_table));
    disk.log_writes = 0;
    ASSERT_TRUE(
        database->run_now([](Connection& c) { return insert_item(c, std::string(400'000, 'x')); }));  // 200 pages
    EXPECT_GT(disk.log_writes, 0);
    EXPECT_LE(disk.log_writes, 15);
    EXPECT_EQ(test::read_now(*database, count_items).value(), 1);
}

TEST(Sqlite, WhatIsKnownToBeStoredIsForgottenWithWhatIsUndone)
{
    test::TemporaryFolder folder;
    const auto database = test::open_or_throw(test::sqlite_options(folder.file("dure.db")));
    ASSERT_TRUE(database->run_now(make_table));
    const auto store = [&](const char* id, bool fails) {
        return database->run_now([=](Connection& c) -> Result<void> {
            if (auto stored = insert_item(c, id); !stored)
                return stored.error();
            c.learn(id);
            std::this_thread::sleep_for(10ms);  // meanwhile the others come, and share the next transaction
            return fails ? Result<void>(Error(Errc::conflict, "undone")) : Result<void>();
        }).has_value();
    };
    const auto knows = [&](const char* id) {
        return database->run_now([=](Connection& c) { return Result<bool>(c.knows(id)); }).value();
    };
    EXPECT_TRUE(store("kept", false));
    EXPECT_TRUE(knows("kept"));
    EXPECT_FALSE(store("alone", true));
    EXPECT_FALSE(knows("alone"));
    for (int round = 0; round < 3; ++round) {  // the later ones with savepoints
        std::vector<std::thread> units;
        for (int i = 0; i < 4; ++i)
            units.emplace_back([&, id = std::to_string(round * 4 + i), i] { store(id.c_str(), i % 2 == 0); });
        for (auto& unit : units)
            unit.join();
        for (int i = 0; i < 4; i += 2)
            EXPECT_FALSE(knows(std::to_string(round * 4 + i).c_str()));
    }
}

TEST(FileLock, RefusesASecondOwnerAndNamesTheFirst)
{
    test::TemporaryFolder folder;
    const auto path = folder.file("dure.db");
    {
        const auto first = lock_exclusively(path);
        ASSERT_TRUE(first);
        const auto second = lock_exclusively(path);
        ASSERT_FALSE(second);
        EXPECT_EQ(second.error().code(), Errc::conflict);
        EXPECT_NE(second.error().message().find(std::to_string(::getpid())), std::string::npos);
    }
    EXPECT_TRUE(lock_exclusively(path));
    EXPECT_EQ(lock_exclusively(folder.file("missing/dure.db")).error().code(), Errc::unavailable);
}

TEST(FileLock, IsOfTheFileWhicheverLinkLeadsToIt)
{
    test::TemporaryFolder folder;
    const auto path = folder.file("dure.db");
    std::filesystem::create_directory(folder.file("elsewhere"));
    const auto link = folder.file("elsewhere/link.db");
    std::ofstream(path).close();
    std::filesystem::create_symlink(path, link);
    {
        const auto first = lock_exclusively(link);
        ASSERT_TRUE(first);
        EXPECT_FALSE(std::filesystem::exists(link + ".lock"));
        const auto second = lock_exclusively(path);
        ASSERT_FALSE(second);
        EXPECT_EQ(second.error().code(), Errc::conflict);
    }
    const auto first = lock_exclusively(path);
    ASSERT_TRUE(first);
    const auto second = lock_exclusively(link);
    ASSERT_FALSE(second);
    EXPECT_NE(second.error().message().find(link), std::string::npos) << second.error().message();
}

}  // namespace
}  // namespace dure::sql
