// migrated(): one function per step from a format to the next; see migrate.hpp.
#include "flows/document/migrate.hpp"

#include "dure/flows/document.hpp"

namespace dure::flows {

namespace {

// Format 0 is what designers wrote before the format had a number: nodes and edges stand under `flow_data`.
OrderedJson from_0_to_1(OrderedJson tree)
{
    const auto data = tree.find("flow_data");
    if (data != tree.end() && data->is_object()) {
        const OrderedJson drawn = std::move(*data);
        tree.erase("flow_data");
        for (const auto& [key, value] : drawn.items())
            if (!tree.contains(key))
                tree[key] = value;
    }
    tree["format_version"] = 1;
    return tree;
}

}  // namespace

OrderedJson migrated(const OrderedJson& tree, std::int64_t from)
{
    auto out = tree;
    if (from < 1)
        out = from_0_to_1(std::move(out));
    return out;
}

}  // namespace dure::flows
