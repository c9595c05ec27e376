// A recursive-descent parser that computes while it reads:
//   sum := product (('+'|'-') product)*        product := signed (('*'|'/'|'%') signed)*
//   signed := ('+'|'-') signed | power         power := postfix (('^'|'**') signed)?      -2^2 is -4, 2^3^2 is 2^9
//   postfix := primary '!'*                    primary := number | name | name '(' sum, … ')' | '(' sum ')'
// The first error is kept and stops everything; every intermediate value must be finite.
#include "tools/calculator.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numbers>
#include <optional>
#include <vector>

#include "tools/calculator_text.hpp"

namespace dure::tools {
namespace {

using Numbers = std::vector<double>;

struct Function {
    std::string_view name;
    std::size_t least;
    std::size_t most;
    double (*call)(const Numbers&);
};

constexpr std::size_t any_number = longest_expression;

// Of a whole power it is whole: log(1000, 10) is 3, though the quotient is 2.9999999999999996.
double logarithm(double value, double base)
{
    const double quotient = std::log(value) / std::log(base);
    const double whole = std::round(quotient);
    return std::pow(base, whole) == value && std::isfinite(quotient) ? whole : quotient;
}

const Function functions[] = {
    {"sqrt", 1, 1, [](const Numbers& n) { return std::sqrt(n[0]); }},
    {"cbrt", 1, 1, [](const Numbers& n) { return std::cbrt(n[0]); }},
    {"abs", 1, 1, [](const Numbers& n) { return std::fabs(n[0]); }},
    {"min", 1, any_number, [](const Numbers& n) { return *std::min_element(n.begin(), n.end()); }},
    {"max", 1, any_number, [](const Numbers& n) { return *std::max_element(n.begin(), n.end()); }},
    {"sin", 1, 1, [](const Numbers& n) { return std::sin(n[0]); }},
    {"cos", 1, 1, [](const Numbers& n) { return std::cos(n[0]); }},
    {"tan", 1, 1, [](const Numbers& n) { return std::tan(n[0]); }},
    {"asin", 1, 1, [](const Numbers& n) { return std::asin(n[0]); }},
    {"acos", 1, 1, [](const Numbers& n) { return std::acos(n[0]); }},
    {"atan", 1, 1, [](const Numbers& n) { return std::atan(n[0]); }},
    {"ln", 1, 1, [](const Numbers& n) { return std::log(n[0]); }},
    {"log", 1, 2, [](const Numbers& n) { return n.size() == 1 ? std::log10(n[0]) : logarithm(n[0], n[1]); }},
    {"log2", 1, 1, [](const Numbers& n) { return std::log2(n[0]); }},
    {"log10", 1, 1, [](const Numbers& n) { return std::log10(n[0]); }},
    {"exp", 1, 1, [](const Numbers& n) { return std::exp(n[0]); }},
    {"pow", 2, 2, [](const Numbers& n) { return std::pow(n[0], n[1]); }},
    {"floor", 1, 1, [](const Numbers& n) { return std::floor(n[0]); }},
    {"ceil", 1, 1, [](const Numbers& n) { return std::ceil(n[0]); }},
    {"round", 1, 1, [](const Numbers& n) { return std::round(n[0]); }},
};

bool digit(char c)
{
    return c >= '0' && c <= '9';
}
bool letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

class Parser {
public:
    explicit Parser(std::string_view text) : text_(text) {}

    Result<double> run()
    {
        const double value = sum();
        peek();
        if (at_ < text_.size())
            refuse_here();
        if (problem_)
            return Error(Errc::invalid_argument, *problem_);
        return value;
    }

private:
    char peek()
    {
        while (at_ < text_.size() &&
               (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r'))
            ++at_;
        return at_ < text_.size() ? text_[at_] : '\0';
    }

    bool take(std::string_view token)
    {
        peek();
        if (text_.substr(at_, token.size()) != token)
            return false;
        at_ += token.size();
        return true;
    }

    double refuse(std::string problem)
    {
        if (!problem_)
            problem_ = std::move(problem);
        return 0;
    }

    double refuse_here()
    {
        const char next = peek();
        if (at_ >= text_.size())
            return refuse("The expression ends too early.");
        if (next < ' ' || next > '~')
            return refuse("The expression contains a control character.");
        return refuse("Unexpected '" + std::string(1, next) + "' at position " + std::to_string(at_ + 1) +
                      " of the expression.");
    }

    double finite(double value) { return std::isfinite(value) ? value : refuse("The result is not a finite number."); }

    double sum()
    {
        double value = product();
        while (!problem_) {
            if (take("+"))
                value = finite(value + product());
            else if (take("-"))
                value = finite(value - product());
            else
                break;
        }
        return value;
    }

    double product()
    {
        double value = with_sign();
        while (!problem_) {
            const char operation = peek();
            if (operation != '*' && operation != '/' && operation != '%')
                break;
            ++at_;
            const double right = with_sign();
            if (operation != '*' && right == 0)
                return refuse("Division by zero.");
            value = finite(operation == '*'   ? value * right
                           : operation == '/' ? value / right
                                              : std::fmod(value, right));
        }
        return value;
    }

    // Every way to nest goes through here, so the depth is counted here only.
    double with_sign()
    {
        if (depth_ > deepest_expression)
            return refuse("The expression is nested more than 64 levels deep.");
        ++depth_;
        double value = 0;
        if (take("-"))
            value = -with_sign();
        else if (take("+"))
            value = with_sign();
        else
            value = power();
        --depth_;
        return value;
    }

    double power()
    {
        const double base = postfix();
        if (problem_ || !(take("**") || take("^")))
            return base;
        return finite(std::pow(base, with_sign()));
    }

    double postfix()
    {
        double value = primary();
        while (!problem_ && take("!"))
            value = factorial(value);
        return value;
    }

    double factorial(double value)
    {
        if (value < 0 || value > 170 || value != std::floor(value))
            return refuse("A factorial needs a whole number from 0 to 170.");
        double product = 1;
        for (int i = 2; i <= static_cast<int>(value); ++i)
            product *= i;
        return product;
    }

    double primary()
    {
        const char next = peek();
        if (digit(next) || next == '.')
            return number();
        if (letter(next))
            return named();
        if (!take("("))
            return refuse_here();
        const double value = sum();
        if (!problem_ && !take(")"))
            refuse_here();
        return value;
    }

    double number()
    {
        double value = 0;
        const auto* first = text_.data() + at_;
        const auto read = std::from_chars(first, text_.data() + text_.size(), value);
        if (read.ec == std::errc::result_out_of_range)
            return refuse("A number of the expression is too large or too small.");
        if (read.ec != std::errc())
            return refuse_here();
        at_ += static_cast<std::size_t>(read.ptr - first);
        return value;
    }

    double named()
    {
        const auto first = at_;
        while (at_ < text_.size() && (letter(text_[at_]) || digit(text_[at_])))
            ++at_;
        const auto name = text_.substr(first, at_ - first);
        if (name == "pi")
            return std::numbers::pi;
        if (name == "e")
            return std::numbers::e;
        const auto function = std::find_if(std::begin(functions), std::end(functions),
                                           [&](const Function& one) { return one.name == name; });
        if (function == std::end(functions))
            return refuse("Unknown name '" + std::string(name) + "' in the expression.");
        return call(*function);
    }

    double call(const Function& function)
    {
        if (!take("("))
            return refuse("'" + std::string(function.name) + "' needs its arguments in parentheses.");
        Numbers arguments;
        do {
            arguments.push_back(sum());
        } while (!problem_ && take(","));
        if (!problem_ && !take(")"))
            refuse_here();
        if (problem_)
            return 0;
        if (arguments.size() < function.least || arguments.size() > function.most)
            return refuse("'" + std::string(function.name) + "' got " + std::to_string(arguments.size()) +
                          " arguments.");
        return finite(function.call(arguments));
    }

    std::string_view text_;
    std::size_t at_ = 0;
    int depth_ = 0;
    std::optional<std::string> problem_;
};

}  // namespace

Result<double> evaluate(std::string_view expression)
{
    const auto text = normalize_expression(expression);
    if (!text)
        return text.error();
    return Parser(*text).run();
}

}  // namespace dure::tools
