// parse_url: what is accepted, how it reads, and the spellings that are refused.
#include <gtest/gtest.h>

#include "dure/http/client.hpp"

namespace dure::http {
namespace {

TEST(Url, ReadsSchemeHostPortAndTarget)
{
    struct Case {
        std::string_view text;
        std::string origin;
        std::string target;
    };
    const Case cases[] = {
        {"http://example.com", "http://example.com:80", "/"},
        {"https://example.com", "https://example.com:443", "/"},
        {"HTTPS://API.Example.COM:8443/v1/Chat?a=B%20c&d", "https://api.example.com:8443", "/v1/Chat?a=B%20c&d"},
        {"http://127.0.0.1:11434/v1", "http://127.0.0.1:11434", "/v1"},
        {"http://[::1]:8080/x", "http://[::1]:8080", "/x"},
        {"http://localhost?q=1", "http://localhost:80", "/?q=1"},
        {"http://model_server:1/", "http://model_server:1", "/"},
        {"http://a.b/x@y", "http://a.b:80", "/x@y"},
        {"http://8.example.1a/", "http://8.example.1a:80", "/"},
    };
    for (const Case& one : cases) {
        const auto url = parse_url(one.text);
        ASSERT_TRUE(url) << one.text << ": " << url.error().message();
        EXPECT_EQ(url->origin(), one.origin) << one.text;
        EXPECT_EQ(url->target, one.target) << one.text;
    }
}

TEST(Url, RefusesWhatTwoReadersCouldReadDifferently)
{
    const std::string_view broken[] = {
        "", "example.com", "/path", "ftp://a.b/", "file:///etc/passwd", "http:/a.b", "http:a.b", "//a.b/", "http://",
        "http:///x", "http://:80/", "http://user@a.b/", "http://user:pw@a.b/", "http://a.b@c.d/", "http://a.b/x#y",
        "http://a.b\\c/", "http://a.b/x\\y", "http://a b/", " http://a.b/", "http://a.b/x y", "http://a.b/\r\nX: y",
        "http://a.b/\t", std::string_view("http://a.b/\0x", 13), "http://a.b/\x7f", "http://\xc3\xa9.b/", "http://a.b/\xc3\xa9",
        "http://a.b:0/", "http://a.b:65536/", "http://a.b:/", "http://a.b:80a/", "http://a.b:+80/", "http://a.b:-1/",
        "http://a..b/", "http://.a/", "http://a.b./", "http://a%2eb/", "http://[::1/", "http://[::1]x/", "http://[fe80::1%25eth0]/",
        "http://[fe80::1%eth0]/", "http://[127.0.0.1]/", "http://[]/", "http://2130706433/", "http://127.1/", "http://0177.0.0.1/",
        "http://0x7f.0.0.1/", "http://127.0.0.0x1/", "http://127.0.0.01/", "http://256.0.0.1/", "http://1.2.3.4.5/", "http://a.0x/",
    };
    for (const std::string_view text : broken) {
        const auto url = parse_url(text);
        EXPECT_FALSE(url) << text;
        if (!url)
            EXPECT_EQ(url.error().code(), Errc::invalid_argument);
    }
    EXPECT_FALSE(parse_url("http://a.b/" + std::string(9000, 'x')));
    EXPECT_FALSE(parse_url("http://" + std::string(64, 'x') + ".b/"));
}

}  // namespace
}  // namespace dure::http
