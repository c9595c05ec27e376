// Lists shown by pages of a number: ?page= and ?page_size=, and in the answer total, page, page_size.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "dure/base/json.hpp"
#include "dure/schema/fields.hpp"

namespace dure::api {

struct NumberedPage {
    std::int64_t page = 1;
    std::int64_t page_size = 100;

    std::int64_t passed() const { return (page - 1) * page_size; }
};

// A query of nothing else.
inline const auto& page_fields_alone()
{
    static const auto fields = schema::object<NumberedPage>(schema::UnknownFields::refuse)
                                   .optional("page", &NumberedPage::page, schema::range(1, 1000000))
                                   .optional("page_size", &NumberedPage::page_size, schema::range(1, 100));
    return fields;
}

// {name: [as_json(entry)…], total, page, page_size} of the entries of one page.
template <class Entries, class AsJson>
OrderedJson numbered_json(const char* name, const Entries& entries, std::int64_t total, const NumberedPage& page,
                          AsJson as_json)
{
    auto list = OrderedJson::array();
    for (const auto& entry : entries)
        list.push_back(as_json(entry));
    OrderedJson body;
    body[name] = std::move(list);
    body["total"] = total;
    body["page"] = page.page;
    body["page_size"] = page.page_size;
    return body;
}

// The same of a list that is whole in memory.
template <class T, class AsJson>
OrderedJson page_json(const char* name, const std::vector<T>& all, const NumberedPage& page, AsJson as_json)
{
    const auto first = std::min(all.size(), static_cast<std::size_t>(page.passed()));
    const auto size = std::min(all.size() - first, static_cast<std::size_t>(page.page_size));
    return numbered_json(name, std::span(all).subspan(first, size), static_cast<std::int64_t>(all.size()), page, as_json);
}

}  // namespace dure::api
