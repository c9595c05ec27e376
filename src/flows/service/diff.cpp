// See diff.hpp.
#include "flows/service/diff.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <vector>

namespace dure::flows {

namespace {

using Parts = std::map<std::string, const OrderedJson*>;
using Paths = std::vector<std::string>;

// Keys of the designer that say how a flow looks, not what it does: of nodes and edges, and at the top.
constexpr std::array<std::string_view, 17> looks{
    "position", "positionAbsolute", "width",        "height",         "measured",      "selected",
    "dragging", "resizing",         "style",        "className",      "zIndex",        "viewport",
    "extent",   "hidden",           "expandParent", "sourcePosition", "targetPosition"};

Parts by_id(const OrderedJson& document, const char* list)
{
    Parts parts;
    for (const auto& part : document.at(list))
        parts.emplace(part.at("id").get<std::string>(), &part);
    return parts;
}

Parts settings_of(const OrderedJson& document)
{
    Parts parts;
    for (const auto& [key, value] : document.items())
        if (key != "nodes" && key != "edges")
            parts.emplace(key, &value);
    return parts;
}

std::string pointer_step(std::string_view key)
{
    std::string out = "/";
    for (const char c : key)
        c == '~' ? out += "~0" : c == '/' ? out += "~1" : out += c;
    return out;
}

// The deepest places where two values differ; lists differ as a whole.
void add_paths(const OrderedJson& before, const OrderedJson& after, const std::string& place, Paths& paths)
{
    if (!before.is_object() || !after.is_object()) {
        if (before != after)
            paths.push_back(place);
        return;
    }
    for (const auto& [key, value] : before.items()) {
        const auto other = after.find(key);
        if (other == after.end())
            paths.push_back(place + pointer_step(key));
        else
            add_paths(value, *other, place + pointer_step(key), paths);
    }
    for (const auto& [key, value] : after.items())
        if (!before.contains(key))
            paths.push_back(place + pointer_step(key));
}

bool is_look(std::string_view path)
{
    const auto key = path.substr(1, path.find('/', 1) - 1);
    return std::find(looks.begin(), looks.end(), key) != looks.end();
}

class Comparison {
public:
    OrderedJson compare(const Parts& before, const Parts& after, bool settings)
    {
        auto added = OrderedJson::array(), removed = OrderedJson::array(), changed = OrderedJson::array();
        for (const auto& [id, part] : before)
            if (!after.contains(id)) {
                removed.push_back(id);
                note(settings ? "/" + id : "");
            }
        for (const auto& [id, part] : after) {
            const auto old = before.find(id);
            if (old == before.end()) {
                added.push_back(id);
                note(settings ? "/" + id : "");
                continue;
            }
            Paths paths;
            add_paths(*old->second, *part, "", paths);
            for (const auto& path : paths)
                note(settings ? "/" + id : path);
            if (!paths.empty())
                changed.push_back({{"id", id}, {"paths", paths}});
        }
        return {{"added", std::move(added)}, {"removed", std::move(removed)}, {"changed", std::move(changed)}};
    }

    bool layout_only() const { return any_ && !more_than_looks_; }

private:
    void note(std::string_view path)
    {
        any_ = true;
        more_than_looks_ = more_than_looks_ || path.empty() || !is_look(path);
    }

    bool any_ = false;
    bool more_than_looks_ = false;
};

// Values of a document or a part of it; not counted on beyond `most`.
std::size_t values_in(const OrderedJson& value, std::size_t most)
{
    std::size_t count = 1;
    if (value.is_structured())
        for (auto inner = value.begin(); inner != value.end() && count <= most; ++inner)
            count += values_in(*inner, most - count);
    return count;
}

// Lists are compared value by value: of long ones that would make a patch many times the document, so they are replaced whole.
constexpr std::size_t most_compared = 50'000;

bool can_compare(const OrderedJson& before, const OrderedJson& after)
{
    return values_in(before, most_compared) + values_in(after, most_compared) <= most_compared;
}

// Of two objects.
OrderedJson patch_of(const OrderedJson& before, const OrderedJson& after)
{
    if (can_compare(before, after))
        return OrderedJson::diff(before, after);
    auto patch = OrderedJson::array();
    for (const auto& [key, value] : before.items()) {
        const auto place = pointer_step(key);
        const auto other = after.find(key);
        if (other == after.end())
            patch.push_back({{"op", "remove"}, {"path", place}});
        else if (can_compare(value, *other))
            for (auto& operation : OrderedJson::diff(value, *other, place))
                patch.push_back(std::move(operation));
        else if (value != *other)
            patch.push_back({{"op", "replace"}, {"path", place}, {"value", *other}});
    }
    for (const auto& [key, value] : after.items())
        if (!before.contains(key))
            patch.push_back({{"op", "add"}, {"path", pointer_step(key)}, {"value", value}});
    return patch;
}

}  // namespace

OrderedJson difference_of(const OrderedJson& before, const OrderedJson& after)
{
    Comparison comparison;
    OrderedJson out;
    for (const auto* list : {"nodes", "edges"})
        out[list] = comparison.compare(by_id(before, list), by_id(after, list), false);
    out["settings"] = comparison.compare(settings_of(before), settings_of(after), true);
    out["layout_only"] = comparison.layout_only();
    out["patch"] = patch_of(before, after);
    return out;
}

}  // namespace dure::flows
