// Toolbox; see toolbox.hpp.
#include "dure/tools/toolbox.hpp"

#include <mutex>
#include <thread>

#include "dure/base/blocking_pool.hpp"
#include "dure/base/task_group.hpp"
#include "dure/base/timeout.hpp"
#include "tools/mcp/server.hpp"
#include "tools/tool_folder.hpp"
#include "tools/web_tools.hpp"

namespace dure::tools {
namespace toolbox_parts {

constexpr auto look_again = std::chrono::milliseconds(5);
const std::string files_group = "files";

Result<void> check_url(const std::string& place, const std::string& url)
{
    const auto parsed = http::parse_url(url);
    if (!url.empty() && !parsed)
        return Error(Errc::invalid_argument, place + ": " + parsed.error().message()).param(place);
    return boost::system::in_place_value;
}

std::string late(const mcp::Server& server, Steady::duration patience)
{
    const auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(patience).count();
    const auto why = server.why_unavailable();
    return "it did not answer within " + std::to_string(waited) + " ms and is still being asked" +
           (why.empty() ? "; its tools are those of before" : ": " + why);
}

}  // namespace toolbox_parts

using namespace toolbox_parts;

struct Toolbox::State {
    explicit State(const ToolboxParts& given) : parts(given) {}

    const SecretString* variable(const std::string& name) const
    {
        const auto found = parts.settings.variables.find(name);
        return found == parts.settings.variables.end() || found->second.empty() ? nullptr : &found->second;
    }

    // What is on the disk now goes into the registry. Blocks; one at a time.
    std::vector<LoadProblem> load_files()
    {
        const std::lock_guard lock(loading);
        auto folder =
            read_tool_folder(parts.settings.directory, [this](const std::string& name) { return variable(name); });
        std::vector<std::shared_ptr<Tool>> tools;
        for (auto& plan : folder.tools)
            tools.push_back(make_http_tool(std::move(plan), {parts.client, parts.egress}));
        for (auto& problem : parts.registry.replace(files_group, std::move(tools)))
            folder.problems.push_back(std::move(problem));
        for (const auto& problem : folder.problems)
            parts.logger.warn("tool left out",
                              {{"source", problem.source}, {"tool", problem.name}, {"why", problem.message}});
        return std::move(folder.problems);
    }

    template <class Holds>
    bool every_server(Holds holds) const
    {
        return std::all_of(servers.begin(), servers.end(), [&](const auto& server) { return holds(*server); });
    }

    // All at the same time: one that is silent leaves the others theirs. Who has not said anything new by then is told of too.
    Task<void> refresh_servers(Steady::duration patience, std::vector<LoadProblem>& problems)
    {
        const auto until = Deadline::after(patience);
        std::vector<char> in_time(servers.size(), 0);
        auto ask = [](mcp::Server& server, Deadline end, char& done) -> Task<void> {
            done = co_await server.refresh(end);
        };
        TaskGroup asked(co_await boost::asio::this_coro::executor);
        for (std::size_t i = 0; i < servers.size(); ++i)
            asked.spawn(ask(*servers[i], until, in_time[i]));
        co_await asked.wait();
        for (std::size_t i = 0; i < servers.size(); ++i) {
            auto known = servers[i]->problems();
            if (!in_time[i])
                known = {{servers[i]->source(), {}, late(*servers[i], patience)}};
            std::move(known.begin(), known.end(), std::back_inserter(problems));
        }
    }

    const ToolboxParts parts;
    std::mutex loading;
    std::vector<std::shared_ptr<mcp::Server>> servers;
    BlockingPool disk{"tool files", 1, 16};
};

Toolbox::Toolbox(std::unique_ptr<State> state) : state_(std::move(state)) {}
Toolbox::~Toolbox() = default;

Result<std::unique_ptr<Toolbox>> Toolbox::make(const ToolboxParts& parts)
{
    const auto& settings = parts.settings;
    for (const auto& [place, url] : {std::pair{"tools.weather_url", &settings.weather_url},
                                     std::pair{"tools.geocoding_url", &settings.geocoding_url},
                                     std::pair{"tools.search_url", &settings.search_url}})
        if (auto checked = check_url(place, *url); !checked)
            return checked.error();
    auto state = std::make_unique<State>(parts);
    const mcp::ServerWorld world{parts.cores, parts.client, parts.egress, parts.registry, parts.logger, settings};
    for (std::size_t i = 0; i < settings.mcp.size(); ++i) {
        const auto& server = settings.mcp[i];
        if (server.transport == "http")
            if (auto checked = check_url("tools.mcp." + server.name + ".url", server.url); !checked)
                return checked.error();
        state->servers.push_back(std::make_shared<mcp::Server>(world, server, i % parts.cores.size()));
    }
    parts.registry.add(make_weather({settings.weather_url, settings.geocoding_url}, {parts.client, parts.egress}));
    parts.registry.add(make_search(settings.search_url, {parts.client, parts.egress}));
    return std::unique_ptr<Toolbox>(new Toolbox(std::move(state)));
}

// One after the other while there is patience, so that of two servers with a tool of the same name the first one in the
// configuration has it.
void Toolbox::start(Steady::duration patience)
{
    state_->load_files();
    const auto until = Deadline::after(patience);
    for (const auto& server : state_->servers) {
        server->start();
        while (!until.passed() && !server->settled())
            std::this_thread::sleep_for(look_again);
    }
}

Task<ReloadReport> Toolbox::reload(Steady::duration patience)
{
    auto files =
        co_await state_->disk.run([this]() -> Result<std::vector<LoadProblem>> { return state_->load_files(); });
    ReloadReport report;
    if (files)
        report.failed = std::move(*files);
    else
        report.failed.push_back({"file:", {}, files.error().message()});
    co_await state_->refresh_servers(patience, report.failed);
    report.tools = state_->parts.registry.all().size();
    co_return report;
}

void Toolbox::stop(Deadline deadline)
{
    for (const auto& server : state_->servers)
        server->stop();
    while (!deadline.passed() && !state_->every_server([](const mcp::Server& server) { return server.ended(); }))
        std::this_thread::sleep_for(look_again);
}

}  // namespace dure::tools
