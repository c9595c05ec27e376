// The calculator as a tool.
#include <cmath>

#include "dure/tools/registry.hpp"
#include "tools/calculator.hpp"

namespace dure::tools {
namespace {

model::ToolDefinition calculator_definition()
{
    model::ToolDefinition definition;
    definition.name = "calculator";
    definition.description =
        "Evaluates an arithmetic expression exactly as written and returns the number. Use it for every calculation. "
        "Operators + - * / % ^ ! and parentheses; functions sqrt cbrt abs min max sin cos tan asin acos atan (radians) "
        "ln "
        "log (base 10, or log(x, base)) log2 exp pow floor ceil round; constants pi e. "
        "수식 계산기: 사칙연산, 거듭제곱, 나머지, 제곱근, 삼각함수, 로그 등 모든 계산에 사용합니다.";
    definition.parameters = Json::parse(R"json({
        "type": "object",
        "properties": {
            "expression": {
                "type": "string",
                "description": "Arithmetic expression without '=', for example 12 * (3 + 4)",
                "minLength": 1
            }
        },
        "required": ["expression"],
        "additionalProperties": false
    })json");
    return definition;
}

// Whole numbers as integers, so that they print without a fraction.
Json number_as_json(double value)
{
    constexpr double limit = 9223372036854775808.0;   // 2^63
    if (value == std::floor(value) && std::fabs(value) < limit)
        return static_cast<std::int64_t>(value);
    return value;
}

class Calculator final : public Tool {
public:
    const model::ToolDefinition& definition() const override { return definition_; }
    std::string source() const override { return "built-in"; }
    bool pure() const override { return true; }

    Task<Result<Json>> execute(const Json& arguments, const Caller&, Deadline) override
    {
        const auto& expression = arguments.at("expression").get_ref<const std::string&>();
        const auto value = evaluate(expression);
        if (!value)
            co_return value.error();
        auto result = Json::object();
        result["expression"] = expression;
        result["result"] = number_as_json(*value);
        co_return result;
    }

private:
    const model::ToolDefinition definition_ = calculator_definition();
};

}  // namespace

std::unique_ptr<Tool> make_calculator()
{
    return std::make_unique<Calculator>();
}

}  // namespace dure::tools
