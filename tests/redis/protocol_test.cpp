// The protocol without sockets: addresses, commands as bytes, replies from bytes in any pieces, lies.
#include "redis/protocol.hpp"

#include <gtest/gtest.h>

namespace dure::redis {
namespace {

TEST(RedisAddress, ReadsEveryPartOfTheUrl)
{
    const auto full = parse_address("redis://ana:p%40ss:w@redis.local:6380/3").value();
    EXPECT_EQ(full.host, "redis.local");
    EXPECT_EQ(full.port, 6380);
    EXPECT_EQ(full.user, "ana");
    EXPECT_EQ(full.password.reveal(), "p@ss:w");
    EXPECT_EQ(full.database, 3);
    const auto plain = parse_address("redis://localhost").value();
    EXPECT_EQ(plain.port, 6379);
    EXPECT_EQ(plain.database, 0);
    EXPECT_TRUE(plain.password.empty());
    const auto by_number = parse_address("redis://:secret@[::1]:7000/").value();
    EXPECT_EQ(by_number.host, "::1");
    EXPECT_EQ(by_number.port, 7000);
    EXPECT_EQ(by_number.password.reveal(), "secret");
    EXPECT_FALSE(by_number.tls);
    const auto secured = parse_address("rediss://:secret@cache.internal/2").value();
    EXPECT_TRUE(secured.tls);
    EXPECT_EQ(secured.host, "cache.internal");
    EXPECT_EQ(secured.port, 6379);
    EXPECT_EQ(secured.database, 2);
}

TEST(RedisAddress, RefusesWhatIsWrongWithoutShowingThePassword)
{
    for (const auto* url : {"", "localhost:6379", "http://hunter2", "redisss://:hunter2@host", "rediss://", "redis://",
                            "redis://:hunter2@", "redis://:hunter2@host:0", "redis://:hunter2@host:65536",
                            "redis://:hunter2@host:x", "redis://:hunter2@host/one", "redis://:hunter2@host/-1",
                            "redis://:hunter2@host/1/2", "redis://:%zzhunter2@host", "redis://hunter2@host",
                            "redis://:hunter2@[::1", "redis://:hunter2@ho st", "redis://:hunter2@[::1]x"}) {
        const auto address = parse_address(url);
        ASSERT_FALSE(address) << url;
        EXPECT_EQ(address.error().code(), Errc::invalid_argument);
        EXPECT_EQ((address.error().message() + address.error().detail()).find("hunter2"), std::string::npos) << url;
    }
}

TEST(RedisProtocol, WritesBinaryArguments)
{
    std::string bytes;
    append_command(bytes, {"SET", std::string("a\0b", 3), "\r\n"});
    using namespace std::string_literals;
    EXPECT_EQ(bytes, "*3\r\n$3\r\nSET\r\n$3\r\na\0b\r\n$2\r\n\r\n\r\n"s);
}

TEST(RedisProtocol, ReadsRepliesHoweverTheyAreCut)
{
    const std::string bytes = "+OK\r\n:-42\r\n$-1\r\n$5\r\nhe\r\no\r\n-NOSCRIPT "
                              "none\r\n*3\r\n:1\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n*0\r\n";
    for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
        ReplyReader reader;
        std::vector<Reply> replies;
        for (std::size_t at = 0; at < bytes.size(); at += piece) {
            ASSERT_TRUE(reader.feed(std::string_view(bytes).substr(at, piece)));
            while (auto reply = reader.next())
                replies.push_back(std::move(*reply));
        }
        ASSERT_EQ(replies.size(), 7u) << "pieces of " << piece;
        EXPECT_EQ(replies[0].text, "OK");
        EXPECT_EQ(replies[1].integer, -42);
        EXPECT_EQ(replies[2].kind, Reply::Kind::nil);
        EXPECT_EQ(replies[3].text, "he\r\no");
        EXPECT_EQ(replies[4].kind, Reply::Kind::error);
        ASSERT_EQ(replies[5].items.size(), 3u);
        ASSERT_EQ(replies[5].items[1].items.size(), 2u);
        EXPECT_EQ(replies[5].items[1].items[1].text, "b");
        EXPECT_EQ(replies[5].items[2].text, "c");
        EXPECT_TRUE(replies[6].items.empty());
    }
}

TEST(RedisProtocol, GivesUpOnWhatIsNoReply)
{
    for (const auto* bytes : {"HTTP/1.1 400 Bad Request\r\n", "$x\r\n", "*-5\r\n", ":12a\r\n", "$-2\r\n",
                              "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"}) {
        ReplyReader reader;
        reader.feed(bytes);
        while (reader.next()) {}
        EXPECT_TRUE(reader.broken()) << bytes;
        EXPECT_FALSE(reader.next()) << bytes;
    }
}

TEST(RedisProtocol, HoldsNoMoreThanItsBoundForOneReply)
{
    ReplyReader reader(1000);
    EXPECT_TRUE(reader.feed("*2000000000\r\n"));   // a claimed count reserves nothing
    EXPECT_FALSE(reader.next());
    bool taken = true;
    for (int i = 0; i < 300 && taken; ++i) {
        taken = reader.feed(":1\r\n");
        EXPECT_FALSE(reader.next());
    }
    EXPECT_FALSE(taken);
    EXPECT_TRUE(reader.broken());

    ReplyReader many(1000);
    for (int i = 0; i < 1000; ++i) {   // many small replies are no large one
        ASSERT_TRUE(many.feed("+OK\r\n"));
        ASSERT_TRUE(many.next());
    }
}

}  // namespace
}  // namespace dure::redis
