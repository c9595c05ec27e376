// Any bytes as text with expressions, over a small scope: a value within its bounds or an error with a reason, never a crash.
#include <cstdlib>

#include "dure/flows/expression.hpp"

namespace {

class FuzzScope final : public dure::flows::Scope {
public:
    const dure::Json* find(dure::flows::Root root, std::string_view) const override
    {
        return root == dure::flows::Root::vars ? nullptr : &value_;
    }

private:
    dure::Json value_ =
        dure::Json::parse(R"({"text":"두레 a","n":-3,"list":["x",{"y":null},2.5],"json":"{\"a\":[1]}"})");
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace dure::flows;
    const auto parsed = Template::parse(std::string_view(reinterpret_cast<const char*>(data), size));
    if (!parsed) {
        if (parsed.error().reason().empty())
            std::abort();
        return 0;
    }
    static const FuzzScope scope;
    scope.work() = {};
    const auto value = parsed->evaluate(scope, Secrets::refused, {65536});
    if (!value && value.error().reason().empty())
        std::abort();
    return 0;
}
