// Loading: precedence of the sources, every kind of problem with its place, and the checks over several keys.
#include "dure/config/load.hpp"

#include <gmock/gmock.h>

#include <fstream>

namespace dure::config {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class Load : public testing::Test {
protected:
    Load()
    {
        const auto* test = testing::UnitTest::GetInstance()->current_test_info();
        folder_ =
            std::filesystem::temp_directory_path() / ("dure_config_" + std::to_string(::getpid()) + "_" + test->name());
        std::filesystem::create_directories(folder_ / "config");
        options_.directory = folder_;
    }
    ~Load() override { std::filesystem::remove_all(folder_); }

    void toml(const std::string& text) { write("config/dure.toml", text); }
    void write(const std::string& name, const std::string& text) { std::ofstream(folder_ / name) << text; }

    Loaded load() { return config::load(options_); }
    std::vector<std::string> problems()
    {
        std::vector<std::string> all;
        for (const auto& problem : load().problems) {
            auto text = problem.text();
            if (const auto at = text.find(folder_.string() + "/config/"); at == 0)
                text.erase(0, folder_.string().size() + 8);
            all.push_back(text);
        }
        return all;
    }

    std::filesystem::path folder_;
    LoadOptions options_;
};

TEST_F(Load, TakesBlocksOfProxies)
{
    toml("[server]\ntrusted_proxies = [\"10.0.0.0/8\", \"fd00::/8\", \"192.0.2.1\"]\nproxy_header = "
         "\"X-Forwarded-For\"\n");
    EXPECT_THAT(problems(), IsEmpty());
}

TEST_F(Load, TakesVariablesOfFlowsAndSecretsByTheNameOfTheirVariable)
{
    toml("[flows]\nvariables = {city = \"부산\"}\nsecrets_env = {crm = \"CRM_KEY\", gone = \"GONE_KEY\"}\n");
    options_.environment["CRM_KEY"] = "s3cret";
    const auto loaded = load();
    EXPECT_THAT(problems(), IsEmpty());
    EXPECT_EQ(loaded.settings.flows.variables.at("city"), "부산");
    ASSERT_EQ(loaded.settings.flows.secrets.size(), 1);
    EXPECT_EQ(loaded.settings.flows.secrets.at("crm").reveal(), "s3cret");
    EXPECT_THAT(loaded.warnings, ElementsAre(HasSubstr("variable GONE_KEY of the secret gone is not set")));
    EXPECT_THAT(effective_toml(loaded.settings), Not(HasSubstr("s3cret")));
}

TEST_F(Load, TakesTheHostsASecretOfFlowsMayGoTo)
{
    toml("[flows]\nsecrets_env = {crm = \"CRM_KEY@api.crm.example,*.crm.example\"}\n");
    options_.environment["CRM_KEY"] = "s3cret";
    const auto loaded = load();
    EXPECT_THAT(problems(), IsEmpty());
    EXPECT_THAT(loaded.warnings, IsEmpty());
    EXPECT_EQ(loaded.settings.flows.secrets.at("crm").reveal(), "s3cret");
    for (const auto* entry : {"CRM_KEY@", "CRM_KEY@a.example,", "CRM_KEY@https://a.example", "CRM_KEY@*", "CRM_KEY@A.example",
                              "CRM_KEY@a.example/x", "CRM_KEY@a.example:8443", "CRM_KEY@[::1]"}) {
        toml(std::string("[flows]\nsecrets_env = {crm = \"") + entry + "\"}\n");
        (void)load();
        EXPECT_THAT(problems(), Contains(HasSubstr("flows.secrets_env.crm must be VARIABLE or VARIABLE@host"))) << entry;
    }
}

TEST_F(Load, TakesLimitsOnTokensAndCostOfEachRole)
{
    toml("[limits.user]\ntokens_per_minute = 60000\ntokens_per_day = 1000000\ncost_per_day = \"2.50\"\n");
    options_.environment["DURE_LIMITS__ADMIN__COST_PER_DAY"] = "100";
    const auto limits = load().settings.limits;
    EXPECT_THAT(problems(), IsEmpty());
    EXPECT_EQ(limits.user.tokens_per_minute, 60'000);
    EXPECT_EQ(limits.user.tokens_per_day, 1'000'000);
    EXPECT_EQ(limits.user.cost_per_day, 2'500'000'000);
    EXPECT_EQ(limits.admin.cost_per_day, 100'000'000'000);
    EXPECT_EQ(limits.developer.tokens_per_day, 0) << "not limited";
}

TEST_F(Load, NamesLimitsOnTokensAndCostThatAreNone)
{
    toml("[limits.user]\ntokens_per_minute = -1\ntokens_per_day = \"many\"\ncost_per_day = 2.5\n"
         "[limits.anonymous]\ntokens_per_day = 5\n");
    EXPECT_THAT(problems(), testing::UnorderedElementsAre(
                                AllOf(HasSubstr("limits.user.tokens_per_minute"), HasSubstr("at least 0")),
                                AllOf(HasSubstr("limits.user.tokens_per_day"), HasSubstr("whole number")),
                                AllOf(HasSubstr("limits.user.cost_per_day"), HasSubstr("amount of USD")),
                                HasSubstr("limits.anonymous.tokens_per_day")));   // they ask no model
}

TEST_F(Load, GivesTheDefaultsWhenNothingIsConfigured)
{
    const auto loaded = load();
    EXPECT_THAT(problems(), IsEmpty());
    EXPECT_THAT(loaded.warnings, IsEmpty());
    EXPECT_EQ(loaded.file, "");
    EXPECT_EQ(loaded.settings.server.host, "127.0.0.1");
    EXPECT_EQ(loaded.settings.server.port, 8000);
    EXPECT_EQ(loaded.settings.models.default_model, "mock");
    EXPECT_TRUE(loaded.settings.sqlite());
    EXPECT_EQ(loaded.settings.sqlite_path(), "data/dure.db");
}

TEST_F(Load, ReadsEveryFormOfValue)
{
    toml(R"(
[server]
port = 9000
cors_origins = ["https://chat.example.com"]
[server.limits]
json_body = "2MiB"
chat_body = 4096
header_timeout = "250ms"
[auth]
accounts = false
[limits.user]
chat_per_minute = 7
[limits.login]
failures_per_account = 3
[egress]
ports = [80, 8443]
[executions]
retention = "30d"
[[providers]]
name = "up"
base_url = "http://127.0.0.1:9/v1"
headers = { "X-Team" = "blue" }
timeouts = { connect = "2s" }
[[model]]
id = "m"
targets = ["up/some/model"]
prices = { input = "2.50", output = "0.000000001" }
[[tools.mcp]]
name = "files"
command = ["mcp-files", "--root", "/srv"]
)");
    EXPECT_THAT(problems(), IsEmpty());
    const auto settings = load().settings;
    EXPECT_EQ(settings.server.port, 9000);
    EXPECT_THAT(settings.server.cors_origins, ElementsAre("https://chat.example.com"));
    EXPECT_EQ(settings.server.limits.json_body, 2 << 20);
    EXPECT_EQ(settings.server.limits.chat_body, 4096);
    EXPECT_EQ(settings.server.limits.header_timeout, Milliseconds(250));
    EXPECT_FALSE(settings.auth.accounts);
    EXPECT_EQ(settings.limits.user.chat_per_minute, 7);
    EXPECT_EQ(settings.limits.login_failures_per_account, 3);
    EXPECT_THAT(settings.egress.ports, ElementsAre(80, 8443));
    EXPECT_EQ(settings.executions.retention, std::chrono::hours(24 * 30));
    ASSERT_EQ(settings.providers.size(), 1u);
    EXPECT_EQ(settings.providers[0].headers.at("X-Team"), "blue");
    EXPECT_EQ(settings.providers[0].timeouts.connect, Milliseconds(2000));
    ASSERT_EQ(settings.model.size(), 1u);
    EXPECT_EQ(settings.model[0].prices.input, 2'500'000'000);
    EXPECT_EQ(settings.model[0].prices.output, 1);
    EXPECT_THAT(settings.tools.mcp.at(0).command, ElementsAre("mcp-files", "--root", "/srv"));
}

TEST_F(Load, LaterSourcesWin)
{
    toml("[server]\nport = 1001\n");
    EXPECT_EQ(load().settings.server.port, 1001);
    write(".env", "BACKEND_PORT=1002\n");
    EXPECT_EQ(load().settings.server.port, 1002);
    options_.environment["BACKEND_PORT"] = "1003";
    EXPECT_EQ(load().settings.server.port, 1003);
    write(".env", "BACKEND_PORT=1002\nDURE_SERVER__PORT=1004\n");
    EXPECT_EQ(load().settings.server.port, 1003) << "the environment, whichever of the names it uses";
    options_.environment.clear();
    EXPECT_EQ(load().settings.server.port, 1004);
    options_.environment["DURE_SERVER__PORT"] = "1005";
    EXPECT_EQ(load().settings.server.port, 1005);
    options_.overrides = {{"server.port", "0"}};
    EXPECT_EQ(load().settings.server.port, 0);
}

TEST_F(Load, TakesTheNamedFileBeforeTheStandardOne)
{
    toml("[server]\nport = 1001\n");
    write("other.toml", "[server]\nport = 1002\n");
    write("third.toml", "[server]\nport = 1003\n");
    options_.environment["DURE_CONFIG"] = folder_ / "other.toml";
    EXPECT_EQ(load().settings.server.port, 1002);
    options_.file = folder_ / "third.toml";
    EXPECT_EQ(load().settings.server.port, 1003);
    options_.file = folder_ / "missing.toml";
    EXPECT_THAT(problems(), ElementsAre(HasSubstr("--config: there is no file ")));
}

TEST_F(Load, ReadsEnvFiles)
{
    write(".env", "# comment\n\nexport BACKEND_HOST=\"127.0.0.2\"  # own "
                  "address\nREDIS_URL='redis://h#1'\nBACKEND_PORT=7000 # port\n"
                  "SOMETHING_ELSE=x\nADMIN_EMAIL=\nDURE_AGENT__MODEL=\n");
    EXPECT_THAT(problems(), IsEmpty());
    const auto settings = load().settings;
    EXPECT_EQ(settings.server.host, "127.0.0.2");
    EXPECT_EQ(settings.server.port, 7000);
    EXPECT_EQ(settings.redis.url.reveal(), "redis://h#1");
    write(".env", "no equals sign\n=x\nA=\"open\nDURE_SERVER__PORT=abc\n");
    EXPECT_THAT(problems(),
                ElementsAre(".env:1: is not of the form NAME=value", ".env:2: is not of the form NAME=value",
                            ".env:3: is not of the form NAME=value",
                            ".env:4 (DURE_SERVER__PORT): server.port must be a whole number"));
}

TEST_F(Load, NamesEveryProblemAtOnceWithFileAndLine)
{
    toml(R"([server]
hots = "x"
port = 70000
threads = "4"
shutdown_deadline = 20
tls_cert = "a.pem"
[server.limits]
json_body = "1MB"
connections = 0
[surprise]
a = 1
[auth]
registration = "maybe"
accounts = "no"
[egress]
ports = [80, "x"]
allow = "127.0.0.1:1"
[[providers]]
nam = "x"
[[model]]
id = "m"
targets = ["nowhere/x", "flat"]
prices = { input = 2.5 }
)");
    options_.environment = {
        {"DURE_SERVER__PROT", "1"}, {"DURE_SERVER_PORT", "1"}, {"DURE_AUTH__TOKEN_LIFETIME", "1 hour"}};
    EXPECT_THAT(problems(),
                testing::UnorderedElementsAre(
                    "dure.toml:2: unknown key server.hots (did you mean server.host?)",
                    "dure.toml:3: server.port must be at most 65535",
                    "dure.toml:4: server.threads must be a whole number",
                    HasSubstr("dure.toml:5: server.shutdown_deadline must be a duration such as"),
                    "dure.toml:6: server.tls_cert and server.tls_key belong together",
                    HasSubstr("dure.toml:8: server.limits.json_body must be a size such as"),
                    "dure.toml:9: server.limits.connections must be at least 1", "dure.toml:10: unknown key surprise",
                    "dure.toml:13: auth.registration must be one of closed, open, redirect",
                    "dure.toml:14: auth.accounts must be true or false",
                    "dure.toml:16: egress.ports must be a list of whole numbers",
                    "dure.toml:17: egress.allow must be a list of strings",
                    "dure.toml:19: unknown key providers[0].nam (did you mean name?)",
                    HasSubstr("dure.toml:18: providers[0].name must not be empty"),
                    HasSubstr("dure.toml:18: providers[0].base_url must begin with"),
                    "dure.toml:20: model[0].targets: there is no provider nowhere",
                    "dure.toml:20: model[0].targets: flat is not of the form provider/model",
                    HasSubstr("dure.toml:23: model[0].prices.input must be an amount of USD"),
                    "DURE_SERVER__PROT: unknown variable (did you mean DURE_SERVER__PORT?)",
                    "DURE_SERVER_PORT: unknown variable (did you mean DURE_SERVER__PORT?)",
                    HasSubstr("DURE_AUTH__TOKEN_LIFETIME: auth.token_lifetime must be a duration")));
}

TEST_F(Load, NamesTheLineOfASyntaxError)
{
    toml("[server]\nport = \n");
    EXPECT_THAT(problems(), ElementsAre(HasSubstr("dure.toml:2: ")));
}

TEST_F(Load, RefusesWeakSecretsWithoutShowingThem)
{
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"short", "at least 32 bytes"},
        {std::string(31, 'a'), "at least 32 bytes"},
        {std::string(40, 'x'), "must not repeat one character"},
        {"your-secret-key-here-your-secret-key-here", "known sample"},
        {"my-CHANGEME-0123456789-0123456789-01234", "known sample"},
        {"secretsecretsecretsecretsecretsecret", "known sample"},
    };
    for (const auto& [secret, message] : cases) {
        options_.environment["SECRET_KEY"] = secret;
        const auto all = problems();
        ASSERT_THAT(all, ElementsAre(HasSubstr(message))) << secret;
        EXPECT_THAT(all.front(), Not(HasSubstr(secret)));
    }
    options_.environment["SECRET_KEY"] = "0f2d9c1b8a7e6f5d4c3b2a1908f7e6d5";
    EXPECT_THAT(problems(), IsEmpty());
}

TEST_F(Load, RefusesSettingsThatExcludeEachOther)
{
    struct Case {
        std::string text;
        std::string message;
    };
    const std::vector<Case> cases = {
        {"[server]\nhost = \"0.0.0.0\"\n[auth]\naccounts = false\n",
         "dure.toml:4: auth.accounts = false is possible on a loopback address only"},
        {"[server]\nhost = \"chat.example.com\"\n[auth]\naccounts = false\n", "loopback"},
        {"[server]\ntls_key = \"k\"\n", "belong together"},
        {"[server]\ntrusted_proxies = [\"10.0.0.1\"]\n",
         "server.trusted_proxies and server.proxy_header belong together"},
        {"[server]\ntrusted_proxies = [\"10.0.0.0/40\"]\n", "10.0.0.0/40 is neither an IP address nor a CIDR block"},
        {"[server]\ntrusted_proxies = [\"proxy\"]\n", "proxy is neither an IP address nor a CIDR block"},
        {"[server]\ncors_origins = [\"*\"]\n", "without a path or *"},
        {"[server]\ncors_origins = [\"https://a/b\"]\n", "without a path or *"},
        {"[server]\npublic_url = \"ftp://x\"\n", "server.public_url"},
        {"[database]\nurl = \"mysql://x\"\n", "database.url must be sqlite:FILE or postgresql"},
        {"[database]\nurl = \"sqlite:\"\n", "database.url"},
        {"[redis]\nurl = \"localhost\"\n", "redis.url"},
        {"[models]\ndefault = \"gone\"\n", "dure.toml:2: models.default: there is no model gone"},
        {"[agent]\nmodel = \"gone\"\n", "agent.model: there is no model gone"},
        {"[agent]\nstrategy = \"fast\"\n", "must be one of graph, chat, simple, planner"},
        {"[log]\nformat = \"xml\"\n", "must be one of json, text"},
        {"[auth]\nregistration = \"redirect\"\n", "needs auth.signup_url"},
        {"[auth]\npassword_hash_memory = \"1MiB\"\n", "must be at least 19MiB"},
        {"[breaker]\nopen = \"2m\"\n", "breaker.max_open"},
        {"[metrics]\nlisten = \"9100\"\n", "metrics.listen must be an address and a port"},
        {"[metrics]\nlisten = \"::1:9100\"\n", "metrics.listen must be an address and a port"},
        {"[metrics]\nlisten = \"127.0.0.1:70000\"\n", "metrics.listen must be an address and a port"},
        {"[[model]]\nid = \"coe-agent-v1\"\ntargets = [\"mock/x\"]\n", "built-in"},
        {"[[model]]\nid = \"flow:x\"\ntargets = [\"mock/x\"]\n", "begin with flow:"},
        {"[[model]]\nid = \"a\"\n", "at least one provider/model"},
        {"[[model]]\nid = \"a\"\ntargets = [\"mock/x\", \"mock/y\"]\nweights = [1]\n",
         "model[0].weights must have one number for each of its targets"},
        {"[[model]]\nid = \"a\"\ntargets = [\"mock/x\"]\nranks = [1, 2]\n",
         "model[0].ranks must have one number for each of its targets"},
        {"[[model]]\nid = \"a\"\ntargets = [\"mock/x\"]\nweights = [0]\n", "weights"},
        {"[[model]]\nid = \"an-embedder\"\ntargets = [\"mock/x\"]\nweights = [1]\n", "is not for embeddings"},
        {"[[model]]\nid = \"a\"\ntargets = [\"mock/x\"]\non_client_gone = \"wait\"\n", "must be one of cancel, drain"},
        {"[[model]]\nid = \"a\"\ntargets = [\"mock/x\"]\n[[model]]\nid = \"a\"\ntargets = [\"mock/x\"]\n",
         "is there twice"},
        {"[[providers]]\nname = \"mock\"\nbase_url = \"http://a\"\n", "mock is built in"},
        {"[[providers]]\nname = \"a\"\nbase_url = \"http://a\"\nheaders = { \"A\" = \"x\\r\\ny\" }\n",
         "is no valid header"},
        {"[[providers]]\nname = \"a\"\nbase_url = \"a\"\n", "base_url must begin with"},
        {"[[providers]]\nname = \"a\"\nbase_url = \"http://me:pw@a/v1\"\n",
         "dure.toml:1: providers[0].base_url cannot be used: The URL is not valid: user names and passwords"},
        {"[tools]\nsearch_url = \"http://127.0.0.1:99999/\"\n", "dure.toml:2: tools.search_url cannot be used"},
        {"[[tools.mcp]]\nname = \"a\"\ntransport = \"http\"\nurl = \"https://[::1\"\n", "url cannot be used"},
        {"[[tools.mcp]]\nname = \"a\"\n", "needs a command"},
        {"[mail]\nfrom = \"a@b.c\"\nsender = \"smtp\"\n",
         "dure.toml:3: mail.sender = \"smtp\" needs mail.smtp_url_env"},
        {"[mail]\nsender = \"smtp\"\nsmtp_url_env = \"GONE\"\n",
         "dure.toml:3: mail.sender = \"smtp\" needs mail.smtp_url_env"},
        {"[auth]\nsignup_url = \"javascript:x\"\n", "dure.toml:2: auth.signup_url must begin with http"},
        {"[[tools.mcp]]\nname = \"a b\"\ncommand = [\"x\"]\n", "name must consist of letters"},
        {"[server]\nhost = \"not a host\"\n", "dure.toml:2: server.host must be an address or a host name"},
        {"[models]\nembeddings = \"gone\"\n", "dure.toml:2: models.embeddings: there is no model gone"},
        {"[egress]\nallow = [\"127.0.0.1\"]\n", "dure.toml:2: egress.allow: 127.0.0.1 is not of the form host:port"},
        {"[egress]\nallow = [\"http://a:1\"]\n", "is not of the form host:port"},
        {"[egress]\nallow = [\"::1:80\"]\n", "is not of the form host:port"},
        {"[egress]\nallow = [\"a:0\"]\n", "is not of the form host:port"},
        {"[egress]\nallow = [\"a:65536\"]\n", "is not of the form host:port"},
        {"providers = 1\n", "providers must be a list of tables"},
        {"[server\u0148]\n", "dure.toml:1"},
        {"caf\u00e9 = 1\n", "dure.toml:1"},
    };
    for (const auto& [text, message] : cases) {
        toml(text);
        EXPECT_THAT(problems(), Contains(HasSubstr(message))) << text;
    }
}

TEST_F(Load, NoDurationIsLongerThanTenYears)
{
    options_.environment = {{"DURE_SERVER__SHUTDOWN_DEADLINE", "3651d"}};
    EXPECT_THAT(problems(), ElementsAre(HasSubstr("server.shutdown_deadline must be at most 3650d")));
}

TEST_F(Load, NamesWhatOtherPartsFindWrong)
{
    options_.rules = {{"database.url", [](const Settings&) { return std::string(); }},
                      {"redis.url", [](const Settings& settings) -> std::string {
                           return settings.redis.url.reveal() == "redis://h:x" ? "the port is wrong" : "";
                       }}};
    options_.environment = {{"REDIS_URL", "redis://h:x"}, {"BACKEND_PORT", "x"}};
    EXPECT_THAT(problems(),
                ElementsAre("BACKEND_PORT: server.port must be a whole number", "REDIS_URL: the port is wrong"));
    options_.environment = {{"REDIS_URL", "redis://h:1"}};
    EXPECT_THAT(problems(), IsEmpty());
}

TEST_F(Load, TakesTheFirstAdministrator)
{
    options_.environment = {{"ADMIN_EMAIL", "a@example.com"}, {"ADMIN_PASSWORD", "correct horse"}};
    EXPECT_THAT(problems(), IsEmpty());
    EXPECT_EQ(load().settings.auth.admin_email, "a@example.com");
    options_.environment.erase("ADMIN_EMAIL");
    EXPECT_THAT(problems(), ElementsAre("ADMIN_PASSWORD: ADMIN_EMAIL and ADMIN_PASSWORD belong together"));
    options_.environment = {{"ADMIN_EMAIL", "nobody"}, {"ADMIN_PASSWORD", "correct horse"}};
    EXPECT_THAT(problems(), ElementsAre("ADMIN_EMAIL: ADMIN_EMAIL must be an e-mail address"));
}

TEST_F(Load, OffersTheKnownModelsOfAKeyWithoutAFile)
{
    options_.environment["OPENAI_API_KEY"] = "sk-openai";
    auto loaded = load();
    EXPECT_EQ(loaded.settings.models.default_model, "gpt-4o");
    ASSERT_EQ(loaded.settings.providers.size(), 1u);
    EXPECT_EQ(loaded.settings.providers[0].keys.at(0).reveal(), "sk-openai");
    ASSERT_EQ(loaded.settings.model.size(), 2u);
    EXPECT_EQ(loaded.settings.model[1].id, "gpt-4o-mini");

    options_.environment["OPENROUTER_API_KEY"] = "sk-or";
    options_.environment["DURE_MODELS__DEFAULT"] = "claude-3-sonnet";
    loaded = load();
    EXPECT_THAT(problems(), IsEmpty());
    EXPECT_EQ(loaded.settings.models.default_model, "claude-3-sonnet");
    EXPECT_THAT(loaded.settings.model.at(0).targets, ElementsAre("openai/gpt-4o", "openrouter/openai/gpt-4o"));
    EXPECT_THAT(loaded.settings.model.at(2).targets, ElementsAre("openrouter/anthropic/claude-3-sonnet"));
}

TEST_F(Load, TellsOfAFolderThatWasNamedAndIsNotThere)
{
    const auto there = folder_.string(), gone = (folder_ / "gone").string();
    toml("[tools]\ndirectory = \"" + gone + "\"\n[agent]\nprompts = \"" + there + "\"\n");
    auto loaded = load();
    EXPECT_THAT(loaded.problems, IsEmpty());   // it may come before a reload
    EXPECT_THAT(loaded.warnings, ElementsAre(HasSubstr("dure.toml:2: tools.directory: there is no folder " + gone)));
    toml("[tools]\ndirectory = \"\"\n");
    options_.environment["DURE_AGENT__PROMPTS"] = gone;
    loaded = load();
    EXPECT_THAT(loaded.warnings, ElementsAre(HasSubstr("DURE_AGENT__PROMPTS: agent.prompts: there is no folder")));
    options_.environment.clear();
    toml("[tools]\ndirectory = \"config/tools\"\n");   // the usual one need not be there
    EXPECT_THAT(load().warnings, IsEmpty());
}

TEST_F(Load, LeavesAFileWithOwnModelsAlone)
{
    options_.environment["OPENAI_API_KEY"] = "sk-openai";
    toml("[[providers]]\nname = \"local\"\nbase_url = \"http://127.0.0.1:1/v1\"\nkeys_env = [\"MY_KEY\"]\n"
         "[[model]]\nid = \"m\"\ntargets = [\"local/m\"]\n");
    const auto loaded = load();
    EXPECT_EQ(loaded.settings.providers.size(), 1u);
    EXPECT_EQ(loaded.settings.model.size(), 1u);
    EXPECT_EQ(loaded.settings.models.default_model, "mock");
    EXPECT_THAT(problems(), IsEmpty());
    EXPECT_THAT(loaded.warnings, ElementsAre(HasSubstr("dure.toml:4: variable MY_KEY of provider local is not set")));
    options_.environment["MY_KEY"] = " sk-1\r\n";  // from a file
    EXPECT_EQ(load().settings.providers[0].keys.at(0).reveal(), "sk-1");
    options_.environment["MY_KEY"] = "sk-1\nsk-2";
    EXPECT_THAT(problems(), ElementsAre(HasSubstr("MY_KEY of provider local cannot be a key: it has control characters")));
}

TEST_F(Load, ASecretInThePlaceOfAVariablesNameIsRefusedAndShownNowhere)
{
    const std::string secret = "sk-abcdefabcdefabcdef0123";
    toml("[[providers]]\nname = \"local\"\nbase_url = \"http://127.0.0.1:1/v1\"\nkeys_env = [\"" + secret + "\"]\n" +
         "[flows]\nsecrets_env = {token = \"" + secret + "\"}\n" +
         "[[tools.mcp]]\nname = \"m\"\ntransport = \"http\"\nurl = \"http://127.0.0.1:1\"\nheaders_env = {x = \"" +
         secret + "\"}\n" + "[mail]\nsender = \"smtp\"\nfrom = \"a@b.example\"\nsmtp_url_env = \"smtp://me:" + secret +
         "@mail.example:25\"\n");
    const auto loaded = load();
    for (const auto* key :
         {"providers[0].keys_env", "flows.secrets_env", "tools.mcp[0].headers_env", "mail.smtp_url_env"})
        EXPECT_THAT(problems(), Contains(HasSubstr(std::string(key) + " must hold names of variables")));
    for (const auto& line : problems())
        EXPECT_THAT(line, Not(HasSubstr("sk-"))) << line;
    EXPECT_THAT(loaded.warnings, IsEmpty());
    EXPECT_EQ(effective_toml(loaded.settings).find("sk-"), std::string::npos);
}

TEST_F(Load, AnAnthropicKeyAddsTheNativeProvider)
{
    options_.environment["ANTHROPIC_API_KEY"] = "sk-ant";
    const auto loaded = load();
    ASSERT_EQ(loaded.settings.providers.size(), 1u);
    EXPECT_EQ(loaded.settings.providers[0].dialect, "anthropic");
    EXPECT_EQ(loaded.settings.providers[0].keys.at(0).reveal(), "sk-ant");
    EXPECT_EQ(loaded.settings.models.default_model, "claude-3-sonnet");
    EXPECT_THAT(loaded.warnings, IsEmpty());
}

}  // namespace dure::config
