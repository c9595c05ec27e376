// Reads the configuration: built-in defaults, then the TOML file, then .env, then the environment, then what the command
// line says. Every unknown name and wrong value is collected, so that one start names them all.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dure/config/settings.hpp"

namespace dure::config {

using Environment = std::map<std::string, std::string>;

// What other parts know of a key: what is wrong with its value; empty: nothing.
struct Rule {
    std::string key;
    std::function<std::string(const Settings&)> fault;
};

struct LoadOptions {
    std::optional<std::filesystem::path> file;  // --config; else DURE_CONFIG, else config/dure.toml if it is there
    std::filesystem::path directory = ".";  // where .env and config/dure.toml are looked for
    Environment environment;  // of the process: process_environment()
    std::vector<std::pair<std::string, std::string>> overrides;  // from the command line: {"server.port", "0"}
    std::vector<Rule> rules;
};

struct Problem {
    std::string where;  // "config/dure.toml:12", "DURE_SERVER__PORT", ".env:3 (SECRET_KEY)"
    std::string message;  // never holds a secret
    std::string text() const { return where + ": " + message; }
};

struct Loaded {
    Settings settings;
    std::string file;  // the TOML file that was read; empty: none
    std::vector<Problem> problems;  // any: do not start
    std::vector<std::string> warnings;
};

Loaded load(const LoadOptions& options);

// The only reader of the process's environment.
Environment process_environment();

// The settings in force as TOML, secrets replaced by "***" (dure config check).
std::string effective_toml(const Settings& settings);
// The text of config/dure.example.toml: every key, its default, its comment.
std::string example_toml();

}  // namespace dure::config
