// What ServerProcess needs to run on PostgreSQL: an empty schema on the shared server, or a server of the test's own.
//   ServerProcess server(on_postgres(fresh_schema()));
#pragma once

#include <random>

#include "support/postgres_process.hpp"
#include "support/server_process.hpp"

namespace dure::test {

// What the server needs in production: its secret key and the first administrator by environment. `url`: with a
// password that must never be seen again.
inline ServerProcess::Options on_postgres(std::string url, std::string configuration = {})
{
    const auto at = url.find("app@");
    if (at != std::string::npos)
        url.replace(at, 4, "app:never-to-be-seen@");
    return {.configuration = std::move(configuration),
            .environment = {{"DATABASE_URL", std::move(url)},
                            {"SECRET_KEY", "a secret key of 32 bytes or more, the same everywhere"},
                            {"ADMIN_EMAIL", "admin@localhost"},
                            {"ADMIN_PASSWORD", "a long enough password of the first"}}};
}

// The URL of an empty schema on the server the tests share; it stays there until the server goes.
inline std::string fresh_schema()
{
    std::random_device random;   // process ids come again while the server lives
    const auto name = "server_" + std::to_string(random()) + "_" + std::to_string(random());
    const auto& url = shared_postgres_url();
    const auto command = "/usr/lib/postgresql/15/bin/psql -q '" + url + "' -c 'CREATE SCHEMA " + name + "'";
    if (std::system(command.c_str()) != 0)
        throw std::runtime_error("cannot create a schema");
    return url + (url.find('?') == std::string::npos ? "?" : "&") + "options=-c%20search_path%3D" + name;
}

}  // namespace dure::test
