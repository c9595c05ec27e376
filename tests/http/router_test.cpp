// Paths, queries and the table of routes.
#include "dure/http/router.hpp"

#include <gtest/gtest.h>

namespace dure::http::router_test {
namespace {

using namespace std::string_literals;
using Segments = std::vector<std::string>;

TEST(Path, DecodesEverySegmentOnce)
{
    EXPECT_EQ(parse_path("/"), Segments());
    EXPECT_EQ(parse_path("/a/b"), (Segments{"a", "b"}));
    EXPECT_EQ(parse_path("/a%20b/%ED%95%9C"), (Segments{"a b", "한"}));
    EXPECT_EQ(parse_path("/a%2541"), Segments{"a%41"});
    EXPECT_EQ(parse_path("/..."), Segments{"..."});
}

TEST(Path, RefusesEveryOtherReading)
{
    for (const auto& path : {""s, "a"s, "*"s, "//"s, "/a//b"s, "/a/"s, "/."s, "/a/.."s, "/%2e%2e"s, "/%2E"s, "/a%2fb"s, "/a%5Cb"s,
                             "/a\\b"s, "/a%00"s, "/a%"s, "/a%2"s, "/a%zz"s, "/%ff"s, "/%c0%ae"s})
        EXPECT_FALSE(parse_path(path)) << path;
}

TEST(Query, DecodesPairsInOrder)
{
    const auto query = parse_query("a=1&b=x+y%2B&a=&c&&d==");
    const std::vector<std::pair<std::string, std::string>> expected = {{"a", "1"}, {"b", "x y+"}, {"a", ""}, {"c", ""}, {"d", "="}};
    EXPECT_EQ(query, expected);
    for (const auto* broken : {"a=%", "%zz=1", "a=%ff"})
        EXPECT_FALSE(parse_query(broken)) << broken;
}

RouteTree table()
{
    RouteTree tree;
    tree.add(Method::get, "/", 0);
    tree.add(Method::get, "/users/me", 1);
    tree.add(Method::get, "/users/{id}", 2);
    tree.add(Method::delete_, "/users/{id}", 3);
    tree.add(Method::get, "/users/{id}/keys/{key}", 4);
    tree.add(Method::get, "/models/{model...}", 5);
    tree.add(Method::post, "/models", 6);
    return tree;
}

struct RouteCase {
    Method method;
    const char* path;
    int route;
    PathParameters parameters;
    std::size_t allowed;
};

TEST(Router, OnlyARestParameterTakesAnEncodedSlash)
{
    const auto tree = table();
    const auto found = tree.find(Method::get, "/models/openai%2Fgpt-4o%3Afree");
    ASSERT_TRUE(found);
    EXPECT_EQ(found->route, 5);
    EXPECT_EQ(found->parameters, (PathParameters{{"model", "openai/gpt-4o:free"}}));
    for (const auto* path : {"/users/a%2Fb", "/users/me%2Fkeys", "/models/a%2F..%2Fb", "/models/%2Fa", "/models/a%2F", "/nowhere/a%2Fb"})
        EXPECT_FALSE(tree.find(Method::get, path)) << path;
}

TEST(Router, FindsRoutes)
{
    const auto tree = table();
    const std::vector<RouteCase> cases = {
        {Method::get, "/", 0, {}, 0},
        {Method::get, "/users/me", 1, {}, 0},
        {Method::get, "/users/7", 2, {{"id", "7"}}, 0},
        {Method::head, "/users/7", 2, {{"id", "7"}}, 0},
        {Method::delete_, "/users/7", 3, {{"id", "7"}}, 0},
        {Method::get, "/users/me/keys/k%201", 4, {{"id", "me"}, {"key", "k 1"}}, 0},
        {Method::get, "/models/a/b", 5, {{"model", "a/b"}}, 0},
        {Method::get, "/models/a", 5, {{"model", "a"}}, 0},
        {Method::get, "/models", -1, {}, 1},
        {Method::put, "/users/7", -1, {}, 3},
        {Method::delete_, "/users/me", -1, {}, 2},
        {Method::get, "/users", -1, {}, 0},
        {Method::get, "/users/7/keys", -1, {}, 0},
        {Method::get, "/nothing", -1, {}, 0},
    };
    for (const auto& one : cases) {
        const auto match = tree.find(one.method, one.path);
        ASSERT_TRUE(match) << one.path;
        EXPECT_EQ(match->route, one.route) << one.path;
        EXPECT_EQ(match->parameters, one.parameters) << one.path;
        EXPECT_EQ(match->allowed.size(), one.allowed) << one.path;
    }
}

TEST(Router, RefusesMalformedPaths)
{
    const auto found = table().find(Method::get, "/users/../models");
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code(), Errc::invalid_argument);
}

TEST(Router, RefusesMalformedAndDoublePatterns)
{
    for (const auto* pattern : {"", "users", "/users//", "/{}", "/{a", "/a{b}", "/{a...}/b", "/{a.b}", "/users/{other}"}) {
        auto tree = table();
        EXPECT_THROW(tree.add(Method::get, pattern, 9), InvariantBroken) << pattern;
    }
}

}  // namespace
}  // namespace dure::http::router_test
