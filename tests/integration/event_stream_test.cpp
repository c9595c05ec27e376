// Following events over HTTP on both databases: from a position, after a lost connection, only what one may see, and no longer
// than one's credential is good.
#include <gtest/gtest.h>

#include "integration/events_on_the_wire.hpp"
#include "support/redis_process.hpp"

namespace dure::test {
namespace event_streams {

using namespace std::chrono_literals;
using Positions = std::vector<std::int64_t>;

std::string stream_request(const std::string& credential, const std::string& query, const RawFields& fields = {})
{
    return raw_request("GET", "/api/events/stream" + query, credential, {}, fields);
}

// The ids of the events that came until the one of `last` was there.
Positions read_to(RawClient& client, std::int64_t last)
{
    const auto text = client.read_until("id: " + std::to_string(last) + "\n");
    Positions positions;
    for (std::size_t at = 0; (at = text.find("\nid: ", at)) != std::string::npos; ++at)
        positions.push_back(std::stoll(text.substr(at + 5)));
    return positions;
}

class EventStreams : public EventsOnTheWire {
protected:
    // Of kim's events, oldest first.
    Positions positions_of_kim() const
    {
        Positions positions;
        const auto answer = ask(kim, "/api/events/audit?limit=100").json();
        for (const auto& event : answer.at("events"))
            positions.insert(positions.begin(), event.at("position").get<std::int64_t>());
        return positions;
    }
    std::int64_t newest_of_kim() const { return positions_of_kim().back(); }
};

TEST_P(EventStreams, GivesWhatIsStoredThenWhatHappensEachOnceAndOnlyWhatOneMaySee)
{
    kim.new_session("before");
    RawClient follower(server.port());
    follower.send(stream_request(kim.token, "?after=0"));
    EXPECT_EQ(read_to(follower, newest_of_kim()), positions_of_kim());
    for (int i = 0; i < 3; ++i) {
        lee.new_session("foreign");
        kim.new_session("own");
    }
    EXPECT_EQ(read_to(follower, newest_of_kim()), positions_of_kim());

    RawClient all(server.port());
    all.send(stream_request(admin.token, "?after=0"));
    Positions every;
    for (std::int64_t i = 1; i <= newest_of_kim(); ++i)
        every.push_back(i);
    auto read = read_to(all, newest_of_kim());
    read.resize(every.size());   // behind them: that the administrator reads
    EXPECT_EQ(read, every);
}

TEST_P(EventStreams, AfterALostConnectionLastEventIdGoesOnWhereItEnded)
{
    RawClient first(server.port());
    first.send(stream_request(kim.token, "?after=0"));
    kim.new_session("one");
    const auto seen = read_to(first, newest_of_kim());
    first.leave();
    kim.new_session("while nobody reads");
    kim.new_session("while nobody reads");
    // A browser sends the address it began with and the id it saw last: the id counts.
    RawClient second(server.port());
    second.send(stream_request(kim.token, "?after=0", {{"Last-Event-ID", std::to_string(seen.back())}}));
    auto both = seen;
    for (const auto position : read_to(second, newest_of_kim()))
        both.push_back(position);
    EXPECT_EQ(both, positions_of_kim());
    for (const auto* wrong : {"x", "-1", "1x", "99999999999999999999"})
        EXPECT_EQ(fetch(server.port(), stream_request(kim.token, "", {{"Last-Event-ID", wrong}})).status, 422) << wrong;
}

TEST_P(EventStreams, WithoutAPositionItBeginsNowAndMayFollowOneAggregate)
{
    const auto followed = kim.new_session("followed");
    RawClient one(server.port());
    one.send(stream_request(kim.token, "?aggregate_id=" + followed));
    one.read_until(": keep-alive");   // its first comment: it stands
    kim.new_session("another");
    kim.say(followed, "hello");
    EXPECT_EQ(read_to(one, newest_of_kim()), Positions{newest_of_kim()});
}

TEST_P(EventStreams, EndsWhenItsKeyIsRevokedOrItsTokenEnded)
{
    const auto made =
        fetch(server.port(), raw_request("POST", "/api/keys", kim.token, R"({"name":"follower"})")).json();
    const auto again = log_in("kim%40example.kr", "correct horse battery");
    RawClient by_key(server.port()), by_token(server.port()), stays(server.port());
    for (const auto& [client, credential] : {std::pair(&by_key, made.at("key").get<std::string>()),
                                             std::pair(&by_token, again.token), std::pair(&stays, kim.token)}) {
        client->send(stream_request(credential, ""));
        client->read_until(": keep-alive");
    }
    EXPECT_EQ(ask_to(kim, "DELETE", "/api/keys/" + made.at("id").get<std::string>()).status, 204);
    EXPECT_EQ(ask_to(again, "POST", "/auth/jwt/logout").status, 204);
    for (auto* ended : {&by_key, &by_token})
        EXPECT_NO_THROW(ended->read_until("\r\n0\r\n\r\n"));  // the last chunk: finished, not cut
    kim.new_session("after");
    EXPECT_NO_THROW(read_to(stays, newest_of_kim()));
}

TEST_P(EventStreams, OfAnotherReplicaComeThroughRedisAndWithoutItToo)
{
    if (GetParam() == "sqlite")
        return;  // one process has its file for itself
    const auto database = fresh_schema();
    RedisProcess redis;
    const auto configuration = options("sqlite").configuration + "[redis]\nurl = \"" + redis.url() + "\"\n";
    const ServerProcess a(on_postgres(database, configuration)), b(on_postgres(database, configuration));
    RawClient follower(b.port());
    follower.send(stream_request(b.key(), ""));
    follower.read_until(": keep-alive");
    const auto make = [&](const std::string& title) {
        EXPECT_EQ(
            fetch(a.port(), raw_request("POST", "/api/chat/session", a.key(), Json{{"title", title}}.dump())).status,
            201);
    };
    make("through redis");
    EXPECT_NO_THROW(follower.read_until("through redis"));
    redis.kill();
    make("without redis");
    EXPECT_NO_THROW(follower.read_until("without redis"));
}

INSTANTIATE_TEST_SUITE_P(Databases, EventStreams, testing::Values("sqlite", "postgres"),
                         [](const auto& info) { return info.param; });

}  // namespace event_streams
}  // namespace dure::test
