// SharedStreams; see shared_streams.hpp.
#include "auth/shared_streams.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/this_coro.hpp>

#include "dure/base/channel.hpp"

namespace dure::auth {

namespace shared_places {

// KEYS: the streams of a user. ARGV: this one, its lease in milliseconds, how many there may be (empty: it is renewed).
// Answers 1 when it has its place.
constexpr const char* lease_script = R"lua(
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
if ARGV[3] ~= '' and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[3]) then return 0 end
redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[2]), ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
)lua";

}  // namespace shared_places

struct SharedStreams::Held {
    Held(boost::asio::any_io_executor executor, redis::Client& client, std::shared_ptr<const redis::Script> renewal,
         std::string user_id, std::chrono::milliseconds lasts)
        : redis(client), script(std::move(renewal)), key("dure:streams:" + user_id), lease(lasts),
          ended(std::move(executor))
    {}

    redis::Client& redis;
    const std::shared_ptr<const redis::Script> script;
    const std::string key;
    const std::string id = new_id();
    const std::chrono::milliseconds lease;
    Signal ended;
    bool open = true;

    redis::Arguments arguments(const std::string& most) const { return {id, std::to_string(lease.count()), most}; }
};

class SharedStreams::Place final : public StreamPlace {
public:
    Place(std::unique_ptr<StreamPlace> here, std::shared_ptr<Held> held)
        : here_(std::move(here)), held_(std::move(held))
    {}
    ~Place() override
    {
        held_->open = false;
        held_->ended.notify();
    }

private:
    std::unique_ptr<StreamPlace> here_;
    std::shared_ptr<Held> held_;
};

SharedStreams::SharedStreams(redis::Client& redis, std::chrono::milliseconds lease)
    : redis_(redis), lease_(lease), script_(std::make_shared<const redis::Script>(shared_places::lease_script))
{}

// A renewal that fails is tried again at the next turn: the lease lasts three of them.
Task<void> SharedStreams::hold(std::shared_ptr<Held> held)
{
    for (auto next = Steady::now() + held->lease / 3; held->open;) {
        co_await held->ended.wait(next);
        if (!held->open || Steady::now() < next)
            continue;
        next += held->lease / 3;
        if (!co_await held->redis.eval(*held->script, {held->key}, held->arguments("")))
            continue;
    }
    [[maybe_unused]] const auto given_back = co_await held->redis.command({"ZREM", held->key, held->id});
}

Task<Result<std::unique_ptr<StreamPlace>>> SharedStreams::open(std::string user_id, std::int64_t most)
{
    auto here = here_.open(user_id, most);
    if (!here)
        co_return here.error();
    const auto executor = co_await boost::asio::this_coro::executor;
    auto held = std::make_shared<Held>(executor, redis_, script_, user_id, lease_);
    // From here on it is given back on every way out, also when the caller leaves while Redis is asked.
    auto place = std::make_unique<Place>(std::move(*here), held);
    boost::asio::co_spawn(executor, hold(held), boost::asio::detached);
    const auto reply = co_await redis_.eval(*script_, {held->key}, held->arguments(std::to_string(most)));
    const bool taken = reply ? reply->integer == 0 : here_.count(user_id) > std::max<std::int64_t>(1, most / 2);
    if (taken)
        co_return StreamCounts::refusal(most);
    co_return std::unique_ptr<StreamPlace>(std::move(place));
}

}  // namespace dure::auth
