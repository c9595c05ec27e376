// Lists that are whole in memory, shown by pages of a number: ?page= and ?page_size=, and in the answer total, page, page_size.
#pragma once

#include <algorithm>
#include <cstdint>

#include "dure/base/json.hpp"
#include "dure/schema/fields.hpp"

namespace dure::api {

struct NumberedPage {
    std::int64_t page = 1;
    std::int64_t page_size = 100;
};

// A query of nothing else.
inline const auto& page_fields_alone()
{
    static const auto fields = schema::object<NumberedPage>(schema::UnknownFields::refuse)
                                   .optional("page", &NumberedPage::page, schema::range(1, 1000000))
                                   .optional("page_size", &NumberedPage::page_size, schema::range(1, 100));
    return fields;
}

// {name: [as_json(entry)…], total, page, page_size}
template <class List, class AsJson>
OrderedJson page_json(const char* name, const List& all, const NumberedPage& page, AsJson as_json)
{
    const auto size = static_cast<std::size_t>(page.page_size);
    const auto first = std::min(all.size(), static_cast<std::size_t>(page.page - 1) * size);
    auto list = OrderedJson::array();
    for (auto i = first; i < std::min(all.size(), first + size); ++i)
        list.push_back(as_json(all[i]));
    OrderedJson body;
    body[name] = std::move(list);
    body["total"] = all.size();
    body["page"] = page.page;
    body["page_size"] = page.page_size;
    return body;
}

}  // namespace dure::api
