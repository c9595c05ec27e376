// See http_request.hpp.
#include "nodes/http_request.hpp"

#include <algorithm>

#include "dure/base/text.hpp"
#include "dure/flows/config_values.hpp"
#include "dure/flows/expression.hpp"
#include "nodes/http_body.hpp"

namespace dure::nodes {
namespace {

constexpr std::size_t largest_body = 4u << 20;
constexpr std::int64_t largest_http_answer = 4 << 20;

// Names of the secrets that the texts of a drawn config use.
void collect_secrets(const OrderedJson& drawn, std::set<std::string>& names)
{
    if (drawn.is_array() || drawn.is_object()) {
        for (const auto& inner : drawn)
            collect_secrets(inner, names);
        return;
    }
    if (!drawn.is_string())
        return;
    const auto text = flows::Template::parse(drawn.get_ref<const std::string&>());
    if (!text)
        return;   // the compiler has refused it
    for (const auto* expression : text->expressions())
        if (expression->root == flows::Root::secrets)
            names.insert(std::string(expression->name()));
}

class HttpPlanner {
public:
    HttpPlanner(flows::NodeCall& call, flows::NodeServices& services)
        : call_(call), services_(services), reader_(call.config)
    {}

    Result<HttpPlan> read()
    {
        collect_secrets(call_.node.config, plan_.secret_names);
        for (const auto& name : plan_.secret_names)
            if (auto value = services_.secret(call_.facts.owner, name))
                hide(std::move(*value));
        read_method();
        request().url = reader_.text("url");
        if (request().url.empty())
            reader_.problem("url", "is empty");
        read_headers();
        if (const auto* query = reader_.object("query"))
            add_query(*query);
        read_auth();
        read_body();
        request().largest_answer = static_cast<std::size_t>(
            reader_.integer("max_bytes", 1, largest_http_answer).value_or(largest_http_answer));
        if (!has_header("Idempotency-Key"))
            request().headers.emplace_back("Idempotency-Key", call_.context.idempotency_key("http"));
        if (auto fine = reader_.done(); !fine)
            return fine.error();
        std::sort(plan_.secrets.begin(), plan_.secrets.end(),
                  [](const auto& a, const auto& b) { return a.size() > b.size(); });
        return std::move(plan_);
    }

private:
    http::FetchRequest& request() { return plan_.request; }

    void hide(std::string value)
    {
        constexpr std::size_t shortest = 4;   // less is in every text
        if (value.size() < shortest)
            return;
        if (auto escaped = percent_encoded(value); escaped != value) {
            plan_.secrets.push_back(percent_encoded(escaped));   // with the filter url, in a query
            plan_.secrets.push_back(std::move(escaped));   // as a query has it
        }
        plan_.secrets.push_back(std::move(value));
    }

    bool has_header(std::string_view name) const
    {
        const auto& headers = plan_.request.headers;
        return std::any_of(headers.begin(), headers.end(),
                           [&](const auto& field) { return equals_ignoring_case(field.first, name); });
    }

    void read_method()
    {
        const auto word = reader_.text("method");
        const auto method = http::parse_method(word.empty() ? "GET" : word);
        if (method)
            request().method = *method;
        else
            reader_.problem("method", "is not one of GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS");
    }

    void read_headers()
    {
        const auto* headers = reader_.object("headers");
        for (const auto& [name, value] : headers ? headers->items() : empty_.items()) {
            if (flows::is_header_of_flows(name))
                request().headers.emplace_back(name, flows::text_of(value));
            else
                reader_.problem("headers." + name, "cannot be set by a flow");
        }
    }

    void add_query(const Json& query)
    {
        auto& url = request().url;
        for (const auto& [name, value] : query.items()) {
            if (value.is_null())
                continue;
            for (const auto& one : value.is_array() ? value : Json::array({value})) {
                const char joint = url.find('?') == std::string::npos       ? '?'
                                   : url.back() == '?' || url.back() == '&' ? 0
                                                                            : '&';
                if (joint != 0)
                    url += joint;
                url += percent_encoded(name) + "=" + percent_encoded(flows::text_of(one));
            }
        }
    }

    // The value of auth.secret: what the expression gave, or the secret that is named.
    std::string auth_secret(const ConfigReader& auth)
    {
        const auto drawn_auth = call_.node.config.find("auth");
        const auto* drawn =
            drawn_auth != call_.node.config.end() && drawn_auth->is_object() && drawn_auth->contains("secret")
                ? &(*drawn_auth)["secret"]
                : nullptr;
        const bool computed =
            drawn && drawn->is_string() && drawn->get_ref<const std::string&>().find("{{") != std::string::npos;
        const auto value = auth.text("secret");
        if (value.empty()) {
            reader_.problem("auth.secret", "is missing");
            return {};
        }
        if (computed)
            return value;
        auto secret = services_.secret(call_.facts.owner, value);
        if (!secret) {
            reader_.problem("auth.secret", "names no secret that is set");
            return {};
        }
        hide(*secret);
        plan_.secret_names.insert(value);
        return std::move(*secret);
    }

    void read_auth()
    {
        const auto* object = reader_.object("auth");
        if (!object)
            return;
        const ConfigReader auth(*object);
        const auto type = auth.find("type") ? auth.text("type") : "none";
        if (type == "none")
            return;
        if (type == "bearer") {
            request().headers.emplace_back("Authorization", "Bearer " + auth_secret(auth));
        } else if (type == "basic") {
            auto token = base64(auth.text("username") + ":" + auth_secret(auth));
            request().headers.emplace_back("Authorization", "Basic " + token);
            hide(std::move(token));
        } else if (type == "api_key") {
            const auto name = auth.find("name") ? auth.text("name") : "X-API-Key";
            if (auth.text("in") == "query")
                add_query(Json{{name, auth_secret(auth)}});
            else
                request().headers.emplace_back(name, auth_secret(auth));
        } else {
            reader_.problem("auth.type", "must be none, bearer, basic or api_key");
        }
    }

    void read_body()
    {
        auto body = read_http_body(reader_);
        if (body.bytes.size() > largest_body)
            reader_.problem("body", "is larger than 4 MiB");
        if (!body.content_type.empty() && !has_header("Content-Type"))
            request().headers.emplace_back("Content-Type", body.content_type);
        request().body = std::move(body.bytes);
    }

    flows::NodeCall& call_;
    flows::NodeServices& services_;
    ConfigReader reader_;
    HttpPlan plan_;
    const Json empty_ = Json::object();
};

}  // namespace

Result<HttpPlan> read_http_plan(flows::NodeCall& call, flows::NodeServices& services)
{
    return HttpPlanner(call, services).read();
}

}  // namespace dure::nodes
