// Parameter by parameter; see request.hpp.
#include "llm/anthropic/request.hpp"

#include <algorithm>
#include <array>

#include "dure/base/text.hpp"
#include "llm/answer_form.hpp"
#include "llm/anthropic/messages.hpp"

namespace dure::llm::anthropic {

namespace {

constexpr std::string_view answer_tool_name = "answer_in_form";
constexpr std::int64_t smallest_thinking_budget = 1024;

std::string text_of(const OrderedJson& value)
{
    return value.is_string() ? value.get<std::string>() : std::string();
}

const OrderedJson& member(const OrderedJson& object, const char* name)
{
    static const OrderedJson nothing;
    if (!object.is_object())
        return nothing;
    const auto found = object.find(name);
    return found == object.end() ? nothing : *found;
}

Error wrong_param(const std::string& place, const std::string& sentence)
{
    return Error(Errc::invalid_argument, place + " " + sentence).reason("invalid_value").param(place);
}

// The fields of OpenAI's request that are read here; others do not exist at the provider.
constexpr std::array<std::string_view, 18> read_fields = {"model",
                                                          "messages",
                                                          "tools",
                                                          "tool_choice",
                                                          "parallel_tool_calls",
                                                          "max_tokens",
                                                          "max_completion_tokens",
                                                          "stop",
                                                          "stream",
                                                          "stream_options",
                                                          "temperature",
                                                          "top_p",
                                                          "top_k",
                                                          "reasoning_effort",
                                                          "response_format",
                                                          "user",
                                                          "n",
                                                          "logprobs"};

class Translation {
public:
    Translation(OrderedJson request, const RequestOptions& options) : request_(std::move(request)), options_(options) {}

    Result<TranslatedRequest> run()
    {
        auto messages =
            translate_messages(member(request_, "messages"), options_.of_agent ? WrittenBy::agent : WrittenBy::client);
        if (!messages)
            return messages.error();
        auto& body = out_.body;
        body["model"] = options_.model;
        body["max_tokens"] = token_limit();
        body["messages"] = std::move(messages->turns);
        system_ = std::move(messages->system);
        if (auto added = tools(); !added)
            return added.error();
        reasoning();
        sampling();
        stop();
        response_format();
        if (!system_.empty())
            body["system"] = std::move(system_);
        if (const auto user = text_of(member(request_, "user")); !user.empty())
            body["metadata"]["user_id"] = hex(sha256(user));
        if (options_.stream)
            body["stream"] = true;
        for (const auto& [key, value] : request_.items())
            if (!key.starts_with("dure_") && !value.is_null() &&
                std::find(read_fields.begin(), read_fields.end(), key) == read_fields.end())
                out_.dropped.push_back(key);
        return std::move(out_);
    }

private:
    std::int64_t token_limit() const
    {
        for (const auto* name : {"max_completion_tokens", "max_tokens"})
            if (const auto& limit = member(request_, name); limit.is_number_integer())
                return limit.get<std::int64_t>();
        return options_.max_output;
    }

    Result<void> tools()
    {
        const auto& all = member(request_, "tools");
        if (!all.is_array() || all.empty())
            return {};
        auto list = OrderedJson::array();
        for (std::size_t i = 0; i < all.size(); ++i) {
            const auto& function = member(all[i], "function");
            const auto place = "tools[" + std::to_string(i) + "]";
            if (!function.is_object() || text_of(member(function, "name")).empty())
                return wrong_param(place, "must be a function with a name; the model takes no other tools.");
            OrderedJson tool;
            tool["name"] = function["name"];
            if (const auto text = text_of(member(function, "description")); !text.empty())
                tool["description"] = text;
            const auto& schema = member(function, "parameters");
            tool["input_schema"] =
                schema.is_object() ? schema : OrderedJson{{"type", "object"}, {"properties", OrderedJson::object()}};
            if (!tool["input_schema"].contains("type"))
                tool["input_schema"]["type"] = "object";
            if (member(function, "strict") == true)
                tool["strict"] = true;
            if (const auto& mark = member(all[i], "cache_control"); mark.is_object())
                tool["cache_control"] = mark;
            list.push_back(std::move(tool));
        }
        out_.body["tools"] = std::move(list);
        return tool_choice();
    }

    Result<void> tool_choice()
    {
        const auto& choice = member(request_, "tool_choice");
        OrderedJson made;
        if (choice == "auto" || choice == "none")
            made["type"] = choice;
        else if (choice == "required")
            made["type"] = "any";
        else if (const auto name = text_of(member(member(choice, "function"), "name")); !name.empty())
            made = {{"type", "tool"}, {"name", name}};
        else if (!choice.is_null())
            return wrong_param("tool_choice", "must be auto, required, none or a named function.");
        if (member(request_, "parallel_tool_calls") == false && choice != "none") {
            if (made.is_null())
                made["type"] = "auto";
            made["disable_parallel_tool_use"] = true;
        }
        if (!made.is_null())
            out_.body["tool_choice"] = std::move(made);
        return {};
    }

    // Effort as the newer version takes it; as a budget of thinking tokens for the older.
    void reasoning()
    {
        auto effort = text_of(member(request_, "reasoning_effort"));
        if (effort.empty() || effort == "none")
            return;
        if (effort == "minimal")
            effort = "low";
        thinks_ = !demands_tool();
        if (!options_.sampling) {
            out_.body["output_config"]["effort"] = effort;
            if (thinks_)
                out_.body["thinking"]["type"] = "adaptive";
            return;
        }
        const auto wish = effort == "low" ? smallest_thinking_budget : effort == "medium" ? 8192 : 16384;
        const auto limit = out_.body["max_tokens"].get<std::int64_t>();
        if (limit <= smallest_thinking_budget || !thinks_) {   // no room for a budget
            thinks_ = false;
            out_.dropped.emplace_back("reasoning_effort");
            return;
        }
        // The budget is a part of max_tokens: the answer needs room too.
        const auto budget = std::max<std::int64_t>(smallest_thinking_budget, std::min<std::int64_t>(wish, limit / 2));
        out_.body["thinking"] = {{"type", "enabled"}, {"budget_tokens", budget}};
    }

    // A model that thinks cannot be forced to call.
    bool demands_tool() const
    {
        const auto& kind = member(member(out_.body, "tool_choice"), "type");
        return kind == "any" || kind == "tool";
    }

    void sampling()
    {
        for (const auto* name : {"temperature", "top_p", "top_k"}) {
            const auto& value = member(request_, name);
            if (!value.is_number())
                continue;
            if (!options_.sampling || thinks_)
                out_.dropped.emplace_back(name);
            else if (std::string_view(name) == "temperature")
                out_.body[name] = std::clamp(value.get<double>(), 0.0, 1.0);
            else
                out_.body[name] = value;
        }
    }

    void stop()
    {
        auto all = member(request_, "stop");
        if (all.is_string())
            all = OrderedJson::array({all});
        if (!all.is_array())
            return;
        auto kept = OrderedJson::array();
        for (const auto& one : all)
            if (!trim(text_of(one)).empty())
                kept.push_back(one);
        if (!kept.empty())
            out_.body["stop_sequences"] = std::move(kept);
    }

    void response_format()
    {
        const auto& format = member(request_, "response_format");
        const auto type = text_of(member(format, "type"));
        if (type == "json_object") {
            system_.push_back({{"type", "text"}, {"text", "Answer with one JSON object and nothing else."}});
            return;
        }
        const auto& schema = member(member(format, "json_schema"), "schema");
        if (type != "json_schema" || !schema.is_object())
            return;
        if (!options_.sampling && options_.json_schema) {
            out_.body["output_config"]["format"] = {{"type", "json_schema"}, {"schema", schema}};
        } else if (!out_.body.contains("tools") && !thinks_) {
            out_.answer_tool = answer_tool_name;
            out_.body["tools"].push_back({{"name", answer_tool_name},
                                          {"description", "Gives the answer in the form that was asked for."},
                                          {"input_schema", schema}});
            out_.body["tool_choice"] = {{"type", "tool"}, {"name", answer_tool_name}};
        } else {   // a tool cannot be forced beside others or while thinking
            out_.schema = dump(schema);
            system_.push_back({{"type", "text"}, {"text", schema_in_words(out_.schema)}});
        }
    }

    OrderedJson request_;
    const RequestOptions& options_;
    TranslatedRequest out_;
    OrderedJson system_;
    bool thinks_ = false;
};

}  // namespace

Result<TranslatedRequest> translate_request(OrderedJson request, const RequestOptions& options)
{
    if (!request.is_object())
        return wrong_param("body", "must be an object.");
    return Translation(std::move(request), options).run();
}

}  // namespace dure::llm::anthropic
