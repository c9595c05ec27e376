// The egress policy: which addresses count as public, what URLs pass, what exceptions are; table by table.
#include "dure/http/egress.hpp"

#include <gtest/gtest.h>

#include "dure/http/client.hpp"

namespace dure::http {
namespace {

EgressPolicy policy_with(std::vector<std::string> allow, std::string own_host = {}, std::uint16_t own_port = 0)
{
    return EgressPolicy::make({std::move(allow), {80, 443}, std::move(own_host), own_port}).value();
}

TEST(Egress, RefusesEveryAddressThatIsNotPublic)
{
    const char* const closed[] = {
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "192.168.255.255",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::8.8.8.8",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:8.8.8.8",
        "::ffff:0:1.2.3.4",
        "64:ff9b::127.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b::169.254.169.254",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:0:7f00:1::",
        "2001:2::1",
        "2001:10::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:a00:1::1",
        "2002:c0a8:101::",
        "2002:a9fe:a9fe::",
        "3fff::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
    };
    for (const auto* address : closed)
        EXPECT_FALSE(is_public(boost::asio::ip::make_address(address))) << address;
}

TEST(Egress, PublicAddressesPass)
{
    const char* const open[] = {
        "1.1.1.1",           "8.8.8.8",
        "9.255.255.255",     "11.0.0.0",
        "100.63.255.255",    "100.128.0.0",
        "126.255.255.255",   "128.0.0.1",
        "169.253.255.255",   "169.255.0.0",
        "172.15.255.255",    "172.32.0.0",
        "192.167.255.255",   "192.169.0.0",
        "198.17.255.255",    "198.20.0.0",
        "223.255.255.255",   "2606:4700:4700::1111",
        "2a00:1450:4001::1", "2001:4860:4860::8888",
        "64:ff9b::8.8.8.8",  "2002:808:808::1",
    };
    for (const auto* address : open)
        EXPECT_TRUE(is_public(boost::asio::ip::make_address(address))) << address;
}

// Spellings that some resolver would take for a private address never become a URL.
TEST(Egress, OddSpellingsOfAddressesAreNoUrls)
{
    const char* const odd[] = {
        "http://2130706433/",
        "http://0177.0.0.1/",
        "http://0x7f.0.0.1/",
        "http://0x7f000001/",
        "http://127.1/",
        "http://127.0.1/",
        "http://127.000.000.001/",
        "http://[fe80::1%25eth0]/",
        "http://[::1%lo]/",
        "http://user@127.0.0.1/",
        "http://127.0.0.1\\@example.com/",
        "http://example.com#@127.0.0.1/",
        "http://\xe2\x91\xa0.0.0.1/",
        "file:///etc/passwd",
        "ftp://example.com/",
        "gopher://127.0.0.1/",
        "http:///path",
        "//example.com/",
    };
    for (const auto* text : odd)
        EXPECT_FALSE(parse_url(text)) << text;
}

TEST(Egress, ChecksPortsAndLiteralAddressesBeforeAnythingIsLookedUp)
{
    const auto policy = policy_with({});
    for (const auto* text :
         {"http://example.com/", "https://example.com/", "http://8.8.8.8/", "https://[2606:4700::1]/"})
        EXPECT_TRUE(policy.check(*parse_url(text))) << text;
    for (const auto* text :
         {"http://example.com:8080/", "https://example.com:22/", "http://127.0.0.1/", "http://[::1]/",
          "http://169.254.169.254/latest/meta-data/", "http://[::ffff:127.0.0.1]/", "http://192.168.0.1:80/"}) {
        const auto refused = policy.check(*parse_url(text));
        ASSERT_FALSE(refused) << text;
        EXPECT_EQ(refused.error().reason(), "egress");
        EXPECT_EQ(refused.error().message().find("127.0.0.1"), std::string::npos);
    }
}

TEST(Egress, ExceptionsAreExactlyHostAndPort)
{
    const auto policy = policy_with({"127.0.0.1:9090", "tools.internal:8443", "[::1]:80"});
    for (const auto* text : {"http://127.0.0.1:9090/x", "https://TOOLS.internal:8443/", "http://[::1]/"})
        EXPECT_TRUE(policy.check(*parse_url(text))) << text;
    for (const auto* text : {"http://127.0.0.1:9091/", "http://127.0.0.1/", "http://127.0.0.2:9090/",
                             "https://tools.internal:9090/", "https://a.tools.internal:8443/", "http://[::1]:9090/"})
        EXPECT_FALSE(policy.check(*parse_url(text))) << text;
    const auto internal = *parse_url("https://tools.internal:8443/");
    EXPECT_TRUE(policy.check(internal, boost::asio::ip::make_address("10.0.0.5")));
    EXPECT_FALSE(policy.check(*parse_url("https://tools.internal/"), boost::asio::ip::make_address("10.0.0.5")));
}

TEST(Egress, EntriesThatAreNoHostAndPortAreRefused)
{
    for (const auto* entry :
         {"127.0.0.1", "example.com", "http://127.0.0.1:80", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:99999",
          "127.0.0.1:80/x", "*", "*:80", "", "a b:80", "127.1:80", "10.0.0.0/8:80"})
        EXPECT_FALSE(EgressPolicy::make({{entry}, {80}, {}, 0})) << entry;
}

TEST(Egress, ThisServersOwnAddressIsRefusedEvenWhenItIsPublic)
{
    const auto policy = policy_with({}, "8.8.4.4", 80);
    EXPECT_FALSE(policy.check(*parse_url("http://8.8.4.4/")));
    EXPECT_TRUE(policy.check(*parse_url("https://8.8.4.4/")));
    EXPECT_FALSE(policy.check(*parse_url("http://me.example/"), boost::asio::ip::make_address("8.8.4.4")));
}

}  // namespace
}  // namespace dure::http
