// check_json against an independent parser, and JsonView on whatever comes: texts that passed the check and texts that did not.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>

#include "dure/base/json.hpp"
#include "dure/schema/json_check.hpp"
#include "dure/schema/json_view.hpp"

namespace {

using dure::schema::JsonIndex;
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
    view.for_each_element_with_members(
        [&](std::string_view key, const JsonView& value) { sum += key.size() + value.raw().size(); },
        [&](const JsonView& one) { sum += one.raw().size(); });
    view.for_each_member_span([&](std::string_view key, const JsonView& value, std::string_view span) {
        sum += key.size() + span.size() + walk(value, depth - 1);
    });
    return sum;
}

// The two ways to the members of an array's elements, and to those of a document.
bool same_members(const JsonView& view)
{
    std::string one_walk, two_walks;
    const auto note = [](std::string& into) {
        return [&into](std::string_view key, const JsonView& value) { (into += key) += value.raw(); };
    };
    view.for_each_element_with_members(note(one_walk), [&](const JsonView& one) { one_walk += one.raw(); });
    view.for_each_element([&](const JsonView& one) {
        one.for_each_member(note(two_walks));
        two_walks += one.raw();
    });
    return one_walk == two_walks;
}

std::string spans_of(const JsonIndex& index)
{
    std::string spans;
    index.for_each_member_span([&](std::string_view key, const JsonView& value, std::string_view span) {
        ((spans += key) += value.raw()) += span;
    });
    return spans;
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
        bool equal = view.is_array() && view.size() == json.size() && same_members(view);
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
    JsonIndex members;
    const bool strict = dure::schema::check_json(text, {}, &members).has_value();
    if (spans_of(members) != (strict ? spans_of(JsonIndex(JsonView(text))) : std::string()))
        report("found other members", text);
    if (strict && !same(JsonView(text), dure::Json::parse(text)))
        report("read something else", text);
    return 0;
}
