// Declared fields of request bodies and query strings: a table next to the input struct says names, types and bounds, and
// one engine reads every field and reports every problem at once, in the form of FastAPI.
//   static const auto fields = schema::object<CreateSession>()
//       .optional("title", &CreateSession::title, schema::length(0, 200))
//       .optional("max_turns", &CreateSession::max_turns, schema::range(1, 100))
//       .required("model", &CreateSession::model, schema::one_of({"a", "b"}), schema::alias("model_id"));
//   const auto input = fields.read_body(body_text_or_view);      // Result<CreateSession>
// Members: bool, std::int64_t, double, std::string, std::vector<std::string>, Json, OrderedJson, std::optional of these; structs
// and vectors of structs through nested() and list_of(). A field that is null counts as absent. Defaults are the struct's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "dure/base/error.hpp"
#include "dure/base/json.hpp"
#include "dure/schema/json_view.hpp"

namespace dure::schema {

enum class UnknownFields { ignore, refuse };

using QueryPairs = std::vector<std::pair<std::string, std::string>>;

namespace detail {

enum class FieldType { boolean, integer, number, text, texts, document, ordered_document, nested, list };

using FieldValue = std::variant<bool, std::int64_t, double, std::string, std::vector<std::string>, Json, OrderedJson>;

class FieldTable;

struct Field {
    std::string name;
    std::vector<std::string> aliases;
    FieldType type = FieldType::text;
    bool required = false;
    std::optional<double> least, most;
    std::optional<std::size_t> shortest, longest;  // characters of a text, entries of a list
    std::vector<std::string> allowed;
    std::function<void(void* target, FieldValue&& value)> store;
    std::shared_ptr<const FieldTable> inner;  // of nested and list
    std::function<void*(void* target)> inner_target;  // the struct to fill; for a list a new entry each time
};

class FieldTable {
public:
    void add(Field field);
    void set_unknown(UnknownFields policy) { unknown_ = policy; }
    bool refuses_unknown() const { return unknown_ == UnknownFields::refuse; }
    const std::vector<Field>& fields() const { return fields_; }

    void read_object(const JsonView& body, void* target, std::vector<std::string>& path,
                     std::vector<FieldProblem>& problems) const;
    void read_query(const QueryPairs& query, void* target, std::vector<FieldProblem>& problems) const;

private:
    const Field* find(std::string_view name) const;
    void read_field(const Field& field, const JsonView& value, void* target, std::vector<std::string>& path,
                    std::vector<FieldProblem>& problems) const;
    void read_list(const Field& field, const JsonView& value, void* target, std::vector<std::string>& path,
                   std::vector<FieldProblem>& problems) const;

    std::vector<Field> fields_;
    UnknownFields unknown_ = UnknownFields::ignore;
};

template <class T>
struct FieldTypeOf;
template <>
struct FieldTypeOf<bool> {
    static constexpr auto value = FieldType::boolean;
};
template <>
struct FieldTypeOf<std::int64_t> {
    static constexpr auto value = FieldType::integer;
};
template <>
struct FieldTypeOf<double> {
    static constexpr auto value = FieldType::number;
};
template <>
struct FieldTypeOf<std::string> {
    static constexpr auto value = FieldType::text;
};
template <>
struct FieldTypeOf<std::vector<std::string>> {
    static constexpr auto value = FieldType::texts;
};
template <>
struct FieldTypeOf<Json> {
    static constexpr auto value = FieldType::document;
};
template <>
struct FieldTypeOf<OrderedJson> {
    static constexpr auto value = FieldType::ordered_document;
};
template <class T>
struct FieldTypeOf<std::optional<T>> : FieldTypeOf<T> {};

template <class T>
struct Plain {
    using type = T;
};
template <class T>
struct Plain<std::optional<T>> {
    using type = T;
};

Error wrong_fields(std::vector<FieldProblem> problems);
// Checks the text and reports what is no JSON object.
Result<JsonView> body_object(std::string_view text);

}  // namespace detail

// Rules of a field: functions that set a part of its description.
inline auto length(std::size_t shortest, std::size_t longest)
{
    return [=](detail::Field& field) { field.shortest = shortest, field.longest = longest; };
}
inline auto range(double least, double most)
{
    return [=](detail::Field& field) { field.least = least, field.most = most; };
}
inline auto at_least(double least)
{
    return [=](detail::Field& field) { field.least = least; };
}
inline auto one_of(std::vector<std::string> allowed)
{
    return [allowed = std::move(allowed)](detail::Field& field) { field.allowed = allowed; };
}
// A second name; when both are sent the first one declared wins: the name, then the aliases.
inline auto alias(std::string name)
{
    return [name = std::move(name)](detail::Field& field) { field.aliases.push_back(name); };
}

template <class T>
class ObjectFields {
public:
    explicit ObjectFields(UnknownFields unknown) : table_(std::make_shared<detail::FieldTable>())
    {
        table_->set_unknown(unknown);
    }

    template <class M, class... Rules>
    ObjectFields& required(std::string name, M T::* member, Rules&&... rules)
    {
        return add(std::move(name), member, true, std::forward<Rules>(rules)...);
    }

    template <class M, class... Rules>
    ObjectFields& optional(std::string name, M T::* member, Rules&&... rules)
    {
        return add(std::move(name), member, false, std::forward<Rules>(rules)...);
    }

    // A member that is itself a declared struct (or an optional one).
    template <class M, class Inner>
    ObjectFields& nested(std::string name, M T::* member, const ObjectFields<Inner>& inner, bool is_required = false)
    {
        auto field = inner_field(std::move(name), detail::FieldType::nested, inner, is_required);
        field.inner_target = [member](void* target) -> void* {
            if constexpr (std::is_same_v<M, std::optional<Inner>>)
                return &(static_cast<T*>(target)->*member).emplace();
            else
                return &(static_cast<T*>(target)->*member);
        };
        table_->add(std::move(field));
        return *this;
    }

    // An array of declared structs. Rules: length() bounds the number of entries.
    template <class Inner, class... Rules>
    ObjectFields& list_of(std::string name, std::vector<Inner> T::* member, const ObjectFields<Inner>& inner,
                          bool is_required, Rules&&... rules)
    {
        auto field = inner_field(std::move(name), detail::FieldType::list, inner, is_required);
        (rules(field), ...);
        field.inner_target = [member](void* target) -> void* {
            return &(static_cast<T*>(target)->*member).emplace_back();
        };
        table_->add(std::move(field));
        return *this;
    }

    // `text` is checked by check_json first.
    Result<T> read_body(std::string_view text) const
    {
        const auto view = detail::body_object(text);
        return view ? read_body(*view) : view.error();
    }

    // The view's text has passed check_json. Locations begin with "body".
    Result<T> read_body(const JsonView& body) const
    {
        T target{};
        std::vector<FieldProblem> problems;
        std::vector<std::string> path{"body"};
        table_->read_object(body, &target, path, problems);
        if (!problems.empty())
            return detail::wrong_fields(std::move(problems));
        return target;
    }

    // Query parameters, already percent-decoded. Locations begin with "query"; a name given twice is a problem.
    Result<T> read_query(const QueryPairs& query) const
    {
        T target{};
        std::vector<FieldProblem> problems;
        table_->read_query(query, &target, problems);
        if (!problems.empty())
            return detail::wrong_fields(std::move(problems));
        return target;
    }

private:
    template <class>
    friend class ObjectFields;

    template <class M, class... Rules>
    ObjectFields& add(std::string name, M T::* member, bool is_required, Rules&&... rules)
    {
        detail::Field field;
        field.name = std::move(name);
        field.type = detail::FieldTypeOf<M>::value;
        field.required = is_required;
        (rules(field), ...);
        field.store = [member](void* target, detail::FieldValue&& value) {
            static_cast<T*>(target)->*member = std::get<typename detail::Plain<M>::type>(std::move(value));
        };
        table_->add(std::move(field));
        return *this;
    }

    template <class Inner>
    static detail::Field inner_field(std::string name, detail::FieldType type, const ObjectFields<Inner>& inner,
                                     bool is_required)
    {
        detail::Field field;
        field.name = std::move(name);
        field.type = type;
        field.required = is_required;
        field.inner = inner.table_;
        return field;
    }

    std::shared_ptr<detail::FieldTable> table_;
};

template <class T>
ObjectFields<T> object(UnknownFields unknown = UnknownFields::ignore)
{
    return ObjectFields<T>(unknown);
}

}  // namespace dure::schema
