// Reads of one statement on every driver; that a write may be one is in database_test.cpp.
#include <boost/asio/use_future.hpp>

#include "dure/base/cores.hpp"
#include "support/databases.hpp"
#include "support/run_task.hpp"

namespace dure::sql {
namespace {

class OneStatementTest : public testing::TestWithParam<test::Driver> {
protected:
    template <class F>
    auto read(F work)
    {
        std::optional<std::invoke_result_t<F&, Connection&>> outcome;
        test::run([&]() -> Task<void> { outcome.emplace(co_await database_->read_statement(work)); });
        return std::move(*outcome);
    }

    std::unique_ptr<Database> database_ = GetParam().open_empty({});
};

TEST_P(OneStatementTest, AReadOfOneStatementGivesItsRowsOrItsErrorAndThePoolGoesOn)
{
    ASSERT_TRUE(database_->run_now([](Connection& c) {
        return c.run_script("CREATE TABLE item (id TEXT PRIMARY KEY); INSERT INTO item (id) VALUES ('a')");
    }));
    for (int i = 0; i < 20; ++i) {
        const auto rows = read([](Connection& c) { return c.query("SELECT id FROM item WHERE id = $1", "a"); });
        ASSERT_TRUE(rows) << rows.error().detail();
        EXPECT_EQ(rows->front().text("id"), "a");
        EXPECT_EQ(read([](Connection& c) { return c.query("SELECT nothing FROM item"); }).error().code(), Errc::internal);
    }
    EXPECT_EQ(read([](Connection&) -> Result<int> { return Error(Errc::not_found, "no"); }).error().code(), Errc::not_found);
    // It has left no transaction behind, in which the next unit would be.
    ASSERT_TRUE(database_->run_now([](Connection& c) { return c.execute("INSERT INTO item (id) VALUES ('b')"); }));
    EXPECT_EQ(read([](Connection& c) { return c.query("SELECT id FROM item"); })->size(), 2u);
}

INSTANTIATE_TEST_SUITE_P(Drivers, OneStatementTest, testing::ValuesIn(test::all_drivers()), test::driver_name);

}  // namespace
}  // namespace dure::sql
