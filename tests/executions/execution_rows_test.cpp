// The rows of executions: what a list and the steps of one hold when their texts are long.
#include "executions/execution_rows.hpp"

#include "dure/store/migrations.hpp"
#include "support/databases.hpp"

namespace dure::executions {
namespace {

class ExecutionRowsTest : public testing::TestWithParam<test::Driver> {
protected:
    void SetUp() override
    {
        database_ = GetParam().open_empty({});
        const auto migrated = sql::migrate(*database_, store::migrations(), 1);
        ASSERT_TRUE(migrated) << migrated.error().detail();
    }
    template <class F>
    auto in(F work)
    {
        return database_->run_now([&](sql::Connection& c) { return work(ExecutionRows(c)); });
    }

    std::unique_ptr<sql::Database> database_;
};

constexpr std::size_t mebibyte = 1 << 20;

TEST_P(ExecutionRowsTest, APageWhoseTextsAreFullHasItsOtherEntriesAbridged)
{
    const auto stored = in([](ExecutionRows rows) -> Result<void> {
        for (int i = 0; i < 6; ++i) {
            Execution one;
            one.id = "e" + std::to_string(i);
            one.owner_id = "kim";
            one.flow_id = "f";
            one.flow_slug = "slug";
            one.flow_type = "agentflow";
            one.status = Status::waiting;
            one.message = std::string(mebibyte, 'm');
            one.inputs = {{"text", std::string(mebibyte, 'i')}};
            one.facts = {{"history", std::string(3 * mebibyte, 'h')}};  // no list tells it
            one.output = Json{{"text", std::string(mebibyte, 'o')}};
            one.waiting = Json::array({Json{{"id", "q"}, {"node_id", "ask"}, {"value", "?"}}});
            one.created_at = i;
            if (auto added = rows.insert(one); !added)
                return added;
        }
        return {};
    });
    ASSERT_TRUE(stored) << stored.error().detail();
    Filter filter;
    filter.page_size = 5;
    const auto page = in([&](ExecutionRows rows) { return rows.list("kim", filter); });
    ASSERT_TRUE(page) << page.error().detail();
    EXPECT_EQ(page->total, 6);
    ASSERT_EQ(page->executions.size(), 5u);
    for (std::size_t i = 0; i < 5; ++i) {   // three of 3 MiB are more than 8
        const auto shown = to_json(page->executions[i]);
        EXPECT_EQ(shown.at("id"), "e" + std::to_string(5 - i));
        EXPECT_EQ(shown.at("flow_slug"), "slug");
        EXPECT_EQ(shown.contains("abridged"), i > 2) << i;
        EXPECT_EQ(shown.at("input").is_null(), i > 2) << i;
        EXPECT_EQ(shown.at("output").is_null(), i > 2) << i;
        EXPECT_EQ(shown.at("waiting").empty(), i > 2) << i;
    }
    filter.page = 2;
    const auto rest = in([&](ExecutionRows rows) { return rows.list("kim", filter); });
    ASSERT_TRUE(rest);
    ASSERT_EQ(rest->executions.size(), 1u);
    EXPECT_FALSE(rest->executions.front().abridged);
    EXPECT_EQ(rest->executions.front().message.size(), mebibyte);
}

TEST_P(ExecutionRowsTest, StepsBehindManyLongOnesAreThereWithoutTheirTexts)
{
    const auto stored = in([](ExecutionRows rows) -> Result<void> {
        for (int i = 0; i < 5; ++i) {
            Step step;
            step.task_id = "t" + std::to_string(i);
            step.node_id = "n" + std::to_string(i);
            step.number = i;
            step.status = "succeeded";
            step.input = std::string(i == 4 ? 1 : 2 * mebibyte, 'i');
            step.output = std::string(mebibyte, 'o');
            step.tokens = i;
            if (auto put = rows.put_step("e", step); !put)
                return put.error();
        }
        return {};
    });
    ASSERT_TRUE(stored) << stored.error().detail();
    const auto steps = in([](ExecutionRows rows) { return rows.steps_to_show("e"); });
    ASSERT_TRUE(steps) << steps.error().detail();
    ASSERT_EQ(steps->size(), 5u);
    const auto taken_over = in([](ExecutionRows rows) { return rows.steps("e"); });  // as a fork has them
    ASSERT_TRUE(taken_over);
    for (const auto& step : *taken_over)
        EXPECT_EQ(step.output, std::string(mebibyte, 'o'));
    for (std::size_t i = 0; i < 5; ++i) {
        const auto shown = to_json((*steps)[i]);
        EXPECT_EQ(shown.at("node_id"), "n" + std::to_string(i));
        EXPECT_EQ(shown.at("tokens"), i);
        EXPECT_EQ(shown.contains("abridged"), i > 2) << i;
        EXPECT_EQ(shown.at("input").is_null(), i > 2) << i;
        EXPECT_EQ(shown.at("output").is_null(), i > 2) << i;
    }
}

INSTANTIATE_TEST_SUITE_P(Drivers, ExecutionRowsTest, testing::ValuesIn(test::all_drivers()), test::driver_name);

}  // namespace
}  // namespace dure::executions
