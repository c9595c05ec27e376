// The search tool: one request to a SearXNG server in its JSON form, the best results as title, URL and excerpt.
#include "dure/base/text.hpp"
#include "tools/web_tools.hpp"

namespace dure::tools {
namespace search_parts {

constexpr std::size_t longest_excerpt = 1000;
constexpr std::size_t largest_search_answer = 2u << 20;

model::ToolDefinition search_definition()
{
    model::ToolDefinition definition;
    definition.name = "search";
    definition.description = "Searches the web and returns titles, addresses and excerpts of the best results. Use it "
                             "for current facts and news. "
                             "웹 검색: 최신 정보와 뉴스, 자료를 인터넷에서 찾아 줍니다.";
    definition.parameters = Json::parse(R"json({
        "type": "object",
        "properties": {
            "query": {"type": "string", "description": "What to search for", "minLength": 1, "maxLength": 400},
            "max_results": {"type": "integer", "minimum": 1, "maximum": 20, "default": 5}
        },
        "required": ["query"],
        "additionalProperties": false
    })json");
    return definition;
}

std::string text_in(const Json& object, const char* key)
{
    const auto found = object.is_object() ? object.find(key) : object.end();
    return object.is_object() && found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

Json shortened(const Json& answer, std::size_t most)
{
    auto list = Json::array();
    for (const auto& one : answer.at("results")) {
        if (list.size() == most)
            break;
        const auto url = text_in(one, "url");
        if (url.empty())
            continue;
        list.push_back({{"title", text_in(one, "title")},
                        {"url", url},
                        {"excerpt", utf8_prefix(text_in(one, "content"), longest_excerpt)}});
    }
    return list;
}

class Search final : public Tool {
public:
    Search(std::string url, HttpToolWorld world) : url_(std::move(url)), world_(world) {}

    const model::ToolDefinition& definition() const override { return definition_; }
    std::string source() const override { return "built-in"; }
    std::string why_unavailable() const override { return url_.empty() ? "tools.search_url is not configured" : ""; }

    Task<Result<Json>> execute(const Json& arguments, const Caller&, Deadline deadline) override
    {
        const auto query = arguments.at("query").get<std::string>();
        auto base = url_;
        while (base.ends_with('/'))
            base.pop_back();
        http::FetchRequest request;
        request.url =
            (base.ends_with("/search") ? base : base + "/search") + "?q=" + percent_encode(query) + "&format=json";
        request.headers = {{"Accept", "application/json"}};
        request.deadline = deadline;
        request.largest_answer = largest_search_answer;
        const auto answer = co_await http::fetch(world_.client, world_.egress, std::move(request));
        if (!answer)
            co_return answer.error();
        const auto document = http_tool_result({}, *answer);
        if (!document)
            co_return document.error();
        if (!document->is_object() || !document->contains("results") || !(*document)["results"].is_array())
            co_return Error(Errc::upstream_failed, "The search server's answer is not what it should be.");
        const auto most = static_cast<std::size_t>(arguments.value("max_results", std::int64_t{5}));
        co_return Json{{"query", query}, {"results", shortened(*document, most)}};
    }

private:
    const model::ToolDefinition definition_ = search_definition();
    const std::string url_;
    const HttpToolWorld world_;
};

}  // namespace search_parts

std::unique_ptr<Tool> make_search(std::string url, HttpToolWorld world)
{
    return std::make_unique<search_parts::Search>(std::move(url), world);
}

}  // namespace dure::tools
