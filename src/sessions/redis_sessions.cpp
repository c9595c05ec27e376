// Live sessions in Redis: one JSON text per session under a key that expires an hour after its last use. See
// live_sessions.hpp. Redis may lie, lose and forget: what cannot be read is a miss, what cannot be written is left.
#include "dure/base/log.hpp"
#include "dure/redis/client.hpp"
#include "dure/sessions/live_sessions.hpp"

namespace dure::sessions {

namespace in_redis {

constexpr std::size_t longest_id = 128;

// The public form, and under "dure" what rebuilding a conversation from it needs besides.
std::string text_of(const LiveSession& live)
{
    auto body = live.to_json();
    auto turns = OrderedJson::array();
    auto times = OrderedJson::array();
    for (const auto& message : live.messages) {
        turns.push_back(message.turn);
        times.push_back(message.timestamp);
    }
    body["dure"] = {{"owner_id", live.session.owner_id},
                    {"created_at", live.session.created_at},
                    {"updated_at", live.session.updated_at},
                    {"conversation_turns", live.session.conversation_turns},
                    {"turns_since_summary", live.session.turns_since_summary},
                    {"summary", live.summary},
                    {"summary_up_to_turn", live.summary_up_to_turn},
                    {"turns", std::move(turns)},
                    {"times", std::move(times)}};
    return dump(body);
}

// Throws nlohmann's exceptions on anything but what text_of() writes.
LiveSession read(const Json& body)
{
    LiveSession live;
    const auto& more = body.at("dure");
    live.session.id = body.at("session_id").get<std::string>();
    live.session.owner_id = more.at("owner_id").get<std::string>();
    live.session.created_at = more.at("created_at").get<UnixMillis>();
    live.session.updated_at = more.at("updated_at").get<UnixMillis>();
    live.session.conversation_turns = more.at("conversation_turns").get<std::int64_t>();
    live.session.turns_since_summary = more.at("turns_since_summary").get<std::int64_t>();
    live.summary = more.at("summary").get<std::string>();
    live.summary_up_to_turn = more.at("summary_up_to_turn").get<std::int64_t>();
    std::size_t place = 0;
    for (const auto& message : body.at("messages")) {
        live.messages.push_back({message.at("role").get<std::string>(), message.at("content").get<std::string>(),
                                 more.at("times").at(place).get<UnixMillis>(),
                                 more.at("turns").at(place).get<std::int64_t>(), message.at("metadata")});
        ++place;
    }
    return live;
}

class RedisSessions final : public LiveSessions {
public:
    RedisSessions(redis::Client& redis, Logger& logger, std::chrono::milliseconds time_to_live)
        : redis_(redis), logger_(logger), time_to_live_(std::to_string(time_to_live.count()))
    {}

    Task<std::optional<LiveSession>> get(std::string session_id) override
    {
        if (session_id.size() > longest_id)
            co_return std::nullopt;
        redis::Arguments call{"GETEX", key_of(session_id), "PX", time_to_live_};
        const auto reply = co_await redis_.command(std::move(call));
        if (!reply || reply->kind != redis::Reply::Kind::text)
            co_return std::nullopt;
        try {
            auto live = read(Json::parse(reply->text));
            if (live.session.id == session_id)
                co_return live;
        } catch (const Json::exception& error) {
            logger_.warn("a live session in Redis cannot be read",
                         {{"session_id", session_id}, {"detail", error.what()}});
        }
        co_return std::nullopt;
    }

    Task<void> put(LiveSession session) override
    {
        auto text = text_of(session);
        if (text.size() > largest_live_session) {
            co_await forget(session.session.id);
            co_return;
        }
        redis::Arguments call{"SET", key_of(session.session.id), std::move(text), "PX", time_to_live_};
        [[maybe_unused]] const auto stored =
            co_await redis_.command(std::move(call));   // else: the next turn rebuilds it
    }

    Task<void> forget(std::string session_id) override
    {
        redis::Arguments call{"DEL", key_of(session_id)};
        [[maybe_unused]] const auto gone =
            co_await redis_.command(std::move(call));   // else: its version tells that it is old
    }

private:
    static std::string key_of(const std::string& session_id) { return "dure:session:" + session_id; }

    redis::Client& redis_;
    Logger& logger_;
    const std::string time_to_live_;
};

}  // namespace in_redis

std::unique_ptr<LiveSessions> redis_sessions(redis::Client& redis, Logger& logger,
                                             std::chrono::milliseconds time_to_live)
{
    return std::make_unique<in_redis::RedisSessions>(redis, logger, time_to_live);
}

}  // namespace dure::sessions
