// The address of the server as it is printed.
#include "app/address.hpp"

#include <gtest/gtest.h>

namespace dure::app {
namespace {

TEST(UrlHost, IsTheAddressItselfWithIpv6InBrackets)
{
    for (const auto& [host, shown] :
         {std::pair("127.0.0.1", "127.0.0.1"), std::pair("localhost", "localhost"), std::pair("0.0.0.0", "0.0.0.0"),
          std::pair("::", "[::]"), std::pair("::1", "[::1]"), std::pair("[::1]", "[::1]")})
        EXPECT_EQ(url_host(host), shown);
}

}  // namespace
}  // namespace dure::app
