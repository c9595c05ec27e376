// A compiled schema: one Node per subschema, owned by a list, pointing at each other ($ref makes cycles).
#pragma once

#include <re2/re2.h>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dure/schema/json_schema.hpp"

namespace dure::schema {

struct JsonSchema::Node {
    std::optional<bool> constant;                 // the schemas true and false
    const Node* reference = nullptr;              // $ref: nothing else of the node counts (draft-7)

    std::vector<std::string> types;               // empty: any
    std::optional<Json> exact;                    // const
    std::optional<std::vector<Json>> choices;     // enum

    std::optional<Json> minimum, maximum, above, below, multiple_of;  // whole ones as integers: compared exactly
    std::optional<std::uint64_t> min_length, max_length;
    std::unique_ptr<re2::RE2> pattern;
    std::string format;

    std::vector<const Node*> tuple;               // of the first items: prefixItems, or items as a list (draft-7)
    const Node* items = nullptr;                  // of those behind them
    const Node* contains = nullptr;
    std::optional<std::uint64_t> min_items, max_items;
    bool unique_items = false;

    std::map<std::string, const Node*, std::less<>> properties;
    std::vector<std::pair<std::unique_ptr<re2::RE2>, const Node*>> pattern_properties;
    const Node* additional_properties = nullptr;
    const Node* property_names = nullptr;
    std::vector<std::string> required;
    std::optional<std::uint64_t> min_properties, max_properties;
    std::vector<std::pair<std::string, std::vector<std::string>>> dependent_keys;
    std::vector<std::pair<std::string, const Node*>> dependent_schemas;

    std::vector<const Node*> all_of, any_of, one_of;
    const Node* none_of = nullptr;                // not
    const Node* condition = nullptr;              // if
    const Node* consequence = nullptr;            // then
    const Node* otherwise = nullptr;              // else
};

struct JsonSchema::State {
    std::deque<Node> nodes;
    const Node* root = nullptr;
    std::vector<std::string> unknown;
};

// Formats that are checked; any other name is an annotation.
bool known_format(std::string_view format);
bool matches_format(std::string_view format, const std::string& text);

}  // namespace dure::schema
