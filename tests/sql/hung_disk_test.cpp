// An fsync of SQLite's log that takes its time: what comes meanwhile is told of its outcome when the disk has it, or is refused.
#include <deque>
#include <optional>

#include "sql/failing_disk.hpp"
#include "sql/items.hpp"
#include "support/databases.hpp"

namespace dure::sql {
namespace {

// While the first commit is being synchronised, the next units are at work; all of them are told when the disk has them.
class CommitsInLineTest : public testing::Test {
protected:
    void SetUp() override
    {
        auto options = test::sqlite_options(folder_.file("dure.db"));
        options.on_fatal = [this](std::string_view) { ++fatal_calls_; };
        database_ = test::open_or_throw(options);
        ASSERT_TRUE(database_->run_now(make_table));
        FailingDisk::held = true;
        // A commit that nobody waits behind is synchronised by the writer itself: this one ends when the next have come.
        first_.emplace([this] { return write("a", [this] { return database_->queued() > 0; }); });
        ASSERT_TRUE(comes_true([this] { return inserted_ == 1; }));
        for (int i = 0; i < others; ++i)
            others_.emplace_back([this, i] { return write("b" + std::to_string(i)); });
        ASSERT_TRUE(comes_true([] { return FailingDisk::held_syncs == 1; }));
        const int written = FailingDisk::log_writes;
        ASSERT_TRUE(comes_true([this] { return inserted_ > 8; }));  // so many wake the writer
        EXPECT_EQ(FailingDisk::log_writes, written);  // one commit for all of them, and later
        read_.emplace([this] { return read("a"); });
        ASSERT_TRUE(comes_true([this] { return reader_was_there_.load(); }));
        EXPECT_FALSE(first_->ended());
        EXPECT_FALSE(read_->ended());
        for (const auto& other : others_)
            EXPECT_FALSE(other.ended());
    }
    bool write(const std::string& id, const std::function<bool()>& may_end = [] { return true; })
    {
        return database_
            ->run_now([&](Connection& c) {
                auto changed = insert_item(c, id);
                ++inserted_;
                return comes_true(may_end) ? changed : Error(Errc::timeout, "nobody came");
            })
            .has_value();
    }
    bool read(const std::string& id)
    {
        const auto found = test::read_now(*database_, [&](Connection& c) {
            auto rows = c.query("SELECT id FROM item");
            reader_was_there_ = true;
            return rows;
        });
        return found && found->size() == 1 && found->front().text(0) == id;
    }
    void TearDown() override { FailingDisk::held = false; }

    FailingDisk disk_;
    test::TemporaryFolder folder_;
    std::atomic<int> fatal_calls_ = 0;
    std::atomic<int> inserted_ = 0;
    std::atomic<bool> reader_was_there_ = false;
    std::unique_ptr<Database> database_;
    static constexpr int others = 16;
    std::optional<Running> first_, read_;
    std::deque<Running> others_;
};

TEST_F(CommitsInLineTest, AreToldWhenTheDiskHasThem)
{
    FailingDisk::held = false;
    EXPECT_TRUE(first_->good());
    for (auto& other : others_)
        EXPECT_TRUE(other.good());
    EXPECT_TRUE(read_->good());
    EXPECT_EQ(test::read_now(*database_, count_items).value(), 1 + others);
    EXPECT_EQ(fatal_calls_, 0);
}

TEST_F(CommitsInLineTest, AllFailWithTheFsyncBeforeThem)
{
    FailingDisk::failing = true;
    FailingDisk::held = false;
    EXPECT_FALSE(first_->good());
    for (auto& other : others_)
        EXPECT_FALSE(other.good());
    EXPECT_FALSE(read_->good());
    FailingDisk::failing = false;
    EXPECT_FALSE(database_->run_now([](Connection& c) { return insert_item(c, "d"); }));
    EXPECT_EQ(fatal_calls_, 1);
}

// Declared behind what waits for the disk: a test that fails midway must not wait for ever.
struct Release {
    ~Release() { FailingDisk::held = false; }
};

// Who reads may come again; the write's outcome is known when the disk says it.
TEST(Sqlite, AReadBehindADiskThatHangsIsRefusedInTime)
{
    FailingDisk disk;
    test::TemporaryFolder folder;
    auto options = test::sqlite_options(folder.file("dure.db"));
    options.statement_timeout = 500ms;
    const auto database = test::open_or_throw(options);
    ASSERT_TRUE(database->run_now(make_table));
    FailingDisk::held = true;
    Running write([&] { return database->run_now([](Connection& c) { return insert_item(c, "a"); }).has_value(); });
    std::atomic<int> refused = 0;
    const auto read = [&] {
        const auto count = test::read_now(*database, count_items);
        refused += !count && count.error().code() == Errc::unavailable;
        return count.has_value();
    };
    std::deque<Running> reads;
    const Release release;
    ASSERT_TRUE(comes_true([] { return FailingDisk::held_syncs == 1; }));
    for (int i = 0; i < 8; ++i)
        reads.emplace_back(read);
    EXPECT_TRUE(comes_true([&] { return refused == 8; }));
    EXPECT_FALSE(write.ended());
    const auto begun = Steady::now();
    EXPECT_FALSE(read()) << "the disk still hangs";
    EXPECT_LT(Steady::now() - begun, 400ms) << "that is known by now";
    FailingDisk::held = false;
    EXPECT_TRUE(write.good());
    EXPECT_EQ(test::read_now(*database, count_items).value(), 1);
}

// What has begun waits on: nobody could tell its outcome. What has not is refused, whoever the disk holds.
TEST(Sqlite, AWriteThatHasNotBegunIsRefusedInTimeWhenTheDiskHangs)
{
    FailingDisk disk;
    test::TemporaryFolder folder;
    auto options = test::sqlite_options(folder.file("dure.db"));
    options.statement_timeout = 500ms;
    options.queue_wait = 300ms;
    const auto database = test::open_or_throw(options);
    ASSERT_TRUE(database->run_now(make_table));
    std::atomic<int> begun = 0, refused = 0;
    const auto write = [&](const std::string& id, bool waits_for_next) {
        const auto done = database->run_now([&](Connection& c) {
            ++begun;
            return !waits_for_next || comes_true([&] { return database->queued() > 0; }) ? insert_item(c, id)
                                                                                         : Error(Errc::timeout, "alone");
        });
        refused += !done && done.error().code() == Errc::unavailable;
        return done.has_value();
    };
    // The writer itself synchronises a commit that nobody waits behind; else another thread does, and the next units are at work.
    for (const bool by_another : {false, true}) {
        const std::string round = by_another ? "b" : "a";
        begun = refused = 0;
        FailingDisk::held_syncs = 0;
        FailingDisk::held = true;
        std::deque<Running> good, late;
        const Release release;
        good.emplace_back([&] { return write(round + "1", by_another); });
        ASSERT_TRUE(comes_true([&] { return begun == 1; }));
        if (by_another)
            good.emplace_back([&] { return write(round + "2", false); });
        ASSERT_TRUE(comes_true([&] { return FailingDisk::held_syncs == 1 && begun == std::ssize(good); }));
        late.emplace_back([&] { return write(round + "3", false); });
        EXPECT_TRUE(comes_true([&] { return refused == 1; }));
        std::this_thread::sleep_for(options.statement_timeout);
        for (int i = 0; i < 16; ++i)
            late.emplace_back([&, i] { return write(round + "late" + std::to_string(i), false); });
        EXPECT_TRUE(comes_true([&] { return refused == std::ssize(late); }));
        EXPECT_EQ(begun, std::ssize(good));
        for (auto& one : good)
            EXPECT_FALSE(one.ended());
        FailingDisk::held = false;
        for (auto& one : good)
            EXPECT_TRUE(one.good());
    }
    EXPECT_EQ(test::read_now(*database, count_items).value(), 3);
}

}  // namespace
}  // namespace dure::sql
