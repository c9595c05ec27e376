// From the TOML file to settings, driven by the tables of keys; see key.hpp. The parser stands in this file only.
#include "dure/base/toml.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>

#include "config/collector.hpp"
#include "config/values.hpp"

namespace dure::config {

namespace reading {

constexpr std::size_t largest_file = 4 << 20;

class Reader {
public:
    Reader(std::string file, Collector& collector) : file_(std::move(file)), collector_(collector) {}

    void read_settings(const toml::table& root)
    {
        read_table(root, "", setting_keys(), &collector_.loaded.settings, "", true);
    }

    std::string at(const toml::source_region& region) const { return file_ + ":" + std::to_string(region.begin.line); }

private:
    // `prefix` is the path inside of the owner, `place` what stands in front of it for names in problems.
    void read_table(const toml::table& table, const std::string& prefix, const std::vector<Key>& keys, void* owner,
                    const std::string& place, bool top)
    {
        for (const auto& [name, node] : table) {
            const auto path = prefix.empty() ? std::string(name.str()) : prefix + "." + std::string(name.str());
            const auto where = file_ + ":" + std::to_string(name.source().begin.line);
            if (const auto* key = find_key(keys, path))
                set(*key, owner, node, place + path, where);
            else if (const auto* list = top ? entry_list(path) : nullptr)
                read_entries(*list, node, where);
            else if (node.is_table() && is_section(keys, path, top))
                read_table(*node.as_table(), path, keys, owner, place, top);
            else
                collector_.problem(where, "unknown key " + place + path + suggestion(keys, path));
        }
    }

    static const EntryList* entry_list(const std::string& path)
    {
        const auto& lists = entry_lists();
        const auto found =
            std::find_if(lists.begin(), lists.end(), [&](const EntryList& list) { return list.path == path; });
        return found == lists.end() ? nullptr : &*found;
    }

    static bool is_section(const std::vector<Key>& keys, const std::string& path, bool top)
    {
        const auto begins = [&](const std::string& name) { return name.starts_with(path + "."); };
        return std::any_of(keys.begin(), keys.end(), [&](const Key& key) { return begins(key.path); }) ||
               (top && std::any_of(entry_lists().begin(), entry_lists().end(),
                                   [&](const EntryList& list) { return begins(list.path); }));
    }

    void read_entries(const EntryList& list, const toml::node& node, const std::string& where)
    {
        const auto* entries = node.as_array();
        if (!entries ||
            !std::all_of(entries->begin(), entries->end(), [](const auto& one) { return one.is_table(); })) {
            collector_.problem(where, list.path + " must be a list of tables, each headed [[" + list.path + "]]");
            return;
        }
        for (std::size_t i = 0; i < entries->size(); ++i) {
            const auto name = list.path + "[" + std::to_string(i) + "]";
            const auto& entry = *(*entries)[i].as_table();
            collector_.set_at[name] = at(entry.source());
            read_table(entry, "", list.keys, list.append(collector_.loaded.settings), name + ".", false);
        }
    }

    void set(const Key& key, void* owner, const toml::node& node, const std::string& name, const std::string& where)
    {
        const auto wrong = set_value(key, owner, node);
        if (!wrong.empty())
            collector_.problem(where, name + " " + wrong);
        collector_.set_at[name] = where;
    }

    static std::string set_value(const Key& key, void* owner, const toml::node& node)
    {
        const auto target = key.target(owner);
        if (const auto* text = node.as_string()) {
            // Only what is written as a string: "true" or "[1]" in quotes is not a boolean or a list.
            const bool whole_number = std::holds_alternative<std::int64_t*>(target) && key.unit == Unit::none;
            const bool takes_text = std::holds_alternative<std::string*>(target) ||
                                    std::holds_alternative<SecretString*>(target) ||
                                    std::holds_alternative<Milliseconds*>(target) ||
                                    (std::holds_alternative<std::int64_t*>(target) && !whole_number);
            if (takes_text)
                return set_from_text(key, owner, text->get());
        }
        if (const auto* number = node.as_integer())
            return set_integer(key, owner, number->get());
        if (const auto* yes = node.as_boolean())
            return set_bool(key, owner, yes->get());
        if (const auto* list = node.as_array())
            return set_array(key, owner, *list);
        if (const auto* table = node.as_table())
            return set_table(key, owner, *table);
        return set_table(key, owner, std::nullopt);   // floats, dates, misplaced strings: names what is expected
    }

    static std::string set_array(const Key& key, void* owner, const toml::array& list)
    {
        Texts texts;
        Numbers numbers;
        for (const auto& one : list) {
            if (const auto* text = one.as_string())
                texts.push_back(text->get());
            else if (const auto* number = one.as_integer())
                numbers.push_back(number->get());
        }
        if (numbers.size() == list.size() && std::holds_alternative<Numbers*>(key.target(owner)))
            return set_numbers(key, owner, std::move(numbers));
        if (texts.size() == list.size() && !std::holds_alternative<Numbers*>(key.target(owner)))
            return set_list(key, owner, std::move(texts));
        return set_table(key, owner, std::nullopt);
    }

    // Without a table: the problem of a value that has a form no key takes.
    static std::string set_table(const Key& key, void* owner, std::optional<toml::table> table)
    {
        TextMap map;
        bool texts_only = table.has_value();
        if (table)
            for (const auto& [name, node] : *table) {
                if (const auto* text = node.as_string())
                    map[std::string(name.str())] = text->get();
                else
                    texts_only = false;
            }
        return texts_only ? set_map(key, owner, std::move(map)) : expected_form(key, owner);
    }

    std::string file_;
    Collector& collector_;
};

}  // namespace reading

void read_toml_file(const std::filesystem::path& file, Collector& collector)
{
    const auto name = file.string();
    std::error_code failed;
    const auto size = std::filesystem::file_size(file, failed);
    std::ifstream in(file, std::ios::binary);
    if (failed || !in) {
        collector.problem(name, "cannot be read");
        return;
    }
    if (size > reading::largest_file) {
        collector.problem(name, "is larger than 4 MiB");
        return;
    }
    std::stringstream text;
    text << in.rdbuf();
    collector.loaded.file = name;
    reading::Reader reader(name, collector);
    const auto parsed = toml::parse(text.view(), name);
    if (!parsed) {
        collector.problem(reader.at(parsed.error().source()), std::string(parsed.error().description()));
        return;
    }
    reader.read_settings(parsed.table());
}

}  // namespace dure::config
