// Any JSON as conditions, held against a small scope: true, false or an error with a reason; what does not compile names why.
#include <cstdlib>

#include "dure/flows/condition.hpp"
#include "dure/schema/json_check.hpp"

namespace {

class FuzzScope final : public dure::flows::Scope {
public:
    const dure::Json* find(dure::flows::Root, std::string_view) const override { return &value_; }

private:
    dure::Json value_ = dure::Json::parse(R"({"text":"두레 a","n":-3,"list":["x",{"y":null},2.5]})");
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (!dure::schema::check_json(text))
        return 0;
    dure::flows::Problems problems;
    const auto group = dure::flows::ConditionGroup::compile(dure::OrderedJson::parse(text), {}, "n", problems);
    if (!group) {
        if (problems.empty())
            std::abort();
        return 0;
    }
    static const FuzzScope scope;
    scope.work() = {};
    const auto held = group->holds(scope);
    if (!held && held.error().reason().empty())
        std::abort();
    return 0;
}
