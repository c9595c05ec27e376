// The settings as TOML: those in force, and the example file with every default; both come from the tables of keys.
#include "config/values.hpp"
#include "dure/config/load.hpp"

namespace dure::config {

namespace showing {

std::string section_of(const std::string& path)
{
    const auto dot = path.rfind('.');
    return dot == std::string::npos ? std::string() : path.substr(0, dot);
}

std::string comment_of(const Key& key)
{
    std::string words = key.comment;
    if (!key.choices.empty()) {
        std::string choices;
        for (const auto& choice : key.choices)
            choices += (choices.empty() ? "" : ", ") + choice;
        words += (words.empty() ? "One of " : "; one of ") + choices;
    }
    return words;
}

// One entry of a list, below its heading; commented out in the example. Tables of keys have sections last.
void append_entry(std::string& out, const EntryList& list, void* entry, bool example)
{
    const std::string line_start = example ? "# " : "";
    out += "\n" + line_start + "[[" + list.path + "]]\n";
    std::string section;
    for (const auto& key : list.keys) {
        if (section_of(key.path) != section) {
            section = section_of(key.path);
            out += line_start + "[" + list.path + "." + section + "]\n";
        }
        auto value = value_as_toml(key, entry, false);
        if (example && !key.example.empty())
            value = value.starts_with('[') ? "[\"" + key.example + "\"]" : "\"" + key.example + "\"";
        const auto comment = example ? comment_of(key) : std::string();
        out += line_start + key.path.substr(section.empty() ? 0 : section.size() + 1) + " = " + value +
               (comment.empty() ? "" : "   # " + comment) + "\n";
    }
}

void append_settings(std::string& out, Settings& settings, bool example)
{
    std::string section;
    for (const auto& key : setting_keys()) {
        if (section_of(key.path) != section) {
            section = section_of(key.path);
            out += (out.empty() ? "[" : "\n[") + section + "]\n";
        }
        const auto comment = example ? comment_of(key) : std::string();
        out += key.path.substr(section.size() + 1) + " = " + value_as_toml(key, &settings, example) +
               (comment.empty() ? "" : "   # " + comment) + "\n";
    }
}

}  // namespace showing

std::string effective_toml(const Settings& settings)
{
    auto copy = settings;   // the tables give writable places
    std::string out;
    showing::append_settings(out, copy, false);
    for (const auto& list : entry_lists())
        for (auto* entry : list.entries(copy))
            showing::append_entry(out, list, entry, false);
    return out;
}

std::string example_toml()
{
    Settings defaults;
    std::string out = "# Every key with its default. Copy what you change into config/dure.toml. A key can also be set "
                      "by a variable:\n"
                      "# DURE_ and its path in capitals with __ between the levels, e.g. DURE_SERVER__PORT=9000. "
                      "Secrets stay in variables:\n"
                      "# SECRET_KEY, ADMIN_EMAIL, ADMIN_PASSWORD, and the names in keys_env. Durations: \"250ms\" "
                      "\"30s\" \"5m\" \"1h\" \"90d\";\n"
                      "# sizes: \"512KiB\" \"1MiB\".\n";
    showing::append_settings(out, defaults, true);
    for (const auto& list : entry_lists()) {
        Settings scratch;
        showing::append_entry(out, list, list.append(scratch), true);
    }
    return out;
}

}  // namespace dure::config
