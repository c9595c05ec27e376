// Typed requests are added up; a client's body is walked in place. See prompt_size.hpp.
#include "llm/prompt_size.hpp"

#include <algorithm>
#include <utility>

#include "dure/base/hex_digit.hpp"
#include "dure/base/json.hpp"
#include "dure/base/json_text.hpp"
#include "dure/schema/json_view.hpp"

namespace dure::llm {

namespace prompt_sizes {

using schema::JsonView;

constexpr std::int64_t bytes_per_token = 4;
constexpr std::int64_t tokens_of_image = 1000;

std::int64_t images_in(const OrderedJson& content)
{
    return content.is_array()
               ? std::count_if(content.begin(), content.end(),
                               [](const OrderedJson& part) {
                                   return part.is_object() && part.value("type", OrderedJson()) == "image_url";
                               })
               : 0;
}

// Of the \u escape at the front; of what is none: U+FFFD, as it is decoded.
std::uint32_t code_unit(std::string_view escape)
{
    return hex4(escape.substr(std::min<std::size_t>(2, escape.size()))).value_or(0xFFFD);
}

struct Escape {
    std::size_t written = 0;   // bytes of the JSON text
    std::size_t meant = 0;     // bytes in UTF-8
};

// Of the escape whose backslash is the first byte of `rest`.
Escape escape_at(std::string_view rest)
{
    if (!rest.starts_with("\\u"))
        return {2, 1};
    const auto unit = code_unit(rest);
    if (unit < 0x80)
        return {6, 1};
    if (unit < 0x800)
        return {6, 2};
    const bool pair = unit >= 0xD800 && unit <= 0xDBFF && rest.substr(6).starts_with("\\u");
    const auto second = pair ? code_unit(rest.substr(6)) : 0;
    return second >= 0xDC00 && second <= 0xDFFF ? Escape{12, 4} : Escape{6, 3};
}

// Takes the string whose first byte behind its quote stands at `at`; moves `at` behind its closing quote. Its bytes decoded.
std::size_t take_string(std::string_view json, std::size_t& at)
{
    std::size_t bytes = 0;
    while (at < json.size()) {
        const auto stop = std::min(json_string_stop(json, at, json.size()), json.size());
        bytes += stop - at;
        at = stop;
        if (at == json.size())
            break;
        if (json[at] == '"') {
            ++at;
            break;
        }
        const auto escape = escape_at(json.substr(at));
        bytes += escape.meant;
        at = std::min(at + escape.written, json.size());
    }
    return bytes;
}

bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

class RelaySize {
public:
    void messages(const JsonView& list)
    {
        bool object = false;
        list.for_each_element_with_members(
            [&](std::string_view key, const JsonView& value) {
                object = true;
                member_of_message(key, value);
            },
            [&](const JsonView& one) {
                if (!std::exchange(object, false))
                    anything(one);
            });
        if (!list.is_array())
            anything(list);
    }

    // [{"type":"function","function":{…}}], of tools as of calls; what is of another kind counts whole.
    void tools(const JsonView& list)
    {
        if (!list.is_array())
            return anything(list);
        list.for_each_element([&](const JsonView& tool) {
            if (const auto inner = tool.find("function"))
                function(*inner);
            else
                anything(tool);
        });
    }

    void functions(const JsonView& list)
    {
        list.for_each_element([&](const JsonView& one) { function(one); });
    }

    PromptSize size() const { return size_; }

private:
    // A tool's, or a call's: what it is called, said to do and takes.
    void function(const JsonView& value)
    {
        bool known = false;
        value.for_each_member([&](std::string_view key, const JsonView& part) {
            if (key != "name" && key != "description" && key != "parameters" && key != "arguments")
                return;
            known = true;
            anything(part);
        });
        if (!known)
            anything(value);
    }

    void member_of_message(std::string_view key, const JsonView& value)
    {
        if (key == "content")
            content(value);
        else if (key == "tool_calls")
            tools(value);
        else if (key == "function_call")
            function(value);
        else if (key == "refusal" || key == "reasoning" || key == "reasoning_content")
            anything(value);
    }

    void content(const JsonView& value)
    {
        if (!value.is_array())
            return anything(value);
        JsonView type, text;
        value.for_each_element_with_members(
            [&](std::string_view key, const JsonView& member) {
                if (key == "type")
                    type = member;
                else if (key == "text" || key == "refusal")
                    text = member;
            },
            [&](const JsonView& whole) {
                part(whole, std::exchange(type, {}), std::exchange(text, {}));
            });
    }

    void part(const JsonView& whole, const JsonView& type, const JsonView& text)
    {
        if (type.string_is("image_url"))
            ++size_.images;
        else if (text.is_string() && (type.string_is("text") || type.string_is("refusal") || !type.is_string()))
            anything(text);
        else
            anything(whole);
    }

    // Null is nothing, a string its text; of the rest the JSON without its white space, and with a file that stands in it as a
    // data URL as an image: by its bytes it would be larger than any context window.
    void anything(const JsonView& value)
    {
        const auto json = value.raw();
        if (value.is_null())
            return;
        std::size_t at = 1;
        if (value.is_string()) {
            size_.bytes += take_string(json, at);
            return;
        }
        for (at = 0; at < json.size();) {
            const char c = json[at++];
            size_.bytes += is_space(c) ? 0 : 1;
            if (c == '"')
                string_inside(json, at);
        }
    }

    void string_inside(std::string_view json, std::size_t& at)
    {
        const auto start = json.substr(at, 128);
        const auto bytes = take_string(json, at) + 1;
        const bool file = start.starts_with("data:") && start.find(";base64,") != std::string_view::npos;
        size_.images += file ? 1 : 0;
        size_.bytes += file ? 1 : bytes;
    }

    PromptSize size_;
};

}  // namespace prompt_sizes

std::int64_t PromptSize::tokens() const
{
    using namespace prompt_sizes;
    return (static_cast<std::int64_t>(bytes) + bytes_per_token - 1) / bytes_per_token + images * tokens_of_image;
}

PromptSize prompt_size(std::span<const model::Message> messages)
{
    PromptSize size;
    for (const auto& message : messages) {
        size.bytes += message.text().size();
        size.images += prompt_sizes::images_in(message.content);
        for (const auto& call : message.tool_calls)
            size.bytes += call.name.size() + call.arguments.size();
    }
    return size;
}

PromptSize prompt_size(const CompletionRequest& request)
{
    auto size = prompt_size(std::span(request.messages));
    for (const auto& tool : request.tools)
        size.bytes += tool.name.size() + tool.description.size() + dump(tool.parameters).size();
    return size;
}

PromptSize prompt_size(const RelayRequest& request)
{
    prompt_sizes::RelaySize size;
    const auto take = [&](std::string_view key, const schema::JsonView& value, std::string_view) {
        if (key == "messages")
            size.messages(value);
        else if (key == "tools")
            size.tools(value);
        else if (key == "functions")   // as tools were called once
            size.functions(value);
    };
    if (request.members != nullptr)
        request.members->for_each_member_span(take);
    else
        schema::JsonView(request.body).for_each_member_span(take);
    return size.size();
}

}  // namespace dure::llm
