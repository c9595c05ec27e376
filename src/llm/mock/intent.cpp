// Recognises calculations and weather questions in Korean and English; see intent.hpp.
#include "llm/mock/intent.hpp"

#include <array>

#include "dure/base/text.hpp"
#include "llm/language.hpp"
#include "llm/mock/instance.hpp"

namespace dure::llm::mock {

namespace {

struct Words {
    std::string_view from;
    std::string_view to;
};

// Spoken operators; a blank on both sides so that they cannot glue digits together.
constexpr std::array<Words, 11> spoken = {{{"더하기", " + "},
                                           {"빼기", " - "},
                                           {"곱하기", " * "},
                                           {"나누기", " / "},
                                           {" plus ", " + "},
                                           {" minus ", " - "},
                                           {" times ", " * "},
                                           {" divided by ", " / "},
                                           {"×", "*"},
                                           {"÷", "/"},
                                           {"−", "-"}}};

constexpr std::array<std::string_view, 12> functions = {"sqrt", "sin", "cos", "tan",   "log",  "ln",
                                                        "exp",  "abs", "min", "max",   "floor", "ceil"};

constexpr std::array<std::string_view, 9> calculation_hints = {"계산", "얼마",    "더하",    "빼면",     "값은",
                                                               "calcul", "compute", "what is", "evaluate"};

constexpr std::array<std::string_view, 7> weather_words = {"날씨", "기온", "weather", "forecast", "일기예보", "temperature in",
                                                           "temperature of"};

constexpr std::array<Words, 22> places = {{{"서울", "서울"},       {"부산", "부산"},       {"대구", "대구"},
                                           {"인천", "인천"},       {"광주", "광주"},       {"대전", "대전"},
                                           {"울산", "울산"},       {"제주", "제주"},       {"세종", "세종"},
                                           {"수원", "수원"},       {"강릉", "강릉"},       {"도쿄", "도쿄"},
                                           {"뉴욕", "뉴욕"},       {"seoul", "Seoul"},     {"busan", "Busan"},
                                           {"incheon", "Incheon"}, {"daegu", "Daegu"},     {"jeju", "Jeju"},
                                           {"tokyo", "Tokyo"},     {"london", "London"},   {"paris", "Paris"},
                                           {"new york", "New York"}}};

template <std::size_t size>
bool contains_any(std::string_view text, const std::array<std::string_view, size>& words)
{
    return std::any_of(words.begin(), words.end(),
                       [&](std::string_view word) { return text.find(word) != std::string_view::npos; });
}

std::string with_operators(std::string_view question)
{
    std::string text(question);
    for (const auto& word : spoken)
        for (auto at = text.find(word.from); at != std::string::npos; at = text.find(word.from, at + word.to.size()))
            text.replace(at, word.from.size(), word.to);
    return text;
}

bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

// Length of what may stand in an expression at this place; 0: nothing.
std::size_t expression_step(std::string_view rest)
{
    static constexpr std::string_view signs = "0123456789.+-*/%^()! ,";
    if (signs.find(rest.front()) != std::string_view::npos)
        return 1;
    for (const auto name : functions)
        if (rest.starts_with(name) && rest.substr(name.size()).starts_with("("))
            return name.size();
    return 0;
}

// Cuts what cannot end or begin an expression: "12 * 3, " and a bracket without its partner.
std::string_view trimmed_expression(std::string_view run)
{
    const auto loose_end = [](char c) { return c == ' ' || c == ',' || c == '.' || c == '(' || c == '!' || c == '+' ||
                                               c == '-' || c == '*' || c == '/' || c == '^' || c == '%'; };
    const auto loose_start = [](char c) { return c == ' ' || c == ',' || c == '.' || c == ')' || c == '!' || c == '+' ||
                                                 c == '*' || c == '/' || c == '^' || c == '%'; };
    for (bool changed = true; changed && !run.empty();) {
        const auto before = run.size();
        const bool keeps_sign = (run.back() == '!' || run.back() == '%') && run.size() > 1 && is_digit(run[run.size() - 2]) &&
                                run.find_first_of("+-*/^") != std::string_view::npos;
        if (loose_end(run.back()) && !keeps_sign)
            run.remove_suffix(1);
        if (!run.empty() && loose_start(run.front()))
            run.remove_prefix(1);
        const auto opened = std::count(run.begin(), run.end(), '(');
        const auto closed = std::count(run.begin(), run.end(), ')');
        if (opened > closed && run.starts_with('('))
            run.remove_prefix(1);
        if (closed > opened && run.ends_with(')'))
            run.remove_suffix(1);
        changed = run.size() != before;
    }
    return run;
}

bool looks_like_date(std::string_view text)
{
    return text.size() == 10 && text[4] == '-' && text[7] == '-';
}

// An operator between two operands, or a function call.
bool is_expression(std::string_view text, bool hinted)
{
    if (text.size() < 3 || text.size() > 500 || looks_like_date(text) ||
        std::none_of(text.begin(), text.end(), is_digit))
        return false;
    if (text.find_first_of("abcdefghijklmnopqrstuvwxyz") != std::string_view::npos)
        return true;
    const auto sign = text.find_first_of("+*/^", 1);
    if (sign != std::string_view::npos)
        return true;
    return hinted && (text.find('-', 1) != std::string_view::npos || text.find_first_of("%!", 1) != std::string_view::npos);
}

std::string find_expression(std::string_view question)
{
    const auto text = with_operators(question);
    const auto lower = ascii_lower(text);
    const bool hinted = contains_any(lower, calculation_hints);
    std::string_view best;
    for (std::size_t at = 0; at < lower.size();) {
        auto end = at;
        for (std::size_t step = 1; end < lower.size() && step > 0; end += step)
            step = expression_step(std::string_view(lower).substr(end));
        const auto run = trimmed_expression(std::string_view(lower).substr(at, end - at));
        if (is_expression(run, hinted) && run.size() > best.size())
            best = run;
        at = std::max(end, at + 1);
    }
    return std::string(best);
}

std::string find_place(std::string_view question)
{
    const auto lower = ascii_lower(question);
    for (const auto& place : places)
        if (lower.find(place.from) != std::string::npos)
            return std::string(place.to);
    const auto in = lower.find(" in ");
    if (in != std::string::npos) {
        const auto rest = question.substr(in + 4);
        const auto word = rest.substr(0, rest.find_first_of(" ?.,!"));
        if (!word.empty())
            return std::string(word);
    }
    return has_hangul(question) ? "서울" : "Seoul";
}

// The property that carries the subject: a well-known name first, then the first required string, then any string.
std::string main_property(const Json& schema)
{
    static constexpr std::array<const char*, 9> known = {"expression", "expr", "formula", "location", "city",
                                                         "place",      "query", "input",  "text"};
    const auto properties = schema.is_object() ? schema.find("properties") : schema.end();
    if (!schema.is_object() || properties == schema.end() || !properties->is_object())
        return {};
    const auto is_string = [&](const std::string& name) {
        const auto found = properties->find(name);
        return found != properties->end() && found->is_object() && found->value("type", Json()) == Json("string");
    };
    for (const auto* name : known)
        if (is_string(name))
            return name;
    if (const auto required = schema.find("required"); required != schema.end() && required->is_array())
        for (const auto& name : *required)
            if (name.is_string() && is_string(name.get<std::string>()))
                return name.get<std::string>();
    for (const auto& [name, unused] : properties->items())
        if (is_string(name))
            return name;
    return {};
}

}  // namespace

Intent read_intent(std::string_view question)
{
    Intent intent;
    intent.subject = find_expression(question);
    if (!intent.subject.empty()) {
        intent.want = Want::calculation;
    } else if (contains_any(ascii_lower(question), weather_words)) {
        intent.want = Want::weather;
        intent.subject = find_place(question);
    }
    return intent;
}

const model::ToolDefinition* fitting_tool(const std::vector<model::ToolDefinition>& tools, Want want)
{
    static constexpr std::array<std::string_view, 6> calculator = {"calc", "math", "arithmetic", "계산", "evaluate", "수식"};
    static constexpr std::array<std::string_view, 4> weather = {"weather", "날씨", "forecast", "기온"};
    if (want == Want::nothing)
        return nullptr;
    const auto fits = [&](std::string_view text) {
        const auto lower = ascii_lower(text);
        return want == Want::calculation ? contains_any(lower, calculator) : contains_any(lower, weather);
    };
    for (const auto& tool : tools)
        if (fits(tool.name))
            return &tool;
    for (const auto& tool : tools)
        if (fits(tool.description))
            return &tool;
    return nullptr;
}

std::string tool_arguments(const model::ToolDefinition& tool, const Intent& intent, std::string_view question)
{
    auto arguments = minimal_instance(tool.parameters);
    if (!arguments.is_object())
        arguments = Json::object();
    const auto property = main_property(tool.parameters);
    if (!property.empty()) {
        const auto& schema = tool.parameters.at("properties").at(property);
        const bool free_text = !schema.contains("enum") && !schema.contains("const");
        const auto subject = intent.subject.empty() ? utf8_prefix(question, 200) : std::string_view(intent.subject);
        if (free_text && !subject.empty())
            arguments[property] = std::string(subject);
    }
    return dump(arguments);
}

}  // namespace dure::llm::mock
