// A key of the configuration: its path, where its value lives, its bounds, its comment. The tables of keys drive the TOML
// reader, the environment, `dure config check` and the example file.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "dure/config/settings.hpp"

namespace dure::config {

using Texts = std::vector<std::string>;
using Numbers = std::vector<std::int64_t>;
using TextMap = std::map<std::string, std::string>;
using Target =
    std::variant<bool*, std::int64_t*, Milliseconds*, std::string*, SecretString*, Texts*, Numbers*, TextMap*>;

enum class Unit { none, bytes, nano_dollars };  // how an integer is written

struct Key {
    std::string path;  // "server.limits.json_body"; inside of an entry: "timeouts.connect"
    std::string comment;
    std::function<Target(void* owner)> target;  // owner: Settings, Provider, Model or McpServer
    Unit unit = Unit::none;
    std::int64_t least = 0;  // of integers, lists of integers; of durations in milliseconds
    std::int64_t most = std::numeric_limits<std::int64_t>::max();  // of durations never more than ten years
    Texts choices;
    std::string example;  // of entries, shown in the example file

    Key between(std::int64_t low, std::int64_t high) &&
    {
        least = low, most = high;
        return std::move(*this);
    }
    Key one_of(Texts allowed) &&
    {
        choices = std::move(allowed);
        return std::move(*this);
    }
    Key as(Unit written) &&
    {
        unit = written;
        return std::move(*this);
    }
    Key like(std::string value) &&
    {
        example = std::move(value);
        return std::move(*this);
    }
};

// A key of an Owner; `access` gives the address of its value.
template <class Owner, class Access>
Key key_of(std::string path, Access access, std::string comment)
{
    Key key;
    key.path = std::move(path);
    key.comment = std::move(comment);
    key.target = [access](void* owner) { return Target(access(*static_cast<Owner*>(owner))); };
    return key;
}

// Entries that occur many times: [[providers]], [[model]], [[tools.mcp]].
struct EntryList {
    std::string path;
    const std::vector<Key>& keys;
    std::function<void*(Settings&)> append;  // a new entry, to be filled
    std::function<std::vector<void*>(Settings&)> entries;
};

const std::vector<Key>& setting_keys();
const std::vector<EntryList>& entry_lists();

const Key* find_key(const std::vector<Key>& keys, std::string_view path);
// " (did you mean server.port?)" when a key is spelled nearly so; else empty.
std::string suggestion(const std::vector<Key>& keys, std::string_view path);

}  // namespace dure::config
