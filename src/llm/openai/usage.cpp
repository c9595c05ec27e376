// See usage.hpp. What cannot be counted counts as nothing, and what no answer can have used is taken for no report at all.
#include "llm/openai/usage.hpp"

#include <algorithm>
#include <cmath>

#include "dure/schema/json_view.hpp"

namespace dure::llm::openai {

namespace usages {

constexpr std::int64_t most = 9'000'000'000'000'000;
constexpr std::int64_t most_believed = 1'000'000'000;  // tokens of one answer; context windows have a few millions
constexpr double most_believed_dollars = 10'000;
constexpr std::size_t most_plain_digits = 15;   // below `most`

std::int64_t count_of(const OrderedJson& object, const char* name)
{
    const auto found = object.is_object() ? object.find(name) : object.end();
    if (!object.is_object() || found == object.end() || !found->is_number())
        return 0;
    return static_cast<std::int64_t>(std::clamp(found->get<double>(), 0.0, 9e15));
}

std::int64_t count_of(const schema::JsonView& value)
{
    if (const auto whole = value.as_int64())
        return std::clamp<std::int64_t>(*whole, 0, most);
    return static_cast<std::int64_t>(std::clamp(value.as_double().value_or(0), 0.0, 9e15));
}

// OpenRouter's usage.cost: US dollars. Nothing, and the prices count, where it cannot be one.
std::optional<std::int64_t> nano_dollars(double dollars)
{
    if (!(dollars >= 0) || dollars > most_believed_dollars)
        return std::nullopt;
    return static_cast<std::int64_t>(std::llround(dollars * 1e9));
}

// Numbers that nobody can have used would fill limits and bills: an estimate is nearer to the truth.
void forget_the_impossible(model::Usage& numbers)
{
    if (numbers.prompt_tokens <= most_believed && numbers.completion_tokens <= most_believed)
        return;
    const auto cost = numbers.cost_nano;
    numbers = model::Usage();
    numbers.cost_nano = cost;
}

}  // namespace usages

model::Usage usage_of(const OrderedJson& usage)
{
    using namespace usages;
    model::Usage numbers;
    if (const auto prompt = usage.find("prompt_tokens"); prompt != usage.end())
        numbers.reported = prompt->is_number();   // 0 is a number that was counted, null is none
    if (const auto cost = usage.find("cost"); cost != usage.end() && cost->is_number())
        numbers.cost_nano = nano_dollars(cost->get<double>());
    numbers.cache_write_tokens = count_of(usage.value("prompt_tokens_details", OrderedJson()), "cache_write_tokens");
    numbers.prompt_tokens = count_of(usage, "prompt_tokens");
    numbers.completion_tokens = count_of(usage, "completion_tokens");
    numbers.cached_tokens = count_of(usage.value("prompt_tokens_details", OrderedJson()), "cached_tokens");
    numbers.reasoning_tokens = count_of(usage.value("completion_tokens_details", OrderedJson()), "reasoning_tokens");
    forget_the_impossible(numbers);
    return numbers;
}

void read_usage(const OrderedJson& document, model::Usage& into)
{
    if (!document.is_object())
        return;
    if (const auto usage = document.find("usage"); usage != document.end() && usage->is_object())
        into = usage_of(*usage);
}

bool has_all_numbers(std::string_view usage)
{
    for (const std::string_view name : {"\"prompt_tokens\"", "\"completion_tokens\"", "\"total_tokens\""}) {
        const auto at = usage.find(name);
        const auto value = at == usage.npos ? at : usage.find_first_not_of(": \t\r\n", at + name.size());
        if (value == usage.npos || usage[value] < '0' || usage[value] > '9')
            return false;
    }
    return true;
}

void complete_usage(OrderedJson& usage, const model::Usage& numbers)
{
    const std::pair<const char*, std::int64_t> all[] = {{"prompt_tokens", numbers.prompt_tokens},
                                                        {"completion_tokens", numbers.completion_tokens},
                                                        {"total_tokens", numbers.total()}};
    for (const auto& [name, number] : all)
        if (const auto found = usage.find(name); found == usage.end() || !found->is_number())
            usage[name] = number;
}

bool UsageCursor::usage(model::Usage& numbers, std::string_view& text)
{
    const auto start = at_;
    numbers = model::Usage();
    if (!object([&](std::string_view key, std::size_t, std::size_t) { return usage_member(key, numbers); }))
        return false;
    usages::forget_the_impossible(numbers);
    text = text_.substr(start, at_ - start);
    return true;
}

bool UsageCursor::usage_member(std::string_view key, model::Usage& numbers)
{
    if (key == "prompt_tokens")
        return count(numbers.prompt_tokens, numbers.reported);
    if (key == "completion_tokens")
        return count(numbers.completion_tokens);
    if (key == "prompt_tokens_details")
        return prompt_details(numbers);
    if (key == "completion_tokens_details")
        return completion_details(numbers);
    return key == "cost" ? cost(numbers) : skip();
}

bool UsageCursor::prompt_details(model::Usage& numbers)
{
    numbers.cached_tokens = numbers.cache_write_tokens = 0;
    return peek() != '{' ? skip() : object([&](std::string_view key, std::size_t, std::size_t) {
        if (key == "cached_tokens")
            return count(numbers.cached_tokens);
        return key == "cache_write_tokens" ? count(numbers.cache_write_tokens) : skip();
    });
}

bool UsageCursor::completion_details(model::Usage& numbers)
{
    numbers.reasoning_tokens = 0;
    return peek() != '{' ? skip() : object([&](std::string_view key, std::size_t, std::size_t) {
        return key == "reasoning_tokens" ? count(numbers.reasoning_tokens) : skip();
    });
}

bool UsageCursor::count(std::int64_t& value)
{
    bool ignored = false;
    return count(value, ignored);
}

// Nearly always a few digits alone, which one look is enough for.
bool UsageCursor::count(std::int64_t& value, bool& is_number)
{
    const auto start = at_;
    std::int64_t digits = 0;
    for (; peek() >= '0' && peek() <= '9' && at_ - start < usages::most_plain_digits; ++at_)
        digits = digits * 10 + (peek() - '0');
    const bool begins_plainly = at_ == start + 1 || (at_ > start && text_[start] != '0');
    if (begins_plainly && (peek() == ',' || peek() == '}')) {
        value = digits;
        is_number = true;
        return true;
    }
    at_ = start;
    std::string_view text;
    if (!value_span(text))
        return false;
    const schema::JsonView view(text);
    value = usages::count_of(view);
    is_number = view.as_double().has_value();
    return true;
}

bool UsageCursor::cost(model::Usage& numbers)
{
    std::string_view text;
    if (!value_span(text))
        return false;
    if (const auto dollars = schema::JsonView(text).as_double())
        numbers.cost_nano = usages::nano_dollars(*dollars);
    return true;
}

}  // namespace dure::llm::openai
