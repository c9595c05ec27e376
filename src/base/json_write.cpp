// See json_write.hpp. Numbers that are not whole and kinds of values that JSON does not have are left to the library.
#include "dure/base/json_write.hpp"

#include <array>
#include <charconv>

#include "dure/base/text.hpp"

namespace dure {

namespace {

template <class Number>
void append_number(std::string& out, Number number)
{
    std::array<char, 24> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    out.append(digits.data(), end);
}

template <class Document>
void append_value(std::string& out, const Document& value)
{
    using Kind = nlohmann::detail::value_t;
    switch (value.type()) {
    case Kind::null: out += "null"; return;
    case Kind::boolean:
        out += *value.template get_ptr<const typename Document::boolean_t*>() ? "true" : "false";
        return;
    case Kind::number_integer:
        append_number(out, *value.template get_ptr<const typename Document::number_integer_t*>());
        return;
    case Kind::number_unsigned:
        append_number(out, *value.template get_ptr<const typename Document::number_unsigned_t*>());
        return;
    case Kind::string: append_json_string(out, value.template get_ref<const typename Document::string_t&>()); return;
    case Kind::array: {
        char before = '[';
        for (const auto& entry : value) {
            out += before;
            before = ',';
            append_value(out, entry);
        }
        out += value.empty() ? "[]" : "]";
        return;
    }
    case Kind::object: {
        char before = '{';
        for (auto member = value.begin(); member != value.end(); ++member) {
            out += before;
            before = ',';
            append_json_string(out, member.key());
            out += ':';
            append_value(out, member.value());
        }
        out += value.empty() ? "{}" : "}";
        return;
    }
    case Kind::number_float:
    case Kind::binary:
    case Kind::discarded: out += dump(value); return;
    }
}

}  // namespace

void append_json(std::string& out, const Json& document)
{
    append_value(out, document);
}

void append_json(std::string& out, const OrderedJson& document)
{
    append_value(out, document);
}

}  // namespace dure
