// The functions every JSON graph may name; see json_graph.hpp.
#include <algorithm>
#include <memory>

#include "dure/base/timeout.hpp"
#include "dure/graph/json_graph.hpp"

namespace dure::graph {
namespace {

constexpr std::int64_t longest_wait_ms = 3'600'000;

Error bad_config(std::string text)
{
    return Error(Errc::invalid_argument, std::move(text));
}

Result<std::string> text_of(const Json& config, const char* key)
{
    const auto at = config.find(key);
    if (at == config.end() || !at->is_string() || at->get_ref<const std::string&>().empty())
        return bad_config(std::string("needs the text ") + key);
    return at->get<std::string>();
}

// The factory behind a look at the config's keys: one it does not know is a slip of the pen.
template <typename Factory>
auto with_keys(std::vector<std::string> known, Factory make)
{
    return [known = std::move(known), make](const Json& config) -> decltype(make(config)) {
        for (const auto& [key, value] : config.items())
            if (std::find(known.begin(), known.end(), key) == known.end())
                return bad_config("has the unknown key " + key);
        return make(config);
    };
}

Json one_value(const std::string& channel, Json value)
{
    auto values = Json::object();
    values[channel] = std::move(value);
    return values;
}

Result<Routes> routes_of(const Json& config)
{
    const auto to = config.find("to");
    Routes routes;
    const auto add = [&](const Json& name) {
        const auto text = name.get<std::string>();
        routes.emplace_back(text == "END" ? std::string(end) : text);
    };
    if (to != config.end() && to->is_string()) {
        add(*to);
        return routes;
    }
    if (to == config.end() || !to->is_array())
        return bad_config("needs to: a node or a list of nodes");
    for (const auto& one : *to) {
        if (!one.is_string())
            return bad_config("needs to: a node or a list of nodes");
        add(one);
    }
    return routes;
}

Result<NodeFunction> make_write(const Json& config)
{
    const auto values = config.find("values");
    if (values == config.end() || !values->is_object())
        return bad_config("needs the object values");
    return NodeFunction([written = *values](NodeContext&) -> Task<Result<Update>> { co_return Update(written); });
}

Result<NodeFunction> make_copy(const Json& config)
{
    auto to = text_of(config, "to");
    if (!to)
        return to.error();
    if (config.contains("from") && !config.at("from").is_string())
        return bad_config("from must be a text");
    const auto from = config.value("from", std::string());
    return NodeFunction([from, to = *to](NodeContext& context) -> Task<Result<Update>> {
        const auto* value = from.empty() ? context.argument() : context.state().find(from);
        if (!value)
            co_return Error(Errc::invalid_argument,
                            from.empty() ? "The node was not sent anything." : "Channel '" + from + "' is absent.");
        co_return Update(one_value(to, *value));
    });
}

Result<NodeFunction> make_ask(const Json& config)
{
    auto to = text_of(config, "to");
    if (!to)
        return to.error();
    if (!config.contains("question"))
        return bad_config("needs a question");
    return NodeFunction([question = config.at("question"), to = *to](NodeContext& context) -> Task<Result<Update>> {
        auto answer = co_await context.interrupt(question);
        if (!answer)
            co_return answer.error();
        co_return Update(one_value(to, std::move(*answer)));
    });
}

Result<NodeFunction> make_wait(const Json& config)
{
    const auto at = config.find("milliseconds");
    if (at == config.end() || !at->is_number_integer() || *at < 0 || *at > longest_wait_ms)
        return bad_config("needs milliseconds from 0 to 3600000");
    return NodeFunction(
        [pause = std::chrono::milliseconds(at->get<std::int64_t>())](NodeContext&) -> Task<Result<Update>> {
            co_await sleep_for(pause);
            co_return Update();
        });
}

Result<NodeFunction> make_fail(const Json& config)
{
    auto message = text_of(config, "message");
    if (!message)
        return message.error();
    if (config.contains("times") && !config.at("times").is_number_integer())
        return bad_config("times must be a whole number");
    const auto times = config.value("times", std::int64_t{-1});
    return NodeFunction([message = *message, times](NodeContext& context) -> Task<Result<Update>> {
        if (times >= 0 && context.attempt() > times)
            co_return Update();
        co_return Error(Errc::unavailable, message);
    });
}

Result<NodeFunction> make_go(const Json& config)
{
    auto routes = routes_of(config);
    if (!routes)
        return routes.error();
    const auto values = config.contains("values") ? config.at("values") : Json();
    if (!values.is_null() && !values.is_object())
        return bad_config("values must be an object");
    return NodeFunction(
        [values, routes = *routes](NodeContext&) -> Task<Result<Update>> { co_return Update(values, routes); });
}

Result<RouteFunction> make_by_value(const Json& config)
{
    auto channel = text_of(config, "channel");
    if (!channel)
        return channel.error();
    return RouteFunction([channel = *channel](const State& state) -> Routes {
        const auto* value = state.find(channel);
        if (!value)
            return Routes("absent");
        return Routes(Destination(value->is_string() ? value->get<std::string>() : value->dump()));
    });
}

Result<RouteFunction> make_each(const Json& config)
{
    auto channel = text_of(config, "channel");
    auto node = text_of(config, "node");
    if (!channel || !node)
        return (channel ? node : channel).error();
    return RouteFunction([channel = *channel, node = *node](const State& state) -> Result<Routes> {
        Routes routes;
        const auto* list = state.find(channel);
        if (list && !list->is_array())
            return Error(Errc::invalid_argument, "The channel '" + channel + "' holds no list.");
        if (list)
            for (const auto& item : *list)
                routes.emplace_back(Send(node, item));
        return routes;
    });
}

Result<RouteFunction> make_always(const Json& config)
{
    auto routes = routes_of(config);
    if (!routes)
        return routes.error();
    return RouteFunction([routes = *routes](const State&) { return routes; });
}

}  // namespace

FunctionRegistry standard_functions()
{
    FunctionRegistry functions;
    functions.add_node("write", with_keys({"values"}, make_write))
        .add_node("copy", with_keys({"from", "to"}, make_copy))
        .add_node("ask", with_keys({"question", "to"}, make_ask))
        .add_node("wait", with_keys({"milliseconds"}, make_wait))
        .add_node("fail", with_keys({"message", "times"}, make_fail))
        .add_node("go", with_keys({"to", "values"}, make_go));
    functions.add_route("by_value", with_keys({"channel"}, make_by_value))
        .add_route("each", with_keys({"channel", "node"}, make_each))
        .add_route("always", with_keys({"to"}, make_always));
    return functions;
}

}  // namespace dure::graph
