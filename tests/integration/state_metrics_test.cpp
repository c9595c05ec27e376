// What the metrics say of the parts of a running server, on both databases.
#include <gtest/gtest.h>

#include "integration/events_on_the_wire.hpp"

namespace dure::test {
namespace state_metrics {

class StateMetrics : public EventsOnTheWire {
protected:
    // The value of a metric without labels; -1: it is not there.
    double value_of(const std::string& name) const
    {
        const auto text = ask(admin, "/metrics").body;
        const auto at = text.find("\n" + name + " ");
        return at == std::string::npos ? -1 : std::stod(text.substr(at + name.size() + 2));
    }
};

TEST_P(StateMetrics, ShowThePoolTheQueuesAndWhatIsOnlyCounted)
{
    const auto threads = value_of("dure_database_threads");
    EXPECT_GE(threads, 2);
    EXPECT_LE(value_of("dure_database_threads_idle"), threads);
    EXPECT_TRUE(eventually([&] { return value_of("dure_database_threads_idle") >= 1; }));
    EXPECT_EQ(value_of("dure_database_units_waiting"), 0);
    EXPECT_EQ(value_of("dure_usage_rows_dropped"), 0);
    EXPECT_TRUE(eventually([&] { return value_of("dure_usage_rows_waiting") == 0; }));
    EXPECT_EQ(value_of("dure_redis_available"), -1) << "there is none";
    for (int i = 0; i < 25; ++i)
        EXPECT_EQ(ask(kim, "/users").status, 403);
    EXPECT_GE(value_of("dure_audit_refusals_only_counted"), 5);   // ten a minute leave an event
}

INSTANTIATE_TEST_SUITE_P(Databases, StateMetrics, testing::Values("sqlite", "postgres"),
                         [](const auto& info) { return info.param; });

}  // namespace state_metrics
}  // namespace dure::test
