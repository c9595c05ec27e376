// Random drawings without cycles against a reference that decides edges in the order of the nodes (§6): who runs, who is
// skipped, what each is started by; and every run continued from a checkpoint in its middle ends as the whole one did.
#include <algorithm>
#include <random>
#include <set>

#include "flows/compiler_fixture.hpp"

namespace dure::flows {
namespace compiler_random_test {

struct DrawnNode {
    std::string id, kind, merge;
    std::vector<std::string> handles;  // in the order they are asked; of a condition: letters of the message, then else
    bool waits_for_all = true;  // of a join
};
struct DrawnEdge {
    std::size_t source, target;
    std::string handle;
};

// Edges lead from earlier nodes to later ones; the first is the start.
struct Drawing {
    std::vector<DrawnNode> nodes;
    std::vector<DrawnEdge> edges;

    Json document() const
    {
        auto all_nodes = Json::array();
        auto all_edges = Json::array();
        for (const auto& node : nodes)
            all_nodes.push_back(Json{{"id", node.id}, {"type", node.kind}, {"data", {{"config", config_of(node)}}}});
        for (std::size_t i = 0; i < edges.size(); ++i)
            all_edges.push_back(Json{{"id", "e" + std::to_string(i)},
                                     {"source", nodes[edges[i].source].id},
                                     {"sourceHandle", edges[i].handle},
                                     {"target", nodes[edges[i].target].id}});
        return Json{{"format", "dure.flow"}, {"format_version", 1},           {"flow_type", "agentflow"},
                    {"name", "random"},      {"nodes", std::move(all_nodes)}, {"edges", std::move(all_edges)}};
    }

private:
    static Json config_of(const DrawnNode& node)
    {
        if (node.kind == "template")
            return Json{{"text", "{{start.message}} of " + node.id}};
        if (node.kind == "join")
            return Json{{"merge", node.merge}, {"wait", node.waits_for_all ? "all" : "first"}};
        if (node.kind != "condition")
            return Json::object();
        auto cases = Json::array();
        for (const auto& letter : node.handles) {
            if (letter == "else")
                continue;
            Json holds{{"left", "{{start.message}}"}, {"op", "contains"}, {"right", letter}};
            cases.push_back(Json{{"id", letter}, {"all", Json::array({std::move(holds)})}});
        }
        return Json{{"cases", std::move(cases)}};
    }
};

class Draughtsman {
public:
    Draughtsman(std::uint32_t seed, bool early_joins) : random_(seed), early_joins_(early_joins) {}

    Drawing draw()
    {
        Drawing drawing;
        drawing.nodes.push_back({"start", "start", "", {"out"}});
        const auto count = 2 + below(16);
        for (std::size_t i = 1; i <= count; ++i)
            add(drawing, i);
        // The order of edges in the text is not that of the nodes.
        std::shuffle(drawing.edges.begin(), drawing.edges.end(), random_);
        return drawing;
    }
    std::string message()
    {
        std::string letters;
        for (const char letter : {'x', 'y', 'z'})
            if (below(2) == 0)
                letters += letter;
        return letters;
    }
    std::size_t below(std::size_t bound) { return random_() % bound; }

private:
    void add(Drawing& drawing, std::size_t place)
    {
        DrawnNode node{"n" + std::to_string(place), "template", "", {"out"}};
        if (const auto dice = below(10); dice < 4) {
            node.kind = "condition";
            node.handles = {"x", "y", "z"};
            std::shuffle(node.handles.begin(), node.handles.end(), random_);
            node.handles.resize(1 + below(2));
            node.handles.push_back("else");
        } else if (dice < 7) {
            const std::vector<std::string> merges{"object", "list", "text", "last"};
            node.kind = "join";
            node.merge = merges[below(merges.size())];
            node.waits_for_all = !early_joins_ || below(2) == 0;
        }
        std::set<std::pair<std::size_t, std::string>> sources;
        for (auto wanted = 1 + below(3); wanted > 0; --wanted) {
            const auto source = below(place);
            const auto& handles = drawing.nodes[source].handles;
            sources.insert({source, handles[below(handles.size())]});
        }
        for (const auto& [source, handle] : sources)
            drawing.edges.push_back({source, place, handle});
        drawing.nodes.push_back(std::move(node));
    }

    std::mt19937 random_;
    const bool early_joins_;
};

// What must come out, node by node in the order they were drawn: all edges into a node are decided before it.
struct Expected {
    std::set<std::string> ran, skipped;
    std::map<std::string, Json> inputs;
};

class Reference {
public:
    Reference(const Drawing& drawing, std::string message) : drawing_(drawing), message_(std::move(message)) {}

    Expected run()
    {
        Expected expected;
        for (std::size_t place = 0; place < drawing_.nodes.size(); ++place) {
            const auto& node = drawing_.nodes[place];
            std::vector<const DrawnEdge*> taken;
            for (const auto& edge : drawing_.edges)
                if (edge.target == place && leaves_by_.contains({edge.source, edge.handle}))
                    taken.push_back(&edge);
            if (place > 0 && taken.empty()) {
                expected.skipped.insert(node.id);
                continue;
            }
            expected.ran.insert(node.id);
            const auto input = taken.empty() ? Json() : outputs_.at(taken.front()->source);
            expected.inputs[node.id] = input;
            finish(place, taken);
        }
        return expected;
    }

private:
    void finish(std::size_t place, const std::vector<const DrawnEdge*>& taken)
    {
        const auto& node = drawing_.nodes[place];
        std::string handle = "out";
        if (node.kind == "start") {
            outputs_[place] = message_;
        } else if (node.kind == "template") {
            outputs_[place] = message_ + " of " + node.id;
        } else if (node.kind == "condition") {
            handle = *std::find_if(node.handles.begin(), node.handles.end(), [&](const std::string& letter) {
                return letter == "else" || message_.find(letter) != std::string::npos;
            });
            outputs_[place] = handle;
        } else {
            outputs_[place] = merged(node, taken);
        }
        leaves_by_.insert({place, handle});
    }

    Json merged(const DrawnNode& node, const std::vector<const DrawnEdge*>& taken) const
    {
        auto list = Json::array();
        auto object = Json::object();
        std::string text;
        for (const auto* edge : taken) {
            const auto& value = outputs_.at(edge->source);
            list.push_back(value);
            object[drawing_.nodes[edge->source].id] = value;
            text +=
                (edge == taken.front() ? "" : "\n\n") + (value.is_string() ? value.get<std::string>() : value.dump());
        }
        return node.merge == "object" ? object
               : node.merge == "list" ? list
               : node.merge == "text" ? Json(text)
                                      : list.back();
    }

    const Drawing& drawing_;
    const std::string message_;
    std::map<std::size_t, Json> outputs_;
    std::set<std::pair<std::size_t, std::string>> leaves_by_;
};

class RandomFlows : public CompilerTest, public testing::WithParamInterface<std::uint32_t> {
protected:
    // Every step once, none of a node that is not reached.
    void expect_steps(const Expected& expected, bool inputs_too) const
    {
        std::multiset<std::string> ran, skipped;
        for (const auto& step : sink_.steps) {
            const auto id = step.at("node_id").get<std::string>();
            (step.at("status") == "skipped" ? skipped : ran).insert(id);
            if (inputs_too && step.at("status") != "skipped" && expected.inputs.contains(id))
                EXPECT_EQ(step.at("input"), expected.inputs.at(id)) << id;
        }
        EXPECT_EQ(ran, std::multiset<std::string>(expected.ran.begin(), expected.ran.end()));
        EXPECT_EQ(skipped, std::multiset<std::string>(expected.skipped.begin(), expected.skipped.end()));
    }

    std::vector<graph::StateSnapshot> history() const
    {
        graph::HistoryOptions options;
        options.limit = 1000;
        std::vector<graph::StateSnapshot> found;
        test::run([&]() -> Task<void> {
            auto list = co_await flow_->graph.history(*checkpointer_, "t", options);
            EXPECT_TRUE(list);
            if (list)
                found = std::move(*list);
        });
        return found;
    }

    void continue_from(const std::string& checkpoint)
    {
        graph::RunOptions options;
        options.context = &run_;
        options.checkpointer = checkpointer_.get();
        options.thread = "t";
        options.checkpoint = checkpoint;
        options.recursion_limit = 5000;
        result_ = {};
        test::run([&]() -> Task<void> { co_await flow_->graph.run(graph::RunInput::nothing(), options, result_); });
    }
    void run_as_the_reference_does(bool with_joins_that_do_not_wait)
    {
        Draughtsman draughtsman(GetParam(), with_joins_that_do_not_wait);
        for (int drawn = 0; drawn < 12; ++drawn) {
            const auto drawing = draughtsman.draw();
            const auto message = draughtsman.message();
            const auto document = drawing.document();
            SCOPED_TRACE(message + " into " + document.dump());
            compile(document);
            sink_ = StepSink();
            run(message);
            ASSERT_EQ(result_.status, graph::RunStatus::success) << failure();
            expect_steps(Reference(drawing, message).run(), !with_joins_that_do_not_wait);
            if (HasFailure())
                return;
        }
    }
};

TEST_P(RandomFlows, RunEachNodeOnceByItsDecidedEdges)
{
    run_as_the_reference_does(false);
}

// Joins that wait for the first go on at once; the others come too late to start anything again.
TEST_P(RandomFlows, RunEachNodeOnceAlsoWithJoinsThatDoNotWait)
{
    run_as_the_reference_does(true);
}

TEST_P(RandomFlows, EndTheSameWhenContinuedFromAnyCheckpoint)
{
    Draughtsman draughtsman(GetParam(), true);
    const auto drawing = draughtsman.draw();
    const auto document = drawing.document();
    SCOPED_TRACE(document.dump());
    compile(document);
    run(draughtsman.message());
    ASSERT_EQ(result_.status, graph::RunStatus::success) << failure();
    const auto whole = result_.state.to_json();
    EXPECT_EQ(whole.at(std::string(step_channel)), Json::array());  // told, never kept
    std::size_t continued = 0;
    for (const auto& snapshot : history()) {
        if (snapshot.next.empty())
            continue;
        continue_from(snapshot.checkpoint);
        ASSERT_EQ(result_.status, graph::RunStatus::success) << failure();
        EXPECT_EQ(result_.state.to_json(), whole) << "from step " << snapshot.step;
        ++continued;
    }
    EXPECT_GT(continued, 1u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomFlows, testing::Range<std::uint32_t>(1, 26));

}  // namespace compiler_random_test
}  // namespace dure::flows
