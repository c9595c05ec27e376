// Values of keys: from text (environment, command line, TOML strings) into their place, and back into TOML.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "config/key.hpp"

namespace dure::config {

// "250ms" "30s" "5m" "1h" "90d"
std::optional<Milliseconds> parse_duration(std::string_view text);
// "1MiB" "512KiB" "2GiB" "1048576"
std::optional<std::int64_t> parse_size(std::string_view text);
// "2.50" USD as nano-dollars; up to nine decimals
std::optional<std::int64_t> parse_dollars(std::string_view text);

// Each gives what is wrong, without the value itself when it could be a secret; empty: done.
std::string set_from_text(const Key& key, void* owner, std::string_view text);
std::string set_integer(const Key& key, void* owner, std::int64_t number);
std::string set_bool(const Key& key, void* owner, bool yes);
std::string set_list(const Key& key, void* owner, Texts texts);
std::string set_numbers(const Key& key, void* owner, Numbers numbers);
std::string set_map(const Key& key, void* owner, TextMap map);

// What a value of this key must look like.
std::string expected_form(const Key& key, void* owner);

// The value in TOML form. Secrets and header values are masked unless `plain`.
std::string value_as_toml(const Key& key, void* owner, bool plain);

}  // namespace dure::config
