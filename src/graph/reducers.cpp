// The built-in reducers (S3); see reducer.hpp.
#include "dure/graph/reducer.hpp"

#include <algorithm>
#include <cmath>

namespace dure::graph::reducers {
namespace {

std::optional<std::string> want_array(const Json& value)
{
    return value.is_array() ? std::nullopt : std::optional<std::string>("must be an array");
}

std::optional<std::string> want_object(const Json& value)
{
    return value.is_object() ? std::nullopt : std::optional<std::string>("must be an object");
}

std::optional<std::string> want_number(const Json& value)
{
    return value.is_number() ? std::nullopt : std::optional<std::string>("must be a number");
}

std::optional<std::string> want_ordered(const Json& value)
{
    return value.is_number() || value.is_string() ? std::nullopt
                                                  : std::optional<std::string>("must be a number or a string");
}

Result<void> broken(const std::string& problem)
{
    return Error(Errc::internal, problem).reason("INVALID_UPDATE");
}

// Calls each(element) for the elements of an array, or for the value itself.
template <class Each>
void for_elements(const Json& update, Each each)
{
    if (!update.is_array()) {
        each(update);
        return;
    }
    for (const auto& element : update)
        each(element);
}

Result<void> add_numbers(Json& value, const Json& update)
{
    if (!value.is_number_integer() || !update.is_number_integer()) {
        const auto total = value.get<double>() + update.get<double>();
        if (!std::isfinite(total))
            return broken("the sum is too large for a number");
        value = total;
        return {};
    }
    std::int64_t total = 0;
    const bool representable = !(value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX) &&
                               !(update.is_number_unsigned() && update.get<std::uint64_t>() > INT64_MAX);
    if (!representable || __builtin_add_overflow(value.get<std::int64_t>(), update.get<std::int64_t>(), &total))
        return broken("the sum leaves the range of 64-bit integers");
    value = total;
    return {};
}

Result<void> keep_extreme(Json& value, const Json& update, bool greatest)
{
    if (value.is_string() != update.is_string())
        return broken("numbers and strings cannot be compared");
    if (greatest ? value < update : update < value)
        value = update;
    return {};
}

Reducer scalar(std::string name, Reducer::Check check, Reducer::Apply apply)
{
    Reducer reducer;
    reducer.name = std::move(name);
    reducer.apply = std::move(apply);
    reducer.check_update = check;
    reducer.check_value = std::move(check);
    return reducer;
}

Reducer container(std::string name, Json initial, Reducer::Check check_value, void (*apply)(Json&, const Json&))
{
    Reducer reducer;
    reducer.name = std::move(name);
    reducer.initial = std::move(initial);
    reducer.in_place = true;
    reducer.check_value = std::move(check_value);
    reducer.apply = [apply](Json& value, const Json& update) -> Result<void> {
        apply(value, update);
        return {};
    };
    return reducer;
}

// A text or a number; nothing for none and for an empty text.
std::optional<Json> id_of(const Json& message)
{
    const auto id = message.find("id");
    if (id == message.end() || !(id->is_string() || id->is_number()) || *id == "")
        return std::nullopt;
    return *id;
}

// Removing an id that is not there is no error: the wish is fulfilled.
void put_message(Json& messages, const Json& message)
{
    const auto id = id_of(message);
    const auto type = message.find("type");
    const bool removes = type != message.end() && *type == "remove";
    if (removes && id == Json("__remove_all__")) {
        messages.clear();
        return;
    }
    auto same = messages.end();
    if (id)
        same = std::find_if(messages.begin(), messages.end(), [&](const Json& old) { return id_of(old) == id; });
    if (removes) {
        if (same != messages.end())
            messages.erase(same);
    } else if (same != messages.end()) {
        *same = message;
    } else {
        messages.push_back(message);
    }
}

bool only_adds_messages(const Json& messages, const Json& update)
{
    bool adds = true;
    for_elements(update, [&](const Json& message) {
        const auto id = id_of(message);
        const auto type = message.find("type");
        adds = adds && (type == message.end() || *type != "remove") &&
               (!id || std::none_of(messages.begin(), messages.end(), [&](const Json& old) { return id_of(old) == id; }));
    });
    return adds;
}

}  // namespace

Reducer last()
{
    Reducer reducer;
    reducer.name = "last";
    reducer.last_value = true;
    return reducer;
}

Reducer untracked()
{
    auto reducer = last();
    reducer.name = "untracked";
    reducer.tracked = false;
    return reducer;
}

Reducer ephemeral()
{
    auto reducer = last();
    reducer.name = "ephemeral";
    reducer.ephemeral = true;
    return reducer;
}

Reducer append()
{
    auto reducer = container("append", Json::array(), want_array, [](Json& value, const Json& update) {
        for_elements(update, [&](const Json& element) { value.push_back(element); });
    });
    reducer.as_delta = true;
    reducer.only_adds = [](const Json&, const Json&) { return true; };
    return reducer;
}

Reducer sum()
{
    auto reducer = scalar("sum", want_number, add_numbers);
    reducer.initial = 0;
    return reducer;
}

Reducer min()
{
    return scalar("min", want_ordered, [](Json& value, const Json& update) { return keep_extreme(value, update, false); });
}

Reducer max()
{
    return scalar("max", want_ordered, [](Json& value, const Json& update) { return keep_extreme(value, update, true); });
}

Reducer merge()
{
    auto reducer = container("merge", Json::object(), want_object,
                             [](Json& value, const Json& update) { value.update(update); });
    reducer.check_update = want_object;
    return reducer;
}

Reducer unite()
{
    auto reducer = container("union", Json::array(), want_array, [](Json& value, const Json& update) {
        for_elements(update, [&](const Json& element) {
            if (std::find(value.begin(), value.end(), element) == value.end())
                value.push_back(element);
        });
    });
    reducer.only_adds = [](const Json&, const Json&) { return true; };
    return reducer;
}

Reducer messages()
{
    auto reducer = container("messages", Json::array(), want_array, [](Json& value, const Json& update) {
        for_elements(update, [&](const Json& message) { put_message(value, message); });
    });
    reducer.as_delta = true;
    reducer.only_adds = only_adds_messages;
    reducer.check_update = [](const Json& update) -> std::optional<std::string> {
        bool objects = true;
        for_elements(update, [&](const Json& message) { objects = objects && message.is_object(); });
        return objects ? std::nullopt : std::optional<std::string>("must be a message object or an array of them");
    };
    return reducer;
}

Reducer custom(std::string name, std::optional<Json> initial, std::function<Json(const Json&, const Json&)> reduce)
{
    Reducer reducer;
    reducer.name = std::move(name);
    reducer.initial = std::move(initial);
    reducer.apply = [reduce = std::move(reduce)](Json& value, const Json& update) -> Result<void> {
        try {
            value = reduce(value, update);
        } catch (const std::exception& error) {
            return Error(Errc::internal, "the reducer failed").reason("INVALID_UPDATE").detail(error.what());
        }
        return {};
    };
    return reducer;
}

std::optional<Reducer> by_name(std::string_view name)
{
    for (auto make : {last, append, sum, min, max, merge, unite, messages, untracked, ephemeral})
        if (auto reducer = make(); reducer.name == name)
            return reducer;
    return std::nullopt;
}

}  // namespace dure::graph::reducers
