// The parser of upstream heads: framing decisions, and what is refused.
#include <gtest/gtest.h>

#include "http/client/body_decoder.hpp"
#include "http/client/response_head.hpp"

namespace dure::http::outgoing {
namespace {

std::optional<ResponseHead> parse(const std::string& head, Method method = Method::get)
{
    const char* problem = nullptr;
    return parse_response_head(head + "\r\n", method, problem);
}

TEST(ResponseHead, FindsItsEndWhateverTheSplit)
{
    const std::string bytes = "HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody";
    std::size_t scanned = 0;
    for (std::size_t size = 0; size < bytes.size() - 4; ++size)
        EXPECT_EQ(find_head_end(std::string_view(bytes).substr(0, size), scanned), 0u);
    EXPECT_EQ(find_head_end(bytes, scanned), bytes.size() - 4);
}

TEST(ResponseHead, DecidesFramingAndReuse)
{
    struct Case {
        std::string head;
        Method method;
        Framing framing;
        bool keep_alive;
    };
    const Case cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", Method::get, Framing::length, true},
        {"HTTP/1.1 200\r\ncontent-length:5\r\n", Method::get, Framing::length, true},
        {"HTTP/1.1 200 \r\nContent-Length: 5\r\nContent-Length: 5\r\n", Method::get, Framing::length, true},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", Method::get, Framing::none, true},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n", Method::post, Framing::chunked, true},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n", Method::post, Framing::chunked, false},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: x, Close\r\n", Method::post, Framing::chunked, false},
        {"HTTP/1.1 200 OK\r\n", Method::get, Framing::until_close, false},
        {"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n", Method::get, Framing::length, false},
        {"HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n", Method::get, Framing::length, true},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", Method::head, Framing::none, true},
        {"HTTP/1.1 204 No Content\r\n", Method::get, Framing::none, true},
        {"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n", Method::get, Framing::none, true},
    };
    for (const Case& one : cases) {
        const auto head = parse(one.head, one.method);
        ASSERT_TRUE(head) << one.head;
        EXPECT_EQ(head->framing, one.framing) << one.head;
        EXPECT_EQ(head->keep_alive, one.keep_alive) << one.head;
    }
}

TEST(ResponseHead, KeepsFieldsInOrderAndTrimsBlanks)
{
    const auto head = parse("HTTP/1.1 429 Too Many Requests\r\nRetry-After: \t 3 \r\nX-A: \r\nx-a: 2\r\n");
    ASSERT_TRUE(head);
    EXPECT_EQ(head->status, 429);
    const std::vector<std::pair<std::string, std::string>> expected{{"Retry-After", "3"}, {"X-A", ""}, {"x-a", "2"}};
    EXPECT_EQ(head->headers, expected);
}

TEST(ResponseHead, RefusesWhatIsNotStrictHttp)
{
    const std::string broken[] = {
        "\r\n", "HTTP/2 200 OK\r\n", "HTTP/1.2 200 OK\r\n", "http/1.1 200 OK\r\n", "HTTP/1.1  200 OK\r\n", "HTTP/1.1 20 OK\r\n",
        "HTTP/1.1 2000 OK\r\n", "HTTP/1.1 099 OK\r\n", "HTTP/1.1 2x0 OK\r\n", "HTTP/1.1 -20 OK\r\n", "HTTP/1.1 200OK\r\n",
        "<html>\r\n", "ICY 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nA b\r\n", "HTTP/1.1 200 OK\r\n: b\r\n", "HTTP/1.1 200 OK\r\nA : b\r\n", "HTTP/1.1 200 OK\r\n A: b\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n", "HTTP/1.1 200 OK\r\nA: b\nB: c\r\n", "HTTP/1.1 200 OK\r\nA: b\rc\r\n",
        std::string("HTTP/1.1 200 OK\r\nA: b\0c\r\n", 26), "HTTP/1.1 200 OK\r\nA: \x7f\r\n", "HTTP/1.1 200 O\nK\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n", "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1a\r\n", "HTTP/1.1 200 OK\r\nContent-Length:\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n",
    };
    for (const std::string& head : broken)
        EXPECT_FALSE(parse(head)) << head;
}

TEST(BodyDecoder, GivesALengthAndLeavesTheRest)
{
    BodyDecoder decoder(Framing::length, 5);
    std::string bytes = "helloHTTP";
    EXPECT_EQ(decoder.decode(bytes.data(), 2).body, 2u);
    EXPECT_EQ(decoder.decode(bytes.data() + 2, 7).consumed, 3u);
    EXPECT_EQ(decoder.state(), BodyDecoder::State::done);
}

TEST(BodyDecoder, EndsWithTheConnectionOnlyWithoutAnyFraming)
{
    BodyDecoder open(Framing::until_close, 0);
    BodyDecoder length(Framing::length, 5);
    BodyDecoder chunked(Framing::chunked, 0);
    for (BodyDecoder* one : {&open, &length, &chunked})
        one->end_of_input();
    EXPECT_EQ(open.state(), BodyDecoder::State::done);
    EXPECT_EQ(length.state(), BodyDecoder::State::need_more);
    EXPECT_EQ(chunked.state(), BodyDecoder::State::need_more);
}

}  // namespace
}  // namespace dure::http::outgoing
