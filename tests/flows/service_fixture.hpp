// A FlowService on a migrated, empty database of each driver, with a folder for its files.
#pragma once

#include "dure/events/journal.hpp"
#include "dure/events/service.hpp"
#include "dure/flows/service.hpp"
#include "store/store_fixture.hpp"

namespace dure::flows {

// A clock the test steps.
class ServiceClock final : public Clock {
public:
    UnixMillis now() const override { return now_; }
    Steady::time_point steady_now() const override { return Steady::time_point(std::chrono::milliseconds(now_)); }
    void step() { now_ += 1000; }

private:
    UnixMillis now_ = 1'700'000'000'000;
};

class KnownThings final : public References {
public:
    bool has_provider(std::string_view name) const override { return name == "mock"; }
    bool has_model(std::string_view provider, std::string_view model) const override
    {
        return model == "mock" && (provider.empty() || provider == "mock");
    }
    bool has_tool(std::string_view name) const override { return name == "calculator"; }
    bool has_knowledge(std::string_view) const override { return false; }
};

inline std::string drawing(const std::string& text, const std::string& further = "")
{
    return R"("nodes":[{"id":"start","type":"start","position":{"x":0,"y":0},"data":{"config":{}}},)"
           R"({"id":"out","type":"reply","position":{"x":200,"y":0},"data":{"config":{"text":")" +
           text + R"("}}}],"edges":[{"id":"e1","source":"start","target":"out"}])" + further;
}

inline std::string flow_text(const std::string& name, const std::string& text = "{{start.message}}",
                             const std::string& further = "")
{
    return R"({"name":")" + name + "\"," + drawing(text, further) + "}";
}

// start -> sub-flow -> reply.
inline std::string calling(const std::string& name, const std::string& flow, const std::string& version = "")
{
    return R"({"name":")" + name +
           R"(","nodes":[{"id":"start","type":"start"},{"id":"sub","type":"subflow","data":{"config":{"flow":")" +
           flow + "\"" + (version.empty() ? "" : R"(,"version":")" + version + "\"") +
           R"(}}},{"id":"out","type":"reply","data":{"config":{"text":"{{nodes.sub.text}}"}}}],)"
           R"("edges":[{"id":"a","source":"start","target":"sub"},{"id":"b","source":"sub","target":"out"}]})";
}

class FlowServiceTest : public store::StoreTest {
protected:
    void SetUp() override
    {
        store::StoreTest::SetUp();
        settings_.flows.directory = folder_.file("flows");
        journal_.emplace(*database_, *bus_, clock_);
        service_.emplace(FlowService::Parts{*database_, *journal_, settings_, clock_, logger_, &known_});
    }

    static Caller caller(const std::string& user = "kim")
    {
        Caller out;
        out.user_id = user;
        out.may_edit = true;
        out.by.user_id = user;
        out.by.request_id = "request";
        return out;
    }

    // One call of the service, waited for.
    template <class F>
    auto call(F work)
    {
        using Outcome = typename std::invoke_result_t<F&, FlowService&>::value_type;
        std::optional<Outcome> outcome;
        test::run([&]() -> Task<void> { outcome.emplace(co_await work(*service_)); });
        return std::move(*outcome);
    }

    Change create(const std::string& body, FlowType type = FlowType::agentflow, const std::string& user = "kim")
    {
        clock_.step();
        return call([&](FlowService& s) { return s.create(caller(user), type, body); }).value();
    }
    store::FlowRecord made(const std::string& body, FlowType type = FlowType::agentflow)
    {
        auto change = create(body, type);
        EXPECT_TRUE(change.flow) << problems_json(change.problems).dump();
        return change.flow ? change.flow->record : store::FlowRecord();
    }
    Result<Change> update(const std::string& id, const std::string& body, ChangeOptions options = {},
                          const std::string& user = "kim")
    {
        clock_.step();
        return call([&](FlowService& s) { return s.update(caller(user), id, body, options); });
    }
    Result<Change> publish(const std::string& id, std::optional<std::int64_t> version = {})
    {
        clock_.step();
        return call([&](FlowService& s) { return s.publish(caller(), id, version, {}); });
    }
    Result<Change> remove(const std::string& id)
    {
        clock_.step();
        return call([&](FlowService& s) { return s.remove(caller(), id, {}); });
    }
    Result<Flow> find(const std::string& id, const std::string& user = "kim")
    {
        return call([&](FlowService& s) { return s.find(caller(user), id); });
    }
    Result<FlowService::SavedByName> save(const std::string& body)
    {
        clock_.step();
        return call([&](FlowService& s) { return s.save_by_name(caller(), body); });
    }
    Result<RunnableFlow> runnable(const std::string& flow, const std::string& version = "", Caller who = caller())
    {
        return call([&](FlowService& s) { return s.runnable(who, flow, version); });
    }

    static std::vector<std::string> codes(const Problems& problems, std::optional<Level> level = {})
    {
        std::vector<std::string> out;
        for (const auto& problem : problems.list())
            if (!level || problem.level == *level)
                out.push_back(problem.code);
        return out;
    }

    ServiceClock clock_;
    test::TemporaryFolder folder_;
    config::Settings settings_;
    Logger logger_{Logger::Options{}};
    KnownThings known_;
    std::unique_ptr<events::Bus> bus_ = events::in_process_bus();
    std::optional<events::Journal> journal_;
    std::optional<FlowService> service_;
};

}  // namespace dure::flows
