// The registry: what a scraper reads, the bound of label sets, and wrong declarations.
#include "dure/metrics/registry.hpp"

#include <gmock/gmock.h>

#include <boost/asio/post.hpp>
#include <latch>
#include <thread>

#include "dure/base/cores.hpp"
#include "dure/base/error.hpp"

namespace dure::metrics {

using testing::HasSubstr;
using testing::Not;

TEST(Registry, ShowsCountersGaugesAndHistogramsInTextForm)
{
    Registry registry;
    registry.counter("dure_answers_total", "Answers", {{"status", "2xx"}}).increment();
    registry.gauge("dure_streams", "Open streams").set(3);
    auto& seconds = registry.histogram("dure_seconds", "Durations", {{"route", "chat"}}, {0.1, 1});
    seconds.observe(0.05);
    seconds.observe(0.5);
    const auto text = registry.text();
    EXPECT_THAT(text, HasSubstr("# HELP dure_answers_total Answers\n# TYPE dure_answers_total counter\n"
                                "dure_answers_total{status=\"2xx\"} 1\n"));
    EXPECT_THAT(text, HasSubstr("dure_streams 3\n"));
    EXPECT_THAT(text, HasSubstr("dure_seconds_bucket{route=\"chat\",le=\"0.1\"} 1\n"));
    EXPECT_THAT(text, HasSubstr("dure_seconds_bucket{route=\"chat\",le=\"+Inf\"} 2\n"));
    EXPECT_THAT(text, HasSubstr("dure_seconds_count{route=\"chat\"} 2\n"));
}

TEST(Registry, AHistogramsBucketsHoldTheirBoundAndAreCumulative)
{
    Registry registry;
    auto& tokens = registry.histogram("tokens", "T", {}, {1, 10, 100});
    for (const double value : {0.0, 1.0, 1.5, 10.0, 100.0, 101.0})
        tokens.observe(value);
    EXPECT_THAT(registry.text(), HasSubstr("# HELP tokens T\n# TYPE tokens histogram\n"
                                           "tokens_count 6\n"
                                           "tokens_sum 213.5\n"
                                           "tokens_bucket{le=\"1\"} 2\n"
                                           "tokens_bucket{le=\"10\"} 4\n"
                                           "tokens_bucket{le=\"100\"} 5\n"
                                           "tokens_bucket{le=\"+Inf\"} 6\n"));
}

TEST(Registry, ObservationsOfCoresAndOtherThreadsAreAllCounted)
{
    constexpr int threads = 20;
    constexpr int observations = 2000;
    Registry registry;
    auto& seconds = registry.histogram("seconds", "S", {}, {1});
    const auto observe = [&] {
        for (int n = 0; n < observations; ++n)
            seconds.observe(n % 2 == 0 ? 0.5 : 2);
    };
    Cores cores(threads);   // more than have a place of their own
    std::latch done(threads);
    cores.start();
    std::vector<std::jthread> others;
    for (int i = 0; i < threads; ++i) {
        boost::asio::post(cores.at(static_cast<std::size_t>(i)), [&] {
            observe();
            done.count_down();
        });
        others.emplace_back(observe);
    }
    done.wait();
    others.clear();
    cores.stop();
    cores.join();
    const auto total = seconds.total();
    EXPECT_EQ(total.counts, (std::vector<std::uint64_t>{threads * observations, threads * observations}));
    EXPECT_EQ(total.sum, 2 * threads * observations * 1.25);
}

TEST(Registry, GivesTheSameObjectForTheSameLabelsInAnyOrder)
{
    Registry registry;
    auto& first = registry.counter("a_total", "A", {{"x", "1"}, {"y", "2"}});
    auto& second = registry.counter("a_total", "A", {{"y", "2"}, {"x", "1"}});
    EXPECT_EQ(&first, &second);
}

TEST(Registry, EscapesLabelValues)
{
    Registry registry;
    registry.counter("a_total", "A", {{"model", "a\"b\\c\nd"}}).increment();
    EXPECT_THAT(registry.text(), HasSubstr("a_total{model=\"a\\\"b\\\\c\\nd\"} 1"));
}

TEST(Registry, PutsLabelSetsBeyondTheBoundIntoOneCalledOther)
{
    Registry registry;
    for (std::size_t i = 0; i < label_sets_per_family; ++i)
        registry.counter("a_total", "A", {{"model", "m" + std::to_string(i)}}).increment();
    auto& one = registry.counter("a_total", "A", {{"model", "invented"}});
    auto& another = registry.counter("a_total", "A", {{"model", "also invented"}});
    one.increment();
    another.increment();
    EXPECT_EQ(&one, &another);
    EXPECT_THAT(registry.text(), HasSubstr("a_total{model=\"other\"} 2\n"));
    EXPECT_THAT(registry.text(), Not(HasSubstr("invented")));
    registry.counter("a_total", "A", {{"model", "m0"}}).increment();
    EXPECT_THAT(registry.text(), HasSubstr("a_total{model=\"m0\"} 2\n"));
}

TEST(Registry, RefusesContradictingDeclarations)
{
    Registry registry;
    registry.counter("a_total", "A", {{"x", "1"}});
    registry.histogram("h", "H", {}, {1, 2});
    EXPECT_THROW(registry.gauge("a_total", "A"), InvariantBroken);
    EXPECT_THROW(registry.counter("a_total", "A", {{"z", "1"}}), InvariantBroken);
    EXPECT_THROW(registry.counter("bad name", "A"), InvariantBroken);
    EXPECT_THROW(registry.counter("b_total", "B", {{"bad-label", "1"}}), InvariantBroken);
    EXPECT_THROW(registry.histogram("h", "H", {}, {1, 3}), InvariantBroken);
    EXPECT_THROW(registry.histogram("g", "G", {}, {2, 1}), InvariantBroken);
}

TEST(Registry, CountersNeverFall)
{
    Registry registry;
    auto& counter = registry.counter("a_total", "A");
    counter.increment(2);
    counter.increment(-1);
    EXPECT_EQ(counter.value(), 2);
}

TEST(Registry, RefreshesGaugesBeforeEveryScrape)
{
    Registry registry;
    auto& queued = registry.gauge("queued", "Queued");
    int asked = 0;
    registry.before_text([&] { queued.set(++asked); });
    EXPECT_THAT(registry.text(), HasSubstr("queued 1\n"));
    EXPECT_THAT(registry.text(), HasSubstr("queued 2\n"));
}

TEST(Registry, ShowsTheProcess)
{
    Registry registry;
    const auto text = registry.text();
    for (const auto* name : {"process_resident_memory_bytes ", "process_open_fds ", "process_max_fds ",
                             "process_cpu_seconds_total ", "process_start_time_seconds "})
        EXPECT_THAT(text, HasSubstr(name));
}

TEST(Registry, TakesDeclarationsAndScrapesFromManyThreads)
{
    Registry registry;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&] {
            for (int i = 0; i < 500; ++i)
                registry.counter("a_total", "A", {{"n", std::to_string(i % 20)}}).increment();
            registry.text();
        });
    for (auto& thread : threads)
        thread.join();
    EXPECT_EQ(registry.counter("a_total", "A", {{"n", "7"}}).value(), 100);
}

}  // namespace dure::metrics
