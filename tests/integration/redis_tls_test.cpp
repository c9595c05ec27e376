// A server whose Redis is reached over TLS: shared state is there, and a Redis that cannot prove itself is as good as none.
#include <gtest/gtest.h>

#include "support/raw_http.hpp"
#include "support/redis_process.hpp"
#include "support/server_process.hpp"

namespace dure::test {
namespace redis_over_tls {

// What /metrics says of Redis once it has been needed.
bool comes_to_show(const ServerProcess& server, const std::string& line)
{
    for (const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
         std::chrono::steady_clock::now() < end; std::this_thread::sleep_for(std::chrono::milliseconds(20))) {
        EXPECT_EQ(fetch(server.port(), raw_request("GET", "/v1/models", server.key())).status, 200);
        if (fetch(server.port(), raw_request("GET", "/metrics", server.key())).body.find("\n" + line + "\n") !=
            std::string::npos)
            return true;
    }
    return false;
}

TEST(RedisOverTls, HoldsTheLimitsOfAServerThatTrustsIt)
{
    const TlsFiles files;
    const RedisProcess redis("s3cr3t-redis-password", &files);
    const ServerProcess server(
        {.configuration = "[redis]\nurl = \"" + redis.tls_url() + "\"\nca_file = \"" + files.authority() + "\"\n"});
    EXPECT_TRUE(comes_to_show(server, "dure_redis_available 1"));
    EXPECT_NE(redis.ask("DBSIZE"), ":0");
}

TEST(RedisOverTls, ThatCannotProveItselfIsNotSpokenToAndTheServerGoesOn)
{
    const TlsFiles files;
    const RedisProcess redis("s3cr3t-redis-password", &files);
    const ServerProcess server({.configuration = "[redis]\nurl = \"" + redis.tls_url() + "\"\nca_file = \"" +
                                                 files.other_authority() + "\"\n"});
    EXPECT_TRUE(comes_to_show(server, "dure_redis_available 0"));
    EXPECT_NE(server.err().find("certificate"), std::string::npos) << server.err();
    EXPECT_EQ(redis.ask("DBSIZE"), ":0");
    EXPECT_EQ((server.out() + server.err()).find("s3cr3t"), std::string::npos);
}

TEST(RedisOverTls, WrongSettingsStopTheStartAndAreNamed)
{
    const TemporaryFolder empty;
    const auto unread = run_command(empty.path(), {"serve", "--port", "0"},
                                    {{"REDIS_URL", "rediss://127.0.0.1:1"}, {"DURE_REDIS__CA_FILE", "nowhere.pem"}});
    EXPECT_NE(unread.code, 0);
    EXPECT_NE(unread.err.find("redis.ca_file \"nowhere.pem\""), std::string::npos) << unread.err;
    const auto alone = run_command(empty.path(), {"config", "check"}, {{"DURE_REDIS__CA_FILE", "nowhere.pem"}});
    EXPECT_NE(alone.code, 0);
    EXPECT_NE(alone.err.find("redis.ca_file needs"), std::string::npos) << alone.err;
}

}  // namespace redis_over_tls
}  // namespace dure::test
