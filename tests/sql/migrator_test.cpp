// The migrator: forward only, all or nothing, and no guessing about databases it does not know.
#include "dure/sql/migrator.hpp"

#include "support/databases.hpp"

namespace dure::sql {
namespace {

const std::vector<Migration> two{
    {1, "first", "", "CREATE TABLE a (id TEXT PRIMARY KEY); INSERT INTO a (id) VALUES ('it''s; fine');"},
    {2, "second", "", "-- with a comment\nCREATE TABLE b (id TEXT);"},
};

class MigratorTest : public testing::TestWithParam<test::Driver> {
protected:
    std::unique_ptr<Database> database_ = GetParam().open_empty({});

    bool has_table(const std::string& name)
    {
        return test::read_now(*database_, [&](Connection& c) { return c.query("SELECT 1 FROM " + name); }).has_value();
    }
};

TEST_P(MigratorTest, BringsAnEmptyDatabaseUpToDate)
{
    const auto report = migrate(*database_, two, 1000);
    ASSERT_TRUE(report) << report.error().detail();
    EXPECT_EQ(report->applied, (std::vector<std::string>{"0001_first", "0002_second"}));
    EXPECT_EQ(report->version, 2);
    const auto rows = test::read_now(*database_, [](Connection& c) {
        return c.query("SELECT version, name, applied_at, id FROM schema_migrations, a ORDER BY version");
    });
    ASSERT_EQ(rows->size(), 2u);
    EXPECT_EQ((*rows)[1].text("name"), "second");
    EXPECT_EQ((*rows)[1].integer("applied_at"), 1000);
    EXPECT_EQ((*rows)[1].text("id"), "it's; fine");
}

TEST_P(MigratorTest, DoesNothingTheSecondTimeAndOnlyTheNewOnesLater)
{
    ASSERT_TRUE(migrate(*database_, std::span(two).first(1), 1));
    const auto next = migrate(*database_, two, 2);
    EXPECT_EQ(next->applied, std::vector<std::string>{"0002_second"});
    const auto again = migrate(*database_, two, 3);
    EXPECT_TRUE(again->applied.empty());
    EXPECT_EQ(again->version, 2);
}

TEST_P(MigratorTest, RefusesADatabaseNewerThanTheProgram)
{
    ASSERT_TRUE(migrate(*database_, two, 1));
    const auto refused = migrate(*database_, std::span(two).first(1), 2);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), Errc::conflict);
    EXPECT_NE(refused.error().message().find("newer"), std::string::npos);
    EXPECT_NE(refused.error().message().find("0002_second"), std::string::npos);
}

TEST_P(MigratorTest, RefusesAChangedMigrationAndTouchesNothing)
{
    ASSERT_TRUE(migrate(*database_, std::span(two).first(1), 1));
    auto changed = two;
    changed[0].text = "CREATE TABLE a (id BIGINT)";
    const auto refused = migrate(*database_, changed, 2);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), Errc::conflict);
    EXPECT_NE(refused.error().message().find("0001_first"), std::string::npos);
    EXPECT_FALSE(has_table("b"));
}

TEST_P(MigratorTest, ALookSaysWhatAMigrationWouldDoAndDoesNothing)
{
    using Names = std::vector<std::string>;
    const auto look = [this](std::span<const Migration> known) {
        return look_at_migrations(*database_, known).value();
    };
    EXPECT_EQ(look(two).pending, (Names{"0001_first", "0002_second"}));
    EXPECT_FALSE(has_table("schema_migrations"));
    ASSERT_TRUE(migrate(*database_, std::span(two).first(1), 1));
    for (int i = 0; i < 2; ++i) {
        const auto half = look(two);
        EXPECT_EQ(half.applied, Names{"0001_first"});
        EXPECT_EQ(half.pending, Names{"0002_second"});
        EXPECT_EQ(half.version, 1);
        EXPECT_FALSE(half.refusal);
    }
    ASSERT_TRUE(migrate(*database_, two, 2));
    EXPECT_TRUE(look(two).pending.empty());
    const auto newer = look(std::span(two).first(1));
    EXPECT_EQ(newer.version, 2);
    ASSERT_TRUE(newer.refusal);
    EXPECT_NE(newer.refusal->message().find("newer"), std::string::npos);
    auto changed = two;
    changed[0].text = "CREATE TABLE a (id BIGINT)";
    ASSERT_TRUE(look(changed).refusal);
    EXPECT_NE(look(changed).refusal->message().find("0001_first"), std::string::npos);
}

TEST_P(MigratorTest, AFailingMigrationLeavesNothingBehind)
{
    auto broken = two;
    broken[1].text = "CREATE TABLE b (id TEXT); this is no sql;";
    const auto failed = migrate(*database_, broken, 1);
    ASSERT_FALSE(failed);
    EXPECT_NE(failed.error().message().find("0002_second"), std::string::npos);
    EXPECT_FALSE(has_table("a"));
    EXPECT_FALSE(has_table("b"));
    EXPECT_TRUE(migrate(*database_, two, 2));
}

TEST_P(MigratorTest, TakesTheScriptOfItsOwnDialectOnly)
{
    const std::vector<Migration> variants{
        {1, "kinds", "sqlite", "CREATE TABLE kind_sqlite (id TEXT)"},
        {1, "kinds", "postgres", "CREATE TABLE kind_postgres (id TEXT)"},
    };
    ASSERT_TRUE(migrate(*database_, variants, 1));
    const auto ours = std::string(name_of(database_->dialect()));
    EXPECT_TRUE(has_table("kind_" + ours));
    EXPECT_FALSE(has_table(ours == "sqlite" ? "kind_postgres" : "kind_sqlite"));
}

TEST_P(MigratorTest, TwoScriptsWithOneNumberAreAMistake)
{
    const std::vector<Migration> twice{{1, "a", "", "SELECT 1"}, {1, "b", "", "SELECT 1"}};
    EXPECT_THROW(static_cast<void>(migrate(*database_, twice, 1)), InvariantBroken);
}

INSTANTIATE_TEST_SUITE_P(Drivers, MigratorTest, testing::ValuesIn(test::all_drivers()), test::driver_name);

}  // namespace
}  // namespace dure::sql
