// JsonView: a value inside a JSON text, read in place. It is a string_view with knowledge: copying is free, moving around
// allocates nothing, strings are decoded only when asked for. The text should have passed check_json; on any other text the
// answers are unspecified, but nothing is read outside of it. The text must outlive the view.
// Every find() walks the object from its start. Who wants many keys of a large object makes a JsonIndex once, or has
// check_json make it on its way.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace dure::schema {

enum class JsonKind : std::uint8_t { null, boolean, number, string, array, object, invalid };

namespace view {

// Kind of the value that begins with a byte.
constexpr std::array<JsonKind, 256> kinds_by_first_byte()
{
    std::array<JsonKind, 256> kinds{};
    kinds.fill(JsonKind::invalid);
    for (const char c : {'-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9'})
        kinds[static_cast<unsigned char>(c)] = JsonKind::number;
    kinds['{'] = JsonKind::object;
    kinds['['] = JsonKind::array;
    kinds['"'] = JsonKind::string;
    kinds['t'] = kinds['f'] = JsonKind::boolean;
    kinds['n'] = JsonKind::null;
    return kinds;
}

inline constexpr auto first_bytes = kinds_by_first_byte();

}  // namespace view

class JsonView {
public:
    JsonView() = default;  // kind() is invalid
    explicit JsonView(std::string_view text);  // one document; white space around it is dropped

    JsonKind kind() const
    {
        return text_.empty() ? JsonKind::invalid : view::first_bytes[static_cast<unsigned char>(text_.front())];
    }
    bool is_null() const { return kind() == JsonKind::null; }
    bool is_object() const { return kind() == JsonKind::object; }
    bool is_array() const { return kind() == JsonKind::array; }
    bool is_string() const { return kind() == JsonKind::string; }
    bool is_number() const { return kind() == JsonKind::number; }

    // The text of the value exactly as written: a part of the document's text.
    std::string_view raw() const { return text_; }

    // Empty when the value has another kind (or does not fit).
    std::optional<bool> as_bool() const;
    std::optional<std::int64_t> as_int64() const;  // whole numbers without fraction and exponent, in range
    std::optional<double> as_double() const;  // any number that a double can hold
    std::string string() const;  // decoded; empty when this is no string. Bad escapes become U+FFFD
    bool string_is(std::string_view text) const;  // compares decoded, without a copy when there is no escape

    // Value of an object's key, compared decoded; the first one when a key occurs twice. Empty on other kinds.
    std::optional<JsonView> find(std::string_view key) const;
    std::optional<JsonView> at(std::size_t index) const;  // of an array
    std::size_t size() const;  // elements or members; 0 on other kinds

    // f(std::string_view key, const JsonView& value): the key decoded, valid during the call only. f may return bool: false
    // ends the walk. Does nothing on other kinds.
    template <class F>
    void for_each_member(F&& f) const
    {
        for_each_member_span(
            [&f](std::string_view key, const JsonView& value, std::string_view) { return call(f, key, value); });
    }

    // f(key, value, span): as above; span is the member's text from the quote of its key to the end of its value.
    template <class F>
    void for_each_member_span(F&& f) const
    {
        Cursor cursor(*this, JsonKind::object);
        while (cursor.next_member())
            if (!call(f, cursor.key(), cursor.value(), cursor.span()))
                return;
    }

    // f(const JsonView& element), may return bool as above.
    template <class F>
    void for_each_element(F&& f) const
    {
        Cursor cursor(*this, JsonKind::array);
        while (cursor.next_element())
            if (!call(f, cursor.value()))
                return;
    }

    // Over an array of objects, each byte passed once: member(key, value) for every member of an element, as for_each_member,
    // then element(const JsonView&), which may return bool as above. Elements that are no objects have no members.
    template <class Member, class Element>
    void for_each_element_with_members(Member&& member, Element&& element) const
    {
        Cursor elements(*this, JsonKind::array);
        while (elements.next_element_start()) {
            auto members = elements.members_of_element();
            while (members.next_member())
                member(members.key(), members.value());
            if (!elements.take_element(members))
                return;
            if (!call(element, elements.value()))
                return;
        }
    }

    // A value whose text is known exactly: no white space is looked for.
    static JsonView exact(std::string_view value)
    {
        JsonView view;
        view.text_ = value;
        return view;
    }

private:
    friend class JsonIndex;

    // Steps through the members or elements of one value.
    class Cursor {
    public:
        Cursor(const JsonView& container, JsonKind kind);
        bool next_member();
        bool next_element();
        // next_element() in two steps, with a walk over the members of the element between them: that finds its end.
        bool next_element_start();
        Cursor members_of_element() const;
        bool take_element(const Cursor& members);
        std::string_view key();  // decoded
        bool key_is(std::string_view key) const;
        JsonView value() const { return exact(value_); }
        std::string_view plain_key() const { return raw_key_.substr(1, raw_key_.size() - 2); }  // undecoded
        bool key_escaped() const { return key_escaped_; }
        std::string_view span() const
        {
            return {raw_key_.data(), static_cast<std::size_t>(value_.data() + value_.size() - raw_key_.data())};
        }

    private:
        Cursor(std::string_view text, std::size_t at) : text_(text), at_(at) {}
        bool take_value(std::size_t at);

        std::string_view text_;
        std::size_t at_;
        std::string_view raw_key_;  // with its quotes
        bool key_escaped_ = false;
        std::string decoded_key_;
        std::string_view value_;
    };

    template <class F, class... Arguments>
    static bool call(F& f, const Arguments&... arguments)
    {
        if constexpr (std::is_same_v<std::invoke_result_t<F&, const Arguments&...>, bool>) {
            return f(arguments...);
        } else {
            f(arguments...);
            return true;
        }
    }

    std::string_view text_;
};

// The members of one object by key, from one pass over it: for reading many keys of an object whose values are large. Of texts of
// at most 4 GiB.
class JsonIndex {
public:
    JsonIndex() = default;  // no members
    explicit JsonIndex(const JsonView& object);

    void add(std::string_view raw_key, bool escaped, std::string_view value);  // parts of one text, see Member
    void clear() { members_.clear(); }

    std::optional<JsonView> find(std::string_view key) const;  // as JsonView::find

    // f(key, value, span), as JsonView::for_each_member_span.
    template <class F>
    void for_each_member_span(F&& f) const
    {
        for (const auto& member : members_) {
            if (!(member.escaped
                      ? JsonView::call(f, std::string_view(decoded_key_of(member)), value_of(member), span_of(member))
                      : JsonView::call(f, key_of(member), value_of(member), span_of(member))))
                return;
        }
    }

private:
    // Places in the text, counted from the first key: a stream keeps its request's index for as long as it runs.
    struct Member {
        std::uint32_t key_at, key_size;  // undecoded, without quotes
        std::uint32_t value_at, value_size;
        bool escaped;  // there is an escape in the key
    };
    std::string_view key_of(const Member& member) const { return {text_ + member.key_at, member.key_size}; }
    std::string decoded_key_of(const Member& member) const;
    JsonView value_of(const Member& member) const
    {
        return JsonView::exact({text_ + member.value_at, member.value_size});
    }
    // From the quote before the key to the end of the value.
    std::string_view span_of(const Member& member) const
    {
        return {text_ + member.key_at - 1, std::size_t{member.value_at} + member.value_size - member.key_at + 1};
    }

    const char* text_ = nullptr;  // where the first key is
    std::vector<Member> members_;
};

}  // namespace dure::schema
