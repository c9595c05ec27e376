// The two limiters: in this process, and through one Redis script; see rate_limiter.hpp.
#include "dure/auth/rate_limiter.hpp"

#include "auth/rate_buckets.hpp"
#include "auth/shared_streams.hpp"
#include "dure/redis/client.hpp"

namespace dure::auth {

namespace limiters {

// KEYS: buckets, ARGV: the limit of each. Answers whether one was taken from each (or from none), and how many
// microseconds of the minute each had used before. Redis's own clock: the replicas' clocks need not agree.
constexpr const char* take_script = R"lua(
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local window = 60000000
local allowed = 1
local answer = {1}
for i, key in ipairs(KEYS) do
    local used = math.max(0, (tonumber(redis.call('GET', key) or now) or now) - now)
    if used > window then used = window end
    answer[i + 1] = used
    if used + tonumber(ARGV[i]) > window then allowed = 0 end
end
answer[1] = allowed
if allowed == 1 then
    for i, key in ipairs(KEYS) do
        local used = answer[i + 1] + tonumber(ARGV[i])
        redis.call('SET', key, string.format('%.0f', now + used), 'PX', math.ceil(used / 1000) + 1000)
    end
end
return answer
)lua";

class InProcessLimiter final : public RateLimiter {
public:
    InProcessLimiter(const Clock& clock, std::size_t capacity) : buckets_(clock, capacity) {}

    Task<RateVerdict> take(RateSubject subject) override { co_return buckets_.take(subject); }
    std::optional<RateVerdict> take_at_once(const RateSubject& subject) override { return buckets_.take(subject); }
    Task<Result<std::unique_ptr<StreamPlace>>> open_stream(std::string user_id, std::int64_t most) override
    {
        co_return streams_.open(user_id, most);
    }

private:
    LocalBuckets buckets_;
    StreamCounts streams_;
};

class RedisLimiter final : public RateLimiter {
public:
    RedisLimiter(redis::Client& redis, const Clock& clock, std::size_t capacity)
        : redis_(redis), script_(take_script), fallback_(clock, capacity), streams_(redis)
    {}

    Task<RateVerdict> take(RateSubject subject) override;
    Task<Result<std::unique_ptr<StreamPlace>>> open_stream(std::string user_id, std::int64_t most) override
    {
        return streams_.open(std::move(user_id), most);
    }

private:
    struct Call {
        redis::Arguments keys;
        redis::Arguments steps;
        std::vector<std::int64_t> limits;
    };
    static Call call_for(const RateSubject& subject);

    redis::Client& redis_;
    const redis::Script script_;
    LocalBuckets fallback_;  // while Redis is away
    SharedStreams streams_;
};

RedisLimiter::Call RedisLimiter::call_for(const RateSubject& subject)
{
    Call call;
    const auto add = [&call](std::string key, std::int64_t limit) {
        call.keys.push_back(std::move(key));
        call.steps.push_back(std::to_string(rate_step(limit)));
        call.limits.push_back(limit);
    };
    const auto add_both = [&](const std::string& who) {
        if (subject.chat)
            add("dure:rate:chat:" + who, subject.limits.chat_per_minute);
        add("dure:rate:all:" + who, subject.limits.requests_per_minute);
    };
    if (!subject.key_id.empty())
        add_both("key:" + std::string(subject.key_id));
    if (subject.user_id.empty())
        add_both("address:" + counted_address(subject.address));
    else
        add_both("user:" + std::string(subject.user_id));
    return call;
}

Task<RateVerdict> RedisLimiter::take(RateSubject subject)
{
    auto call = call_for(subject);
    const auto limits = call.limits;
    const auto reply = co_await redis_.eval(script_, std::move(call.keys), std::move(call.steps));
    if (!reply || reply->items.size() != limits.size() + 1)
        co_return fallback_.take(subject, 2);
    RateSum sum;
    for (std::size_t i = 0; i < limits.size(); ++i)
        sum.add(limits[i], std::clamp<std::int64_t>(reply->items[i + 1].integer, 0, rate_window));
    co_return sum.verdict();
}

}  // namespace limiters

std::unique_ptr<RateLimiter> in_process_limiter(const Clock& clock, std::size_t capacity)
{
    return std::make_unique<limiters::InProcessLimiter>(clock, capacity);
}

std::unique_ptr<RateLimiter> redis_limiter(redis::Client& redis, const Clock& clock, std::size_t capacity)
{
    return std::make_unique<limiters::RedisLimiter>(redis, clock, capacity);
}

}  // namespace dure::auth
