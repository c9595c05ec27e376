// Runs an example flow on the real binary as its case says and holds what comes of it against the case: the whole output, the
// questions to people, and every event in its order.
//
// A case (flow_examples/<example>.json): {"publish": ["sub-flow", …], "runs": [{"name", "message", "inputs", "session": "any name",
//   "model", "http" (flow_example_world.hpp), "answers": [{"asks": {…of the question}, "with": {resume body}, "refused": [{…}, …]}],
//   "output", "events"}]}. Events are their types without "Execution", those of steps with the node: "StepCompleted start". A list
//   inside the list: these come in any order; "StepCompleted x*100": so often.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "integration/flow_example_world.hpp"
#include "support/raw_http.hpp"
#include "support/server_on_postgres.hpp"

namespace dure::test {

inline const std::filesystem::path example_folder = std::filesystem::path(DURE_SOURCE_DIR) / "examples/flows";
inline const std::filesystem::path example_case_folder =
    std::filesystem::path(DURE_SOURCE_DIR) / "tests/integration/flow_examples";

inline std::vector<std::string> example_names(const std::filesystem::path& folder)
{
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder))
        if (entry.path().extension() == ".json")
            names.push_back(entry.path().stem().string());
    std::sort(names.begin(), names.end());
    return names;
}

inline Json example_case(const std::string& name)
{
    return Json::parse(read_file(example_case_folder / (name + ".json")));
}

class ExampleServer {
public:
    explicit ExampleServer(const std::string& database) : server_(options(database)) {}

    void run_case(const std::string& name, const Json& all)
    {
        for (const auto& other : all.value("publish", Json::array()))
            publish(save(other.get<std::string>()));
        const auto id = save(name);
        for (const auto& one : all.at("runs")) {
            SCOPED_TRACE(name + ": " + one.at("name").get<std::string>());
            world_.expect(one);
            run(id, one);
            EXPECT_EQ(world_.problems(), "");
        }
    }

    ServerProcess& process() { return server_; }

private:
    ServerProcess::Options options(const std::string& database) const
    {
        const auto configuration =
            "[log]\nlevel = \"warn\"\n[sessions]\nmax_turns = 20\n[models]\ndefault = \"scripted\"\n[egress]\nallow = "
            "[\"127.0.0.1:" +
            std::to_string(world_.far_side.port()) + "\"]\n[flows]\nvariables = {stock_url = \"" +
            world_.far_side.base() +
            "\"}\nsecrets_env = {stock = \"STOCK_KEY\"}\n[[providers]]\nname = \"up\"\nbase_url = \"" +
            world_.model.base() +
            "/v1\"\nkeys_env = [\"UPSTREAM_TEST_KEY\"]\n[[model]]\nid = \"scripted\"\ntargets = [\"up/scripted\"]\n";
        auto chosen = database == "postgres" ? on_postgres(fresh_schema(), configuration)
                                             : ServerProcess::Options{.configuration = configuration};
        chosen.environment.emplace_back("UPSTREAM_TEST_KEY", "k");
        chosen.environment.emplace_back("STOCK_KEY", "s3cret-of-stock");
        return chosen;
    }

    RawAnswer send(const std::string& method, const std::string& path, const Json& body = Json()) const
    {
        return fetch(server_.port(), raw_request(method, path, server_.key(), body.is_null() ? "" : body.dump()));
    }
    Json got(const std::string& path) const
    {
        const auto answer = send("GET", path);
        EXPECT_EQ(answer.status, 200) << path << answer.body;
        return answer.json();
    }

    // Valid without a single warning, and saved under the name of its file; the id.
    std::string save(const std::string& name)
    {
        if (const auto known = saved_.find(name); known != saved_.end())
            return known->second;
        const auto document = Json::parse(read_file(example_folder / (name + ".json")));
        const auto validated = send("POST", "/api/agent-builder/flows/validate", document);
        EXPECT_EQ(validated.json(), Json::parse(R"({"valid":true,"problems":[]})")) << name;
        const auto list = document.at("flow_type") == "chatflow" ? "/chatflows" : "/agentflows";
        const auto saved = send("POST", std::string("/api/agent-builder") + list, document);
        EXPECT_EQ(saved.status, 201) << name << saved.body;
        EXPECT_EQ(saved.json().value("slug", ""), name);
        EXPECT_EQ(saved.json().at("warnings"), Json::array());
        return saved_[name] = saved.json().at("id").get<std::string>();
    }
    void publish(const std::string& id) const
    {
        EXPECT_EQ(send("POST", "/api/agent-builder/flows/" + id + "/publish").status, 200);
    }

    void run(const std::string& flow, const Json& one)
    {
        Json body{{"message", one.value("message", "")}, {"inputs", one.value("inputs", Json::object())}};
        if (one.contains("session"))
            body["session_id"] = session(one.at("session").get<std::string>());
        const auto started = send("POST", "/api/agent-builder/flows/" + flow + "/execute?wait=true&timeout=60", body);
        ASSERT_EQ(started.status, 200) << started.body;
        const auto id = started.json().at("id").get<std::string>();
        auto execution = started.json();
        for (const auto& answer : one.value("answers", Json::array())) {
            ASSERT_EQ(execution.at("status"), "waiting") << execution;
            execution = answered(id, execution, answer);
        }
        EXPECT_EQ(execution.at("status"), one.value("status", "succeeded")) << execution;
        EXPECT_EQ(execution.at("output"), one.at("output"));
        expect_events(events_of(id), one.at("events"));
        EXPECT_EQ(got("/api/events/replay/" + id + "?aggregate_type=Execution").at("state"),
                  got("/api/executions/" + id));
    }

    std::string session(const std::string& name)
    {
        auto& id = sessions_[name];
        if (id.empty())
            id = send("POST", "/api/chat/session", Json::object()).json().at("session_id").get<std::string>();
        return id;
    }

    // Answers the one open question; the execution when it has gone on as far as it can.
    Json answered(const std::string& id, const Json& waiting, const Json& answer) const
    {
        EXPECT_EQ(waiting.at("waiting").size(), 1u) << waiting;
        const auto& question = waiting.at("waiting").at(0);
        for (const auto& [key, value] : answer.at("asks").items())
            EXPECT_EQ(key == "node_id" ? question.at(key) : question.at("value").at(key), value) << question;
        const auto resume = "/api/executions/" + id + "/resume";
        for (const auto& wrong : answer.value("refused", Json::array()))
            EXPECT_EQ(send("POST", resume, wrong).status, 422) << wrong;
        const auto accepted = send("POST", resume, answer.at("with"));
        EXPECT_EQ(accepted.status, 202) << accepted.body;
        Json last;
        EXPECT_TRUE(eventually([&] {
            last = got("/api/executions/" + id);
            const auto status = last.at("status");
            return status != "queued" && status != "running" &&
                   (status != "waiting" || last.at("waiting").at(0).at("id") != question.at("id"));
        })) << last;
        return last;
    }

    std::vector<std::string> events_of(const std::string& id) const
    {
        std::vector<std::string> told;
        Json next = 1;
        while (!next.is_null()) {
            const auto page =
                got("/api/events/aggregate/" + id + "?aggregate_type=Execution&limit=100&from_version=" + next.dump());
            for (const auto& event : page.at("events")) {
                told.push_back(name_of(event));
                EXPECT_EQ(event.dump().find("s3cret"), std::string::npos) << event;
            }
            next = page.at("next");
        }
        return told;
    }

    // "StepCompleted node"; what a step's event is called and what it says of its status are the same.
    static std::string name_of(const Json& event)
    {
        const auto type = event.at("event_type").get<std::string>();
        EXPECT_TRUE(type.starts_with("Execution")) << type;
        auto name = type.substr(std::min<std::size_t>(9, type.size()));
        if (!name.starts_with("Step"))
            return name;
        const std::map<std::string, std::string> status{{"StepCompleted", "succeeded"},
                                                        {"StepFailed", "failed"},
                                                        {"StepSkipped", "skipped"},
                                                        {"StepWaiting", "waiting"}};
        EXPECT_EQ(event.at("data").at("status"), status.at(name));
        return name + " " + event.at("data").at("node_id").get<std::string>();
    }

    static std::vector<std::string> times(const Json& entries)
    {
        std::vector<std::string> all;
        for (const auto& entry : entries) {
            const auto text = entry.get<std::string>();
            const auto star = text.find('*');
            const auto count = star == std::string::npos ? 1 : std::stoul(text.substr(star + 1));
            all.insert(all.end(), count, text.substr(0, star));
        }
        std::sort(all.begin(), all.end());
        return all;
    }
    static void expect_events(std::vector<std::string> told, const Json& expected)
    {
        std::vector<std::string> wanted;
        for (const auto& entry : expected) {
            const auto group = times(entry.is_array() ? entry : Json::array({entry}));
            const auto from = std::min(wanted.size(), told.size());
            std::sort(told.begin() + static_cast<std::ptrdiff_t>(from),
                      told.begin() + static_cast<std::ptrdiff_t>(std::min(from + group.size(), told.size())));
            wanted.insert(wanted.end(), group.begin(), group.end());
        }
        EXPECT_EQ(told, wanted);
    }

    ExampleWorld world_;
    ServerProcess server_;
    std::map<std::string, std::string> saved_, sessions_;  // ids by name
};

}  // namespace dure::test
