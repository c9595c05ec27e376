// DB_HOST, DB_PORT, …: what libpq and the tools of hosts call a host becomes a part of an address that means the same.
#include <gtest/gtest.h>

#include "dure/config/load.hpp"
#include "support/temporary_folder.hpp"

namespace dure::config {
namespace {

std::string address_of(const std::string& host)
{
    const test::TemporaryFolder folder;
    LoadOptions options;
    options.directory = folder.path();
    options.environment = {{"DB_HOST", host}, {"DB_NAME", "dure"}, {"DB_USER", "me"}};
    const auto loaded = load(options);
    return loaded.problems.empty() ? std::string(loaded.settings.database.url.reveal())
                                   : loaded.problems.front().text();
}

TEST(DatabaseParts, AHostIsANameAnAddressOrTheFolderOfASocket)
{
    EXPECT_EQ(address_of("db.example.org"), "postgresql://me@db.example.org:5432/dure");
    EXPECT_EQ(address_of("10.0.0.7"), "postgresql://me@10.0.0.7:5432/dure");
    EXPECT_EQ(address_of("2001:db8::5"), "postgresql://me@[2001:db8::5]:5432/dure");
    EXPECT_EQ(address_of("[2001:db8::5]"), "postgresql://me@[2001:db8::5]:5432/dure");
    EXPECT_EQ(address_of("/run/postgresql"), "postgresql://me@%2frun%2fpostgresql:5432/dure");
}

}  // namespace
}  // namespace dure::config
