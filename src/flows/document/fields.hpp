// Reading members of a JSON object that must have a type and stay in bounds; each wrong one is a problem with its place.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dure/base/json.hpp"
#include "dure/flows/problem.hpp"

namespace dure::flows {

using Location = std::vector<std::string>;

Location operator/(Location place, std::string_view step);
Location operator/(Location place, std::size_t index);

// The member, or null when it is absent or null itself.
const OrderedJson* member(const OrderedJson& object, std::string_view key);
std::string in_quotes(std::string_view text);  // for messages: cut at 80 characters, in quotes

class FieldReader {
public:
    FieldReader(const OrderedJson& object, Location place, Problems& problems, std::string node_id = {},
                std::string edge_id = {})
        : object_(object), place_(std::move(place)), problems_(problems), node_id_(std::move(node_id)),
          edge_id_(std::move(edge_id))
    {}

    std::optional<std::string> text(std::string_view key, std::size_t shortest, std::size_t longest) const;
    std::optional<bool> boolean(std::string_view key) const;
    std::optional<std::int64_t> integer(std::string_view key, double least, double most) const;
    std::optional<double> number(std::string_view key, double least, double most) const;
    std::optional<std::string> one_of(std::string_view key, const std::vector<std::string>& allowed) const;
    const OrderedJson* object(std::string_view key) const;
    const OrderedJson* array(std::string_view key) const;
    void required(std::string_view key) const;
    void only(const std::vector<std::string_view>& known) const;  // any other key: field_unknown

    void problem(std::string code, std::string_view key, std::string message) const;
    const Location& place() const { return place_; }

private:
    const OrderedJson& object_;
    Location place_;
    Problems& problems_;
    std::string node_id_, edge_id_;
};

}  // namespace dure::flows
