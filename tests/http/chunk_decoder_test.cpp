// ChunkDecoder: any split gives the same body; what is not strict HTTP is an error; bounds hold.
#include <gtest/gtest.h>

#include "http/chunk_decoder.hpp"

namespace dure::http {
namespace {

struct Decoded {
    std::string body;
    std::string behind;   // what the decoder did not use
    ChunkDecoder::State state = ChunkDecoder::State::need_more;
};

Decoded decode_in_pieces(std::string_view input, std::size_t piece, ChunkDecoder::Limits limits = {})
{
    ChunkDecoder decoder(limits);
    Decoded out;
    while (!input.empty() && decoder.state() == ChunkDecoder::State::need_more) {
        std::string bytes(input.substr(0, piece));
        const auto step = decoder.decode(bytes.data(), bytes.size());
        out.body.append(bytes, 0, step.body);
        input.remove_prefix(step.consumed);
    }
    out.behind = input;
    out.state = decoder.state();
    return out;
}

TEST(ChunkDecoder, GivesTheSameBodyForEverySplit)
{
    constexpr std::string_view input =
        "5\r\nHello\r\n1;name=\"a;b\"\r\n,\r\n00A\r\n wide worl\r\n1\r\nd\r\n0;last\r\nX-Sum: 1\r\nY: 2\r\n\r\nGET /next";
    for (std::size_t piece = 1; piece <= input.size(); ++piece) {
        const Decoded decoded = decode_in_pieces(input, piece);
        EXPECT_EQ(decoded.state, ChunkDecoder::State::done) << piece;
        EXPECT_EQ(decoded.body, "Hello, wide world") << piece;
        EXPECT_EQ(decoded.behind, "GET /next") << piece;
    }
}

// RFC 9112 §7.1.1: a recipient takes them off. The size is the same for all who read it.
TEST(ChunkDecoder, TakesBlanksBeforeAnExtension)
{
    constexpr std::string_view input = "5 ;x=1\r\nHello\r\n1\t \t;\r\n!\r\n0 ; last\r\n\r\nGET /next";
    for (std::size_t piece = 1; piece <= input.size(); ++piece) {
        const Decoded decoded = decode_in_pieces(input, piece);
        EXPECT_EQ(decoded.state, ChunkDecoder::State::done) << piece;
        EXPECT_EQ(decoded.body, "Hello!") << piece;
        EXPECT_EQ(decoded.behind, "GET /next") << piece;
    }
}

// What one reader may take for 5 and another for 53, or for the end of the size.
TEST(ChunkDecoder, RefusesBlanksWithoutAnExtension)
{
    const std::string_view broken[] = {"5 \r\nHello\r\n",   "5 3\r\nHello\r\n", "5 3;x\r\nHello\r\n", "5\t\r\nHello\r\n",
                                       "5 \n;x\r\nHello\r\n", "5 \v;x\r\n",         " ;x\r\n",            "5 x;y\r\nHello\r\n"};
    for (const std::string_view input : broken)
        for (std::size_t piece = 1; piece <= input.size(); ++piece)
            EXPECT_EQ(decode_in_pieces(input, piece).state, ChunkDecoder::State::error) << input << " by " << piece;
}

TEST(ChunkDecoder, DecodesABurstOfChunksIntoOneRun)
{
    std::string input;
    for (int i = 0; i < 500; ++i)
        input += "3\r\nabc\r\n";
    ChunkDecoder decoder;
    const auto step = decoder.decode(input.data(), input.size());
    EXPECT_EQ(step.body, 1500u);
    EXPECT_EQ(step.consumed, 500u * 8);
    EXPECT_EQ(input.substr(0, 9), "abcabcabc");
    EXPECT_EQ(decoder.state(), ChunkDecoder::State::need_more);
    EXPECT_EQ(decoder.body_bytes(), 1500u);
}

TEST(ChunkDecoder, RefusesWhatIsNotStrict)
{
    const std::string_view broken[] = {
        "\r\n", " 5\r\nHello\r\n", "5 \r\nHello\r\n", "+5\r\nHello\r\n", "-1\r\n", "0x5\r\nHello\r\n", "5\nHello\r\n",
        "5\r\nHelloX\r\n", "5\r\nHello\n", "5\r\nHello\r\r", "g\r\n", "5\rX", "ffffffffffffffff\r\n", "1000000000000000\r\n",
        "5;a\nb\r\nHello\r\n", "5;\x01\r\nHello\r\n", "0\r\nA: b\n\r\n", "0\r\n\rX", "0\r\nA\rb", ";x\r\n",
        std::string_view("5\0\r\nHello", 9),
    };
    for (const std::string_view input : broken)
        for (std::size_t piece = 1; piece <= input.size(); ++piece)
            EXPECT_EQ(decode_in_pieces(input, piece).state, ChunkDecoder::State::error) << input << " by " << piece;
}

TEST(ChunkDecoder, BoundsLinesTrailersAndOverhead)
{
    ChunkDecoder::Limits limits;
    limits.line_bytes = 20;
    limits.trailer_bytes = 20;
    limits.overhead_bytes = 100;
    EXPECT_EQ(decode_in_pieces("5;" + std::string(17, 'x') + "\r\nHello\r\n", 7, limits).state, ChunkDecoder::State::need_more);
    EXPECT_EQ(decode_in_pieces("5;" + std::string(18, 'x') + "\r\nHello\r\n", 7, limits).state, ChunkDecoder::State::error);
    EXPECT_EQ(decode_in_pieces("5" + std::string(18, ' ') + ";\r\nHello\r\n", 7, limits).state, ChunkDecoder::State::error);
    EXPECT_EQ(decode_in_pieces("0\r\nA: " + std::string(13, 'x') + "\r\n\r\n", 7, limits).state, ChunkDecoder::State::done);
    EXPECT_EQ(decode_in_pieces("0\r\nA: " + std::string(20, 'x') + "\r\n\r\n", 7, limits).state, ChunkDecoder::State::error);

    std::string bomb;   // five bytes of framing for each byte of body
    for (int i = 0; i < 100; ++i)
        bomb += "1\r\nx\r\n";
    EXPECT_EQ(decode_in_pieces(bomb, 64, limits).state, ChunkDecoder::State::error);
    limits.overhead_per_body_byte = 5;
    EXPECT_EQ(decode_in_pieces(bomb, 64, limits).body, std::string(100, 'x'));
}

TEST(ChunkDecoder, UsesUpNothingAfterItsEnd)
{
    ChunkDecoder decoder;
    std::string input = "0\r\n\r\n5\r\n";
    EXPECT_EQ(decoder.decode(input.data(), input.size()).consumed, 5u);
    EXPECT_EQ(decoder.decode(input.data(), input.size()).consumed, 0u);
    EXPECT_EQ(decoder.state(), ChunkDecoder::State::done);
}

}  // namespace
}  // namespace dure::http
