// Every error code of graph-semantics §14 that the engine itself gives, each from the shortest way to it. THREAD_BUSY, RECOVERY_LIMIT
// and the lease behind LEASE_LOST are module runs': run_rows_test.cpp, worker_test.cpp.
#include <atomic>

#include "dure/base/timeout.hpp"
#include "graph/support.hpp"

namespace dure::graph {
namespace {

using namespace std::chrono_literals;
using namespace test;

// A thread whose storage answers every save with one error.
class Refusing final : public Checkpointer {
public:
    explicit Refusing(Error error) : error_(std::move(error)) {}
    Task<Result<void>> save(const std::string&, Batch) override { co_return error_; }
    Task<Result<std::optional<StoredCheckpoint>>> load(const std::string&, const std::string&, const std::string&,
                                                       bool) override
    {
        co_return std::optional<StoredCheckpoint>();
    }
    Task<Result<std::vector<StoredCheckpoint>>> history(const std::string&, const HistoryQuery&) override
    {
        co_return error_;
    }
    Task<Result<std::vector<std::string>>> namespaces(const std::string&) override { co_return error_; }
    Task<Result<void>> delete_thread(const std::string&) override { co_return error_; }
    Task<Result<void>> copy_thread(const std::string&, const std::string&) override { co_return error_; }
    Task<Result<void>> delete_run(const std::string&, const std::string&) override { co_return error_; }
    Task<Result<std::int64_t>> prune(const std::string&, std::int64_t, std::optional<UnixMillis>) override
    {
        co_return error_;
    }

private:
    Error error_;
};

// One node between START and END.
CompiledGraph only(NodeFunction function, NodeOptions options = NodeOptions())
{
    LogGraph graph{};
    graph.add_node("p", std::move(function), std::move(options)).add_edge(start, "p");
    return compiled(graph);
}

std::string code_of(const CompiledGraph& graph, RunOptions options = RunOptions())
{
    return reason(run(graph, log_of({}), std::move(options)));
}

std::string code_with_storage(Error error)
{
    Refusing refusing(std::move(error));
    RunOptions options;
    options.checkpointer = &refusing;
    options.thread = "t";
    return code_of(only(adds("p")), options);
}

NodeFunction sleeper()
{
    return [](NodeContext&) -> Task<Result<Update>> {
        co_await sleep_for(60s);
        co_return Update();
    };
}

std::string two_questions_answered_as_one()
{
    LogGraph graph{};
    graph.add_node("p", asks("p", "a?")).add_node("q", asks("q", "b?")).add_edge(start, "p").add_edge(start, "q");
    ThreadOf thread(compiled(graph));
    thread.run(log_of({}));
    return reason(thread.resume(1));
}

std::string update_of_two_writers()
{
    LogGraph graph{"p", "q"};
    graph.add_edge(start, "p").add_edge(start, "q");
    ThreadOf thread(compiled(graph));
    thread.run(log_of({}));
    return thread.update(log_of({"x"})).error().reason();
}

std::string two_of_a_lasting_subgraph()
{
    SubgraphOptions options;
    options.persistence = Persistence::own;
    LogGraph graph{};
    graph.add_subgraph("sub", only(adds("p")), options);
    graph.add_conditional_edges(start,
                                [](const State&) { return Routes{Send("sub", log_of({})), Send("sub", log_of({}))}; });
    ThreadOf thread(compiled(graph));
    return reason(thread.run(log_of({})));
}

std::string changed_graph()
{
    ThreadOf thread(only(adds("p")));
    RunOptions stop;
    stop.interrupt_before = {"p"};
    thread.run(log_of({}), stop);
    LogGraph other{"q"};
    other.add_edge(start, "q");
    thread.graph = compiled(other);
    return reason(thread.run(RunInput::nothing()));
}

std::string unknown_answer()
{
    ThreadOf thread(only(asks("p", "?")));
    thread.run(log_of({}));
    return reason(thread.resume(Json{{std::string(32, '0'), 1}}));
}

std::string nobody_listens()
{
    Recorder recorder;
    recorder.refuse_after = 1;
    RunOptions options;
    options.events = &recorder;
    return code_of(only(adds("p")), options);
}

std::string drained()
{
    static const std::atomic<bool> yes = true;
    RunOptions options;
    options.drains = &yes;
    return code_of(only(adds("p")), options);
}

std::string limited(RunOptions options)
{
    return code_of(only(sleeper()), std::move(options));
}

TEST(ErrorCodes, EachIsWhatItsShortestCauseGives)
{
    LogGraph clash{};
    clash.add_node("p", writes("n", 1)).add_node("q", writes("n", 2)).add_edge(start, "p").add_edge(start, "q");
    LogGraph endless{"p"};
    endless.add_edge(start, "p").add_edge("p", "p");
    LogGraph lost{"p"};
    lost.add_edge(start, "p").add_conditional_edges("p", [](const State&) { return Routes("nowhere"); });
    RunOptions step;
    step.step_timeout = 5ms;
    RunOptions late;
    late.deadline = Deadline::after(5ms);
    const struct {
        const char* code;
        std::string got;
    } cases[] = {
        {"EMPTY_INPUT", reason(run(only(adds("p")), Json::object()))},
        {"INVALID_GRAPH", StateGraph().compile().error().reason()},
        {"INVALID_CONCURRENT_GRAPH_UPDATE", code_of(compiled(clash))},
        {"INVALID_GRAPH_NODE_RETURN_VALUE",
         code_of(only([](NodeContext&) -> Task<Result<Update>> { co_return Update(1); }))},
        {"INVALID_UPDATE", ThreadOf(only(adds("p"))).update(log_of({}), "nobody").error().reason()},
        {"INVALID_DESTINATION", code_of(compiled(lost))},
        {"AMBIGUOUS_UPDATE", update_of_two_writers()},
        {"AMBIGUOUS_RESUME", two_questions_answered_as_one()},
        {"UNKNOWN_INTERRUPT", unknown_answer()},
        {"MISSING_CHECKPOINTER", code_of(only(asks("p", "?")))},
        {"MULTIPLE_SUBGRAPHS", two_of_a_lasting_subgraph()},
        {"GRAPH_RECURSION_LIMIT", code_of(compiled(endless))},
        {"NODE_ERROR", code_of(only(fails("broke")))},
        {"NODE_TIMEOUT", code_of(only(sleeper(), {.timeouts = {.run = 5ms}}))},
        {"STEP_TIMEOUT", limited(step)},
        {"RUN_TIMEOUT", limited(late)},
        {"CANCELLED", nobody_listens()},
        {"DRAINED", drained()},
        {"LEASE_LOST", code_with_storage(Error(Errc::conflict, "overtaken").reason("LEASE_LOST"))},
        {"GRAPH_VERSION_MISMATCH", changed_graph()},
        {"STORAGE_ERROR", code_with_storage(Error(Errc::unavailable, "gone").reason("STORAGE_ERROR"))},
    };
    for (const auto& one : cases)
        EXPECT_EQ(one.got, one.code);
}

}  // namespace
}  // namespace dure::graph
