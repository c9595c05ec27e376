// DB_HOST, DB_PORT, …: what libpq and the tools of hosts call a host becomes a part of an address that means the same.
#include <gtest/gtest.h>

#include <fstream>

#include "dure/config/load.hpp"
#include "support/temporary_folder.hpp"

namespace dure::config {
namespace {

// Or the first problem.
std::string address_by(const std::map<std::string, std::string>& environment, const std::string& env_file = "")
{
    const test::TemporaryFolder folder;
    std::ofstream(folder.path() / ".env") << env_file;
    LoadOptions options;
    options.directory = folder.path();
    options.environment = environment;
    const auto loaded = load(options);
    return loaded.problems.empty() ? std::string(loaded.settings.database.url.reveal())
                                   : loaded.problems.front().text();
}

std::string address_of(const std::string& host)
{
    return address_by({{"DB_HOST", host}, {"DB_NAME", "dure"}, {"DB_USER", "me"}});
}

TEST(DatabaseParts, AHostIsANameAnAddressOrTheFolderOfASocket)
{
    EXPECT_EQ(address_of("db.example.org"), "postgresql://me@db.example.org:5432/dure");
    EXPECT_EQ(address_of("10.0.0.7"), "postgresql://me@10.0.0.7:5432/dure");
    EXPECT_EQ(address_of("2001:db8::5"), "postgresql://me@[2001:db8::5]:5432/dure");
    EXPECT_EQ(address_of("[2001:db8::5]"), "postgresql://me@[2001:db8::5]:5432/dure");
    EXPECT_EQ(address_of("/run/postgresql"), "postgresql://me@%2frun%2fpostgresql:5432/dure");
}

TEST(DatabaseParts, TheirWrongOnesAreNamedAndAWholeAddressBesideThemWins)
{
    const std::map<std::string, std::string> parts{
        {"DB_HOST", "db"}, {"DB_NAME", "dure"}, {"DB_USER", "me"}, {"DB_PASSWORD", "p@ss/w:rd"}};
    EXPECT_EQ(address_by(parts), "postgresql://me:p%40ss%2fw%3ard@db:5432/dure");
    auto both = parts;
    both["DATABASE_URL"] = "sqlite:x.db";
    EXPECT_EQ(address_by(both), "sqlite:x.db");
    EXPECT_EQ(address_by({{"DB_NAME", "dure"}}), "DB_NAME: needs DB_HOST too");
    for (const auto* port : {"x", "70000", "-1", "54 32", "99999999999999999999"})
        EXPECT_EQ(address_by({{"DB_HOST", "db"}, {"DB_PORT", port}}), "DB_PORT: must be the number of a port") << port;
}

TEST(DatabaseParts, TheEnvironmentWinsOverTheFileWhicheverNamesTheyUse)
{
    EXPECT_EQ(address_by({{"DATABASE_URL", "sqlite:mine.db"}}, "DURE_DATABASE__URL=sqlite:forgotten.db\n"),
              "sqlite:mine.db");
    EXPECT_EQ(address_by({{"DB_HOST", "db"}, {"DB_NAME", "dure"}}, "DATABASE_URL=sqlite:forgotten.db\n"),
              "postgresql://postgres@db:5432/dure");
    EXPECT_EQ(address_by({{"DATABASE_URL", "sqlite:mine.db"}}, "DB_HOST=db\nDB_NAME=dure\n"), "sqlite:mine.db");
    EXPECT_EQ(address_by({{"DATABASE_URL", "sqlite:mine.db"}}, "DB_NAME=dure\n"), "sqlite:mine.db");
    EXPECT_EQ(address_by({{"DB_PASSWORD", "secret"}}, "DB_HOST=db\nDB_NAME=dure\nDB_USER=me\n"),
              "postgresql://me:secret@db:5432/dure")
        << "a password of the environment for a host of the file";
}

TEST(DatabaseParts, AMarkOfUtf8BeforeTheFileIsPassedOver)
{
    EXPECT_EQ(address_by({}, "\xEF\xBB\xBF"
                             "DATABASE_URL=sqlite:marked.db\n"),
              "sqlite:marked.db");
}

}  // namespace
}  // namespace dure::config
