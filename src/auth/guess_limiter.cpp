// The two limiters of guesses: this process's own bookkeeping, and the same rules as Redis scripts, by Redis's own clock.
#include "dure/auth/guess_limiter.hpp"

#include "dure/base/text.hpp"
#include "dure/redis/client.hpp"

namespace dure::auth {

namespace guess_limits {

// Times in milliseconds. KEYS: the window of the address; the account (not for guesses at keys and tokens).
// ARGV: failures of an address, its window, free failures, longest wait, when a quiet account is forgotten.
// Answers the time to wait (0: go ahead, counted) and whether it is the first refusal since the last attempt.
constexpr const char* begin_script = R"lua(
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local count = tonumber(redis.call('HGET', KEYS[1], 'count') or 0)
if count >= tonumber(ARGV[1]) then
    return {math.max(1, redis.call('PTTL', KEYS[1])), redis.call('HSETNX', KEYS[1], 'refused', 1)}
end
if KEYS[2] then
    local failures = tonumber(redis.call('HGET', KEYS[2], 'failures') or 0)
    local last = tonumber(redis.call('HGET', KEYS[2], 'last') or 0)
    local free = tonumber(ARGV[3])
    local wait = 0
    if failures >= free then
        wait = math.min(tonumber(ARGV[4]), 1000 * 2 ^ math.min(failures - free, 10))
    end
    local left = wait - (now - last)
    if failures > 0 and left > 0 then
        return {math.ceil(left), redis.call('HSETNX', KEYS[2], 'refused', 1)}
    end
    redis.call('HSET', KEYS[2], 'failures', failures + 1, 'last', string.format('%.0f', now))
    redis.call('HDEL', KEYS[2], 'refused')
    redis.call('PEXPIRE', KEYS[2], ARGV[5])
end
if count == 0 then redis.call('DEL', KEYS[1]) end
redis.call('HSET', KEYS[1], 'count', count + 1)
if count == 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return {0, 0}
)lua";

// The attempt is taken back from the address; the account starts anew (ARGV[1] "forget") or gets it back too.
constexpr const char* give_back_script = R"lua(
if tonumber(redis.call('HGET', KEYS[1], 'count') or 0) > 0 then redis.call('HINCRBY', KEYS[1], 'count', -1) end
if KEYS[2] and ARGV[1] == 'forget' then
    redis.call('DEL', KEYS[2])
elseif KEYS[2] and tonumber(redis.call('HGET', KEYS[2], 'failures') or 0) > 0 then
    redis.call('HINCRBY', KEYS[2], 'failures', -1)
end
return 0
)lua";

// ARGV: how many, the window. Answers the time to wait, 0: counted.
constexpr const char* count_script = R"lua(
local count = tonumber(redis.call('GET', KEYS[1]) or 0)
if count >= tonumber(ARGV[1]) then return math.max(1, redis.call('PTTL', KEYS[1])) end
redis.call('INCR', KEYS[1])
if count == 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0
)lua";

config::Limits halved(config::Limits limits)
{
    for (auto* limit : {&limits.login_failures_per_account, &limits.login_failures_per_address})
        *limit = std::max<std::int64_t>(1, *limit / 2);
    return limits;
}

class InProcessGuesses final : public GuessLimiter {
public:
    InProcessGuesses(const Clock& clock, const config::Limits& limits) : guesses_(clock, limits) {}

    Task<Guesses::Verdict> begin(std::string account, std::string address) override
    {
        co_return guesses_.begin(account, address);
    }
    Task<void> succeeded(std::string account, std::string address) override
    {
        guesses_.succeeded(account, address);
        co_return;
    }
    Task<void> undo(std::string account, std::string address) override
    {
        guesses_.undo(account, address);
        co_return;
    }
    Task<std::optional<std::chrono::seconds>> count(std::string what, std::string whom, std::int64_t most,
                                                    std::chrono::seconds window) override
    {
        co_return guesses_.count(what, whom, most, window);
    }

private:
    Guesses guesses_;
};

class RedisGuesses final : public GuessLimiter {
public:
    RedisGuesses(redis::Client& redis, const Clock& clock, const config::Limits& limits)
        : redis_(redis), limits_(limits), fallback_(clock, halved(limits))
    {}

    Task<Guesses::Verdict> begin(std::string account, std::string address) override
    {
        const auto reply = co_await redis_.eval(
            begin_, keys(account, address),
            {std::to_string(limits_.login_failures_per_address), milliseconds(Guesses::address_window),
             std::to_string(limits_.login_failures_per_account), milliseconds(Guesses::longest_wait),
             milliseconds(Guesses::forgotten_after)});
        if (!reply || reply->items.size() != 2)
            co_return fallback_.begin(account, address);
        Guesses::Verdict verdict;
        verdict.wait = seconds_up(reply->items[0].integer);
        verdict.first_refusal = reply->items[1].integer == 1;
        co_return verdict;
    }
    Task<void> succeeded(std::string account, std::string address) override
    {
        (void)co_await redis_.eval(give_back_, keys(account, address), {"forget"});
        fallback_.succeeded(account, address);  // a Redis that answers, but takes no writes, has not counted it
    }
    Task<void> undo(std::string account, std::string address) override
    {
        (void)co_await redis_.eval(give_back_, keys(account, address), {"undo"});
        fallback_.undo(account, address);
    }
    Task<std::optional<std::chrono::seconds>> count(std::string what, std::string whom, std::int64_t most,
                                                    std::chrono::seconds window) override
    {
        const auto reply = co_await redis_.eval(count_, {key("count", what + ' ' + whom)},
                                                {std::to_string(most), milliseconds(window)});
        if (!reply)
            co_return fallback_.count(what, whom, std::max<std::int64_t>(1, most / 2), window);
        co_return seconds_up(reply->integer);
    }

private:
    // By hash: what was typed as a name may be a password, and an address is nobody's business there.
    static std::string key(std::string_view kind, std::string_view whom)
    {
        return "dure:guess:" + std::string(kind) + ':' + hex(sha256(whom));
    }
    static redis::Arguments keys(const std::string& account, const std::string& address)
    {
        redis::Arguments both{key("address", address)};
        if (!account.empty())
            both.push_back(key("account", account));
        return both;
    }
    static std::string milliseconds(std::chrono::milliseconds time) { return std::to_string(time.count()); }
    static std::optional<std::chrono::seconds> seconds_up(std::int64_t milliseconds)
    {
        if (milliseconds <= 0)
            return std::nullopt;
        return std::chrono::seconds((milliseconds + 999) / 1000);
    }

    redis::Client& redis_;
    const config::Limits limits_;
    const redis::Script begin_{begin_script};
    const redis::Script give_back_{give_back_script};
    const redis::Script count_{count_script};
    Guesses fallback_;
};

}  // namespace guess_limits

std::unique_ptr<GuessLimiter> in_process_guesses(const Clock& clock, const config::Limits& limits)
{
    return std::make_unique<guess_limits::InProcessGuesses>(clock, limits);
}

std::unique_ptr<GuessLimiter> redis_guesses(redis::Client& redis, const Clock& clock, const config::Limits& limits)
{
    return std::make_unique<guess_limits::RedisGuesses>(redis, clock, limits);
}

}  // namespace dure::auth
