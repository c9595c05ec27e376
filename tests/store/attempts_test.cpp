// Rows of attempts at providers: stored whole, behind the answer, and at the stop.
#include "dure/store/attempts.hpp"

#include "dure/store/attempt_writer.hpp"
#include "store/store_fixture.hpp"

namespace dure::store {
namespace attempt_rows {

model::AttemptRow attempt_of(std::int64_t number)
{
    model::AttemptRow row;
    row.request_id = "req";
    row.user_id = "kim";
    row.model = "gpt";
    row.target = "up/gpt-4";
    row.provider_key = 1;
    row.number = number;
    row.failure = "rate_limit";
    row.status = 429;
    row.upstream_request_id = "up-1";
    row.started_at = 5;
    row.duration_ms = 7;
    row.prompt_tokens = 11;
    row.completion_tokens = 12;
    row.cached_tokens = 13;
    row.reasoning_tokens = 14;
    row.estimated = true;
    row.cost_nano = 15;
    row.price_version = "abc";
    return row;
}

class AttemptsTest : public StoreTest {
protected:
    sql::Rows stored()
    {
        return database_->run_now([](sql::Connection& c) { return c.query("SELECT * FROM attempts ORDER BY id"); })
            .value();
    }

    test::TemporaryFolder folder_;
    Logger logger_{{.file = folder_.file("log")}};
};

TEST_P(AttemptsTest, ARowKeepsEverything)
{
    std::vector<model::AttemptRow> rows{attempt_of(1), attempt_of(2)};
    rows[1].first_output_ms = 3;
    ASSERT_TRUE(in<Attempts>([&](Attempts attempts) { return attempts.insert(rows); }));
    const auto kept = stored();
    ASSERT_EQ(kept.size(), 2u);
    const auto first = *kept.begin();
    for (const auto& [column, text] :
         {std::pair("request_id", "req"), std::pair("user_id", "kim"), std::pair("model", "gpt"),
          std::pair("target", "up/gpt-4"), std::pair("class", "rate_limit"), std::pair("upstream_request_id", "up-1"),
          std::pair("price_version", "abc")})
        EXPECT_EQ(first.text(column), text) << column;
    for (const auto& [column, number] :
         {std::pair("provider_key", 1), std::pair("number", 1), std::pair("status", 429), std::pair("started_at", 5),
          std::pair("duration_ms", 7), std::pair("prompt_tokens", 11), std::pair("completion_tokens", 12),
          std::pair("cached_tokens", 13), std::pair("reasoning_tokens", 14), std::pair("estimated", 1),
          std::pair("cost_nano", 15)})
        EXPECT_EQ(first.integer(column), number) << column;
    EXPECT_TRUE(first.is_null("first_output_ms"));
    std::vector<std::optional<std::int64_t>> first_outputs;
    for (const auto row : kept)
        first_outputs.push_back(row.maybe_integer("first_output_ms"));
    EXPECT_EQ(first_outputs.back(), 3);
}

TEST_P(AttemptsTest, TheTableHasNoSecondIndex)
{
    const bool sqlite = database_->dialect() == sql::Dialect::sqlite;
    const auto indexes = database_->run_now([&](sql::Connection& c) {
        return c.query(sqlite ? "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = 'attempts'"
                              : "SELECT indexname FROM pg_indexes WHERE tablename = 'attempts' AND indexname <> "
                                "'attempts_pkey'");
    });
    EXPECT_EQ(indexes.value().size(), 0u);
}

TEST_P(AttemptsTest, StoppingStoresWhatIsLeft)
{
    AttemptWriter writer(*database_, logger_, {.pause = std::chrono::minutes(10)});
    for (int i = 0; i < 100; ++i)
        writer.add_now(attempt_of(i));
    writer.stop();
    EXPECT_EQ(stored().size(), 100u);
    EXPECT_EQ(writer.dropped(), 0u);
}

TEST_P(AttemptsTest, ARowThatCannotWaitAndFindsNoPlaceIsCounted)
{
    AttemptWriter writer(*database_, logger_, {.capacity = 2, .pause = std::chrono::minutes(10)});
    for (int i = 0; i < 3; ++i)
        writer.add_now(attempt_of(i));
    EXPECT_EQ(writer.dropped(), 1u);
    writer.stop();
    writer.add_now(attempt_of(4));
    EXPECT_EQ(writer.dropped(), 2u);
    EXPECT_EQ(stored().size(), 2u);
}

INSTANTIATE_TEST_SUITE_P(Drivers, AttemptsTest, testing::ValuesIn(test::all_drivers()), test::driver_name);

}  // namespace attempt_rows
}  // namespace dure::store
