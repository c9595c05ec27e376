// check_json against an independent parser, and JsonView on whatever comes: texts that passed the check and texts that did not.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <iostream>

#include "dure/base/json.hpp"
#include "dure/schema/json_check.hpp"
#include "dure/schema/json_view.hpp"

namespace {

using dure::schema::JsonView;

[[noreturn]] void report(const char* what, std::string_view text)
{
    std::cerr << what << ": " << text << "\n";
    std::abort();
}

std::size_t walk(const JsonView& view, int depth)
{
    std::size_t sum = view.raw().size() + view.string().size() + view.size();
    sum += view.as_int64() ? 1 : 0;
    sum += view.as_double() ? 1 : 0;
    sum += view.find("a") ? 1 : 0;
    if (depth == 0)
        return sum;
    view.for_each_element([&](const JsonView& one) { sum += walk(one, depth - 1); });
    view.for_each_member_span([&](std::string_view key, const JsonView& value, std::string_view span) {
        sum += key.size() + span.size() + walk(value, depth - 1);
    });
    return sum;
}

// The same document by the view and by the parser.
bool same(const JsonView& view, const dure::Json& json)
{
    if (json.is_object()) {
        bool equal = view.is_object() && view.size() == json.size();
        view.for_each_member([&](std::string_view key, const JsonView& value) {
            const auto found = json.find(std::string(key));
            equal = equal && found != json.end() && same(value, *found);
        });
        return equal;
    }
    if (json.is_array()) {
        bool equal = view.is_array() && view.size() == json.size();
        std::size_t index = 0;
        view.for_each_element([&](const JsonView& value) {
            equal = equal && index < json.size() && same(value, json[index]);
            ++index;
        });
        return equal;
    }
    if (json.is_string())
        return view.is_string() && view.string() == json.get<std::string>();
    if (json.is_boolean())
        return view.as_bool() == json.get<bool>();
    return json.is_null() ? view.is_null() : view.is_number();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    walk(JsonView(text), 6);
    dure::schema::JsonLimits open;
    open.number_length = size + 1;
    open.refuse_duplicates = false;
    open.refuse_nul = false;
    const bool accepted = dure::schema::check_json(text, open).has_value();
    const auto deep = std::count_if(text.begin(), text.end(), [](char c) { return c == '[' || c == '{'; });
    // The parser skips a byte order mark and takes a NUL byte for the end of the text.
    const bool lenient = text.starts_with("\xEF\xBB\xBF") || text.find('\0') != std::string_view::npos;
    if (deep <= 64 && size <= 10000 && !lenient && accepted != dure::Json::accept(text))
        report(accepted ? "accepted what is no JSON" : "refused JSON", text);
    if (dure::schema::check_json(text) && !same(JsonView(text), dure::Json::parse(text)))
        report("read something else", text);
    return 0;
}
