// What answers of MCP servers mean.
#include "tools/mcp/protocol.hpp"

#include <gtest/gtest.h>

namespace dure::tools::mcp {
namespace {

TEST(McpProtocol, SaysHowMuchDataWasLeftOut)
{
    const auto read = read_call({{"content",
                                  {{{"type", "image"}, {"data", std::string(1234, 'A')}},
                                   {{"type", "resource"}, {"resource", {{"blob", std::string(56, 'B')}}}}}}});
    ASSERT_TRUE(read);
    EXPECT_EQ((*read)[0]["data"], "[1234 characters of base64 left out]");
    EXPECT_EQ((*read)[1]["resource"]["blob"], "[56 characters of base64 left out]");
}

}  // namespace
}  // namespace dure::tools::mcp
