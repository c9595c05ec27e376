// Events to chunks; a whole message goes through the same translator as the events it would have been. See answer.hpp.
#include "llm/anthropic/answer.hpp"

#include <algorithm>
#include <array>

#include "dure/base/clock.hpp"
#include "dure/base/text.hpp"
#include "llm/anthropic/messages.hpp"
#include "llm/openai/json_text.hpp"

namespace dure::llm::anthropic {

namespace {

constexpr std::size_t most_blocks = 1024;

const OrderedJson& part(const OrderedJson& object, const char* name)
{
    static const OrderedJson nothing;
    if (!object.is_object())
        return nothing;
    const auto found = object.find(name);
    return found == object.end() ? nothing : *found;
}

std::string words(const OrderedJson& object, const char* name)
{
    const auto& value = part(object, name);
    return value.is_string() ? value.get<std::string>() : std::string();
}

std::int64_t index_of(const OrderedJson& event)
{
    const auto& index = part(event, "index");
    return index.is_number_integer() ? index.get<std::int64_t>() : 0;
}

}  // namespace

void UsageCounter::take(const OrderedJson& usage)
{
    if (!usage.is_object())
        return;
    const auto note = [&](const char* name, const OrderedJson& value) {
        if (!value.is_number())
            return;
        counts_[name] = static_cast<std::int64_t>(std::clamp(value.get<double>(), 0.0, 9e15));
        any_ = true;
    };
    for (const auto* name : {"input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"})
        note(name, part(usage, name));
    note("thinking_tokens", part(part(usage, "output_tokens_details"), "thinking_tokens"));
}

OrderedJson UsageCounter::as_openai() const
{
    const auto count = [&](std::string_view name) {
        const auto found = counts_.find(name);
        return found == counts_.end() ? std::int64_t{0} : found->second;
    };
    const auto read = count("cache_read_input_tokens");
    const auto written = count("cache_creation_input_tokens");
    const auto prompt = count("input_tokens") + read + written;
    const auto output = count("output_tokens");
    OrderedJson usage;
    usage["prompt_tokens"] = prompt;
    usage["completion_tokens"] = output;
    usage["total_tokens"] = prompt + output;
    usage["prompt_tokens_details"]["cached_tokens"] = read;
    usage["prompt_tokens_details"]["cache_write_tokens"] = written;
    usage["completion_tokens_details"]["reasoning_tokens"] = count("thinking_tokens");
    return usage;
}

std::string finish_of(std::string_view stop_reason)
{
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 4> known = {
        {{"max_tokens", "length"},
         {"model_context_window_exceeded", "length"},
         {"tool_use", "tool_calls"},
         {"refusal", "content_filter"}}};
    for (const auto& [theirs, ours] : known)
        if (stop_reason == theirs)
            return std::string(ours);
    return "stop";
}

OrderedJson EventTranslator::chunk(OrderedJson delta) const
{
    OrderedJson choice;
    choice["index"] = 0;
    choice["delta"] = std::move(delta);
    OrderedJson made;
    made["id"] = id_;
    made["choices"].push_back(std::move(choice));
    return made;
}

OrderedJson EventTranslator::arguments_chunk(int tool, const std::string& text) const
{
    OrderedJson call;
    call["index"] = tool;
    call["function"]["arguments"] = text;
    OrderedJson delta;
    delta["tool_calls"].push_back(std::move(call));
    return chunk(std::move(delta));
}

openai::ForeignEvents::Meaning EventTranslator::read(std::string_view name, std::string_view data,
                                                     std::vector<OrderedJson>& chunks)
{
    if (trim(data).empty())
        return Meaning::chunks;
    const auto parsed = openai::parse_foreign(data);
    const auto& event = parsed.document;
    halves_seen_ = halves_seen_ || parsed.lone_surrogates;
    if (!event.is_object())
        return Meaning::raw;   // not JSON: counted where all such events are
    auto type = words(event, "type");
    if (type.empty())
        type = name;
    if (type == "error")
        return Meaning::raw;
    if (type == "message_start" && id_.empty()) {
        id_ = words(part(event, "message"), "id");
        usage_.take(part(part(event, "message"), "usage"));
        add_usage(chunks);   // at once: of a stream that breaks off this is all that is known of the prompt
    } else if (type == "content_block_start") {
        start_block(event, chunks);
    } else if (type == "content_block_delta") {
        delta(event, chunks);
    } else if (type == "content_block_stop") {
        stop_block(event, chunks);
    } else if (type == "message_delta") {
        message_delta(event);
    } else if (type == "message_stop") {
        finish(chunks);
        return Meaning::end;
    }
    return Meaning::chunks;
}

void EventTranslator::start_block(const OrderedJson& event, std::vector<OrderedJson>& chunks)
{
    if (blocks_.size() >= most_blocks)
        return;
    const auto& content = part(event, "content_block");
    const auto type = words(content, "type");
    auto& block = blocks_[index_of(event)];
    block = Block();
    if (type == "text") {
        block.kind = Kind::text;
        if (const auto text = words(content, "text"); !text.empty())
            chunks.push_back(chunk({{"content", text}}));
    } else if (type == "thinking") {
        block.kind = Kind::thinking;
        block.thinking = words(content, "thinking");
        block.signature = words(content, "signature");
        if (!block.thinking.empty())
            chunks.push_back(chunk({{"reasoning_content", block.thinking}}));
    } else if (type == "redacted_thinking") {
        block.kind = Kind::redacted;
        block.data = words(content, "data");
    } else if (type == "tool_use") {
        const auto& input = part(content, "input");
        const auto given = input.is_object() && !input.empty() ? dump(input) : std::string();
        block.any_arguments = !given.empty();
        if (!answer_tool_.empty() && words(content, "name") == answer_tool_) {
            block.kind = Kind::answer;
            if (!given.empty())
                chunks.push_back(chunk({{"content", given}}));
            return;
        }
        block.kind = Kind::tool;
        block.tool = tools_++;
        OrderedJson call;
        call["index"] = block.tool;
        call["id"] = words(content, "id");
        call["type"] = "function";
        call["function"]["name"] = words(content, "name");
        call["function"]["arguments"] = given;
        OrderedJson first;
        first["tool_calls"].push_back(std::move(call));
        chunks.push_back(chunk(std::move(first)));
    }
}

void EventTranslator::delta(const OrderedJson& event, std::vector<OrderedJson>& chunks)
{
    const auto found = blocks_.find(index_of(event));
    if (found == blocks_.end())
        return;
    auto& block = found->second;
    const auto& change = part(event, "delta");
    const auto type = words(change, "type");
    // What a block of an unknown kind holds is not the answer, also where its pieces are called as known ones are.
    if (type == "text_delta" && block.kind == Kind::text) {
        if (const auto text = words(change, "text"); !text.empty())
            chunks.push_back(chunk({{"content", text}}));
    } else if (type == "input_json_delta") {
        const auto text = words(change, "partial_json");
        if (text.empty())
            return;
        block.any_arguments = true;
        if (block.kind == Kind::answer)
            chunks.push_back(chunk({{"content", text}}));
        else if (block.kind == Kind::tool)
            chunks.push_back(arguments_chunk(block.tool, text));
    } else if (type == "thinking_delta" && block.kind == Kind::thinking) {
        const auto text = words(change, "thinking");
        block.thinking += text;
        if (!text.empty())
            chunks.push_back(chunk({{"reasoning_content", text}}));
    } else if (type == "signature_delta") {
        block.signature += words(change, "signature");
    }
}

void EventTranslator::stop_block(const OrderedJson& event, std::vector<OrderedJson>& chunks)
{
    const auto found = blocks_.find(index_of(event));
    if (found == blocks_.end())
        return;
    const auto& block = found->second;
    OrderedJson detail;
    if (block.kind == Kind::tool && !block.any_arguments)
        chunks.push_back(arguments_chunk(block.tool, "{}"));
    else if (block.kind == Kind::answer && !block.any_arguments)
        chunks.push_back(chunk({{"content", "{}"}}));
    else if (block.kind == Kind::thinking && !block.signature.empty())
        detail = {{"type", "reasoning.text"}, {"text", block.thinking}, {"signature", block.signature}};
    else if (block.kind == Kind::redacted)
        detail = {{"type", "reasoning.encrypted"}, {"data", block.data}};
    if (!detail.is_null()) {
        detail["format"] = thinking_format;
        detail["index"] = index_of(event);
        OrderedJson kept;
        kept["reasoning_details"].push_back(std::move(detail));
        chunks.push_back(chunk(std::move(kept)));
    }
    blocks_.erase(found);
}

void EventTranslator::message_delta(const OrderedJson& event)
{
    usage_.take(part(event, "usage"));
    const auto& change = part(event, "delta");
    if (auto reason = words(change, "stop_reason"); !reason.empty())
        stop_reason_ = std::move(reason);
    for (const auto* holder : {&change, &event})
        if (auto text = words(part(*holder, "stop_details"), "explanation"); !text.empty())
            explanation_ = std::move(text);
}

void EventTranslator::finish(std::vector<OrderedJson>& chunks)
{
    if (std::exchange(finished_, true))
        return;
    if (!explanation_.empty())
        chunks.push_back(chunk({{"refusal", explanation_}}));
    auto last = chunk(OrderedJson::object());
    auto finish = finish_of(stop_reason_);
    last["choices"][0]["finish_reason"] = finish == "tool_calls" && tools_ == 0 ? "stop" : finish;
    chunks.push_back(std::move(last));
    add_usage(chunks);
}

void EventTranslator::add_usage(std::vector<OrderedJson>& chunks) const
{
    if (!usage_.any())
        return;
    OrderedJson usage;
    usage["id"] = id_;
    usage["choices"] = OrderedJson::array();
    usage["usage"] = usage_.as_openai();
    chunks.push_back(std::move(usage));
}

void EventTranslator::body_ended(std::vector<OrderedJson>& chunks)
{
    if (end_seen())
        finish(chunks);
}

namespace {

OrderedJson reasoning_detail(const OrderedJson& block, std::size_t index)
{
    auto detail = words(block, "type") == "thinking"
                      ? OrderedJson{{"type", "reasoning.text"},
                                    {"text", words(block, "thinking")},
                                    {"signature", words(block, "signature")}}
                      : OrderedJson{{"type", "reasoning.encrypted"}, {"data", words(block, "data")}};
    detail["format"] = thinking_format;
    detail["index"] = index;
    return detail;
}

OrderedJson tool_call(const OrderedJson& block, const std::string& arguments)
{
    OrderedJson call;
    call["id"] = words(block, "id");
    call["type"] = "function";
    call["function"]["name"] = words(block, "name");
    call["function"]["arguments"] = arguments;
    return call;
}

// The message of an answer out of its blocks.
OrderedJson message_of(const OrderedJson& blocks, const std::string& answer_tool)
{
    OrderedJson out;
    out["role"] = "assistant";
    out["content"] = nullptr;
    std::string text;
    std::string thinking;
    bool any_text = false;
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        const auto& block = blocks[i];
        const auto type = words(block, "type");
        if (type == "text") {
            text += words(block, "text");
            any_text = true;
        } else if (type == "thinking" || type == "redacted_thinking") {
            thinking += words(block, "thinking");
            out["reasoning_details"].push_back(reasoning_detail(block, i));
        } else if (type == "tool_use") {
            const auto& input = part(block, "input");
            const auto arguments = input.is_object() ? dump(input) : std::string("{}");
            if (answer_tool.empty() || words(block, "name") != answer_tool) {
                out["tool_calls"].push_back(tool_call(block, arguments));
                continue;
            }
            text += arguments;
            any_text = true;
        }
    }
    if (any_text)
        out["content"] = text;
    if (!thinking.empty())
        out["reasoning_content"] = thinking;
    return out;
}

}  // namespace

OrderedJson completion_of(OrderedJson message, const std::string& answer_tool)
{
    if (words(message, "type") != "message" || !part(message, "content").is_array())
        return message;
    auto out = message_of(message["content"], answer_tool);
    const auto explanation = words(part(message, "stop_details"), "explanation");
    out["refusal"] = explanation.empty() ? OrderedJson() : OrderedJson(explanation);
    UsageCounter usage;
    usage.take(part(message, "usage"));
    auto finish = finish_of(words(message, "stop_reason"));
    if (finish == "tool_calls" && !out.contains("tool_calls"))
        finish = "stop";
    OrderedJson choice;
    choice["index"] = 0;
    choice["message"] = std::move(out);
    choice["logprobs"] = nullptr;
    choice["finish_reason"] = finish;
    OrderedJson body;
    body["id"] = words(message, "id");
    body["object"] = "chat.completion";
    body["created"] = SystemClock().now() / 1000;
    body["model"] = words(message, "model");
    body["choices"].push_back(std::move(choice));
    if (usage.any())
        body["usage"] = usage.as_openai();
    return body;
}

}  // namespace dure::llm::anthropic
