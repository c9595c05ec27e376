// The administrative commands: they open the database beside a running server, do one thing, and print its result.
#pragma once

#include <string>
#include <vector>

#include "dure/config/settings.hpp"

namespace dure::app {

struct AdminCreate {
    std::string email;
    bool password_stdin = false;   // else one is made and printed once
};

struct KeyCreate {
    std::string email;
    std::string name;
    std::vector<std::string> permissions;   // empty: all of the owner's
    std::string expires;                    // RFC 3339, or a duration from now; empty: never
};

// Each returns the exit code of the process.
int admin_create(const config::Settings& settings, const AdminCreate& options);
int key_create(const config::Settings& settings, const KeyCreate& options);
int migrate(const config::Settings& settings);
int migrate_status(const config::Settings& settings);

// A line per library this build runs with.
std::string library_versions();

}  // namespace dure::app
