// The example file equals the code, and what is shown can be read again and holds no secret.
#include <gmock/gmock.h>

#include <fstream>
#include <sstream>

#include "config/key.hpp"
#include "config/values.hpp"
#include "dure/config/load.hpp"

namespace dure::config {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

namespace {

std::string text_of(const std::filesystem::path& file)
{
    std::stringstream text;
    text << std::ifstream(file).rdbuf();
    return text.str();
}

std::filesystem::path written(const std::string& text)
{
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    auto file =
        std::filesystem::temp_directory_path() / ("dure_show_" + std::to_string(::getpid()) + test->name() + ".toml");
    std::ofstream(file) << text;
    return file;
}

Loaded load_file(const std::string& text)
{
    LoadOptions options;
    options.file = written(text);
    options.directory = "/nonexistent";
    auto loaded = load(options);
    std::filesystem::remove(*options.file);
    return loaded;
}

}  // namespace

TEST(Example, IsTheFileOfTheProject)
{
    EXPECT_EQ(text_of(std::string(DURE_SOURCE_DIR) + "/config/dure.example.toml"), example_toml())
        << "config/dure.example.toml must be written anew from config::example_toml()";
}

TEST(Example, ChangesNothingWhenItIsUsed)
{
    const auto loaded = load_file(example_toml());
    EXPECT_THAT(loaded.problems, IsEmpty());
    EXPECT_EQ(effective_toml(loaded.settings), effective_toml(Settings()));
}

TEST(Example, CanBeUncommentedAndReadAsItStands)
{
    std::string text = example_toml();
    std::string lines;
    std::istringstream in(text);
    bool entries = false;
    for (std::string line; std::getline(in, line);) {
        entries = entries || line == "# [[providers]]";
        lines += (entries && line.starts_with("# ") ? line.substr(2) : line) + "\n";
    }
    const auto loaded = load_file(lines);
    for (const auto& problem : loaded.problems)
        ADD_FAILURE() << problem.text();
    EXPECT_EQ(loaded.settings.providers.at(0).name, "openai");
    EXPECT_EQ(loaded.settings.model.at(0).id, "gpt-4o");
    EXPECT_EQ(loaded.settings.tools.mcp.at(0).name, "files");
}

TEST(Keys, AreAllDescribed)
{
    for (const auto& key : setting_keys())
        EXPECT_FALSE(key.comment.empty()) << key.path;
}

TEST(EffectiveToml, CanBeReadAgainAndHidesSecrets)
{
    Settings settings;
    settings.database.url = SecretString("postgresql://me:hunter22@db/dure");
    settings.auth.secret_key = SecretString("a-very-secret-key");
    Provider provider;
    provider.name = "up";
    provider.base_url = "https://up.example.com";
    provider.keys.emplace_back("sk-hidden");
    provider.headers["X-Token"] = "token-hidden";
    settings.providers.push_back(provider);
    Model model;
    model.id = "m\"1\"";
    model.targets = {"up/m"};
    model.prices.input = 2'500'000'000;
    settings.model.push_back(model);
    const auto text = effective_toml(settings);
    EXPECT_THAT(text, HasSubstr("postgresql://me:***@db/dure"));
    for (const auto* secret : {"hunter22", "a-very-secret-key", "sk-hidden", "token-hidden"})
        EXPECT_THAT(text, Not(HasSubstr(secret)));
    const auto loaded = load_file(text);
    EXPECT_THAT(loaded.problems, IsEmpty());
    EXPECT_EQ(loaded.settings.model.at(0).id, "m\"1\"");
    EXPECT_EQ(loaded.settings.model.at(0).prices.input, 2'500'000'000);
}

TEST(EffectiveToml, HidesWhatAddressesAndCommandsCarryInSecret)
{
    Settings settings;
    settings.tools.search_url = "https://searx.example/find?apikey=hunter22&q=1#top";
    Provider provider;
    provider.name = "up";
    provider.base_url = "https://user:hunter22@x.example:8443/v1?key=hunter22";
    settings.providers.push_back(provider);
    McpServer server;
    server.name = "files";
    server.command = {"/bin/server", "--token=hunter22", "--api-key", "hunter22", "--root", "/srv", "https://a@b/c?d=hunter22"};
    settings.tools.mcp.push_back(server);
    const auto text = effective_toml(settings);
    EXPECT_THAT(text, Not(HasSubstr("hunter22")));
    EXPECT_THAT(text, HasSubstr("\"https://searx.example/find?apikey=***&q=***#top\""));
    EXPECT_THAT(text, HasSubstr("\"https://***@x.example:8443/v1?key=***\""));
    EXPECT_THAT(text, HasSubstr(R"(["/bin/server", "--token=***", "--api-key", "***", "--root", "/srv", "https://***@b/c?d=***"])"));
}

TEST(EffectiveToml, HidesPasswordsInEveryPartOfAnAddress)
{
    const std::pair<const char*, const char*> addresses[] = {
        {"postgresql://me:hunter22@db/dure?sslmode=require", "\"postgresql://me:***@db/dure?sslmode=require\""},
        {"postgresql://me:hunter@22@db/dure", "\"postgresql://me:***@db/dure\""},
        {"postgresql://me@db/dure?sslpassword=hunter22&sslmode=require",
         "\"postgresql://me@db/dure?sslpassword=***&sslmode=require\""},
        {"postgresql://me:x@db/dure?a=b&password=hunter22", "\"postgresql://me:***@db/dure?a=b&password=***\""},
        {"postgresql://db/dure?password=hunter22", "\"postgresql://db/dure?password=***\""},
        {"postgresql://me:x@db/dure?application_name=a@b&sslpassword=hunter22",
         "\"postgresql://me:***@db/dure?application_name=a@b&sslpassword=***\""},
        {"postgresql://u:p@h/db?sslpassword=se@cret", "\"postgresql://u:***@h/db?sslpassword=***\""},
        {"postgresql://u@h:5432/db?sslpassword=se@cret", "\"postgresql://u@h:5432/db?sslpassword=***\""},
        {"postgresql://db/dure", "\"postgresql://db/dure\""},
        {"host=db password=hunter22", "\"***\""},
        {"sqlite:data/a?b@c.db", "\"sqlite:data/a?b@c.db\""},
    };
    for (const auto& [address, shown] : addresses) {
        Settings settings;
        settings.database.url = SecretString(address);
        const auto text = effective_toml(settings);
        EXPECT_THAT(text, HasSubstr("url = " + std::string(shown))) << address;
        EXPECT_THAT(text, Not(HasSubstr("hunter"))) << address;
    }
}

TEST(Values, ParseDurationsSizesAndAmounts)
{
    EXPECT_EQ(parse_duration("250ms"), Milliseconds(250));
    EXPECT_EQ(parse_duration("1h"), Milliseconds(3600000));
    EXPECT_EQ(parse_duration("90d"), std::chrono::hours(24 * 90));
    for (const auto* bad : {"", "10", "1 h", "-1s", "1.5s", "h", "1w", "9223372036854775807d"})
        EXPECT_FALSE(parse_duration(bad)) << bad;
    EXPECT_EQ(parse_size("1MiB"), 1 << 20);
    EXPECT_EQ(parse_size("77"), 77);
    for (const auto* bad : {"", "1MB", "1 MiB", "-1", "MiB", "9223372036854775807KiB"})
        EXPECT_FALSE(parse_size(bad)) << bad;
    EXPECT_EQ(parse_dollars("2.50"), 2'500'000'000);
    EXPECT_EQ(parse_dollars("0"), 0);
    for (const auto* bad : {"", ".5", "1.", "-1", "1e3", "1.0000000001", "1,5"})
        EXPECT_FALSE(parse_dollars(bad)) << bad;
}

}  // namespace dure::config
