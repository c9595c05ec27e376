// PostgreSQL over TLS: a certificate of the test's own, checked as the URL asks.
#include "support/databases.hpp"
#include "support/tls_identity.hpp"

namespace dure::sql {
namespace postgres_over_tls {

class PostgresOverTls : public testing::Test {
protected:
    PostgresOverTls()
    {
        test::write_pem(folder.file("ca.pem"), authority.get());
        const auto other_key = test::make_key();
        const auto other = test::make_certificate(other_key.get(), "other", nullptr, nullptr, other_key.get());
        test::write_pem(folder.file("other.pem"), other.get());
    }

    std::vector<std::string> give_identity(const std::filesystem::path& data)
    {
        const auto key = test::make_key();
        const auto identity =
            test::make_certificate(key.get(), "db", "IP:127.0.0.1", authority.get(), authority_key.get());
        test::write_pem(data / "server.crt", identity.get());
        test::write_pem(data / "server.key", nullptr, key.get());
        for (const auto* file : {"server.crt", "server.key"})
            test::PostgresProcess::give_away(data / file);
        return {"ssl=on"};
    }

    Result<std::unique_ptr<Database>> open(const std::string& parameters) const
    {
        auto options = test::postgres_options("postgresql://app:never-shown@127.0.0.1:" + std::to_string(server.port()) +
                                              "/postgres?" + parameters);
        options.start_wait = std::chrono::milliseconds(0);
        return open_postgres(std::move(options));
    }

    test::TemporaryFolder folder;
    test::PrivateKey authority_key = test::make_key();
    test::Certificate authority =
        test::make_certificate(authority_key.get(), "test authority", nullptr, nullptr, authority_key.get());
    test::PostgresProcess server{[this](const std::filesystem::path& data) { return give_identity(data); }};
};

TEST_F(PostgresOverTls, UnitsRunEncryptedOnAServerWhoseCertificateFits)
{
    for (const auto& parameters : {"sslmode=verify-full&sslrootcert=" + folder.file("ca.pem"), std::string("sslmode=require")}) {
        const auto database = open(parameters);
        ASSERT_TRUE(database) << database.error().message();
        const auto encrypted = (*database)->run_now([](Connection& c) {
            return c.query("SELECT COUNT(*) AS count FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl");
        });
        EXPECT_EQ(encrypted.value().front().integer("count"), 1) << parameters;
    }
}

TEST_F(PostgresOverTls, AServerOfAnotherAuthorityIsRefusedWithoutThePassword)
{
    const auto refused = open("sslmode=verify-full&sslrootcert=" + folder.file("other.pem"));
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message().find("certificate"), std::string::npos) << refused.error().message();
    EXPECT_EQ((refused.error().message() + refused.error().detail()).find("never-shown"), std::string::npos);
}

}  // namespace postgres_over_tls
}  // namespace dure::sql
