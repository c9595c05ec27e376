// SharedBudget; see shared_budget.hpp.
#include "auth/shared_budget.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>

#include "dure/base/timeout.hpp"

namespace dure::auth {

namespace shared_spending {

constexpr std::size_t most_owing = 10'000;
constexpr int most_tellings = 4;
constexpr std::chrono::seconds longest_retelling{60};
constexpr std::chrono::milliseconds between_retellings{500};
constexpr std::size_t numbers_of_answer = 3;
constexpr std::size_t numbers_of_level = 5;

// KEYS: of each payer its account and its reservations. ARGV: id, least tokens, tokens, least cost, cost, lease in milliseconds
// (0: only look), the day that is told of, the process; then of each payer: limit of tokens a minute, a day, of cost a day; tokens
// and cost told of that day; tokens and cost that the process used while this Redis was away, all since its start.
// Answers 1 granted, 0 refused, 2 the day is not known; the day, seconds until it ends; then of each payer: tokens of the minute, tokens and cost reserved, tokens and cost of the day. Redis's own clock.
constexpr const char* reserve_text = R"lua(
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local day = math.floor(time[1] / 86400)
local function whole(number) return string.format('%.0f', number) end
local accounts = {}
local payers = #KEYS / 2
local known = true
for p = 1, payers do
    local at = 8 + (p - 1) * 7
    local account = {}
    for i, name in ipairs({'minute', 'daily', 'dollars', 'tokens', 'cost', 'away_tokens', 'away_cost'}) do
        account[name] = tonumber(ARGV[at + i])
    end
    local fields = redis.call('HMGET', KEYS[2 * p - 1], 'used', 'at', 'day', 'tokens', 'cost', ARGV[8] .. 't', ARGV[8] .. 'c')
    local passed = math.max(0, now - (tonumber(fields[2]) or now))
    account.used = 0
    if account.minute > 0 then
        account.used = math.max(0, (tonumber(fields[1]) or 0) - passed * account.minute / 60000)
    end
    if tonumber(fields[3]) == day then
        account.tokens = (tonumber(fields[4]) or 0) + math.max(0, account.away_tokens - (tonumber(fields[6]) or 0))
        account.cost = (tonumber(fields[5]) or 0) + math.max(0, account.away_cost - (tonumber(fields[7]) or 0))
    elseif tonumber(ARGV[7]) ~= day and (account.daily > 0 or account.dollars > 0) then
        known = false
    else
        account.fresh = fields[3]
    end
    accounts[p] = account
end
local answer = {known and 1 or 2, day, 86400 - time[1] % 86400}
if not known then return answer end
local tokens, cost = tonumber(ARGV[3]), tonumber(ARGV[5])
for p = 1, payers do
    local account, open = accounts[p], KEYS[2 * p]
    local open_tokens, open_cost = 0, 0
    local reserved = redis.call('HGETALL', open)
    for i = 1, #reserved, 2 do
        local ends, t, c = string.match(reserved[i + 1], '^(%d+):(%d+):(%d+)$')
        if ends and tonumber(ends) > now then
            open_tokens = open_tokens + t
            open_cost = open_cost + c
        else
            redis.call('HDEL', open, reserved[i])
        end
    end
    if account.minute > 0 then tokens = math.min(tokens, account.minute - open_tokens - math.ceil(account.used)) end
    if account.daily > 0 then tokens = math.min(tokens, account.daily - open_tokens - account.tokens) end
    if account.dollars > 0 then cost = math.min(cost, account.dollars - open_cost - account.cost) end
    for _, number in ipairs({math.ceil(account.used), open_tokens, open_cost, account.tokens, account.cost}) do
        answer[#answer + 1] = number
    end
    if account.fresh then redis.call('DEL', KEYS[2 * p - 1]) end
    redis.call('HSET', KEYS[2 * p - 1], 'used', string.format('%.3f', account.used), 'at', whole(now))
    if account.daily > 0 or account.dollars > 0 then
        redis.call('HSET', KEYS[2 * p - 1], 'day', whole(day), 'tokens', whole(account.tokens), 'cost', whole(account.cost))
        if account.away_tokens > 0 or account.away_cost > 0 then
            redis.call('HSET', KEYS[2 * p - 1], ARGV[8] .. 't', whole(account.away_tokens), ARGV[8] .. 'c', whole(account.away_cost))
        end
    end
    redis.call('PEXPIRE', KEYS[2 * p - 1], 172800000)
end
if tokens < tonumber(ARGV[2]) or (tonumber(ARGV[5]) > 0 and cost < tonumber(ARGV[4])) then answer[1] = 0 end
if tonumber(ARGV[5]) == 0 then cost = 0 end
if answer[1] == 1 and tonumber(ARGV[6]) > 0 then
    for p = 1, payers do
        redis.call('HSET', KEYS[2 * p], ARGV[1], whole(now + ARGV[6]) .. ':' .. whole(tokens) .. ':' .. whole(cost))
        redis.call('PEXPIRE', KEYS[2 * p], ARGV[6])
    end
end
return answer
)lua";

// KEYS as above. ARGV: id, tokens and cost used, 1 if the reservation must still be there, so that the same said twice counts
// once; then of each payer the limit of tokens a minute. A day that is over, or not known, is told from the usage rows.
constexpr const char* settle_text = R"lua(
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local day = math.floor(time[1] / 86400)
for p = 1, #KEYS / 2 do
    local held = redis.call('HDEL', KEYS[2 * p], ARGV[1])
    if held == 0 and ARGV[4] == '1' then return 0 end
    local key = KEYS[2 * p - 1]
    local fields = redis.call('HMGET', key, 'used', 'at', 'day', 'tokens', 'cost')
    local minute = tonumber(ARGV[4 + p])
    local used = tonumber(fields[1]) or 0
    local passed = math.max(0, now - (tonumber(fields[2]) or now))
    used = minute > 0 and math.max(0, used - passed * minute / 60000) + ARGV[2] or 0
    redis.call('HSET', key, 'used', string.format('%.3f', used), 'at', string.format('%.0f', now))
    if tonumber(fields[3]) == day then
        redis.call('HSET', key, 'tokens', string.format('%.0f', (tonumber(fields[4]) or 0) + ARGV[2]),
                   'cost', string.format('%.0f', (tonumber(fields[5]) or 0) + ARGV[3]))
    end
    redis.call('PEXPIRE', key, 172800000)
end
return 1
)lua";

}  // namespace shared_spending

// Made before Redis is asked, so that what was reserved for a call that went away meanwhile, or behind a lost answer, is
// given back.
class SharedBudget::Held final : public model::Reservation {
public:
    Held(boost::asio::any_io_executor executor, std::weak_ptr<SharedBudget> owner, std::vector<Payer> payers)
        : executor_(std::move(executor)), owner_(std::move(owner)), payers_(std::move(payers))
    {}
    ~Held() override { settle({}); }

    model::Spend amount() const override { return amount_; }
    void holds(const model::Spend& amount) { amount_ = amount; }
    void settle(const model::Spend& used) override
    {
        auto owner = owner_.lock();
        owner_.reset();  // once
        if (!owner)
            return;
        auto& budget = *owner;
        const bool in_time = Steady::now() < since_ + budget.lease_ * 9 / 10;
        boost::asio::co_spawn(executor_, budget.settle(std::move(payers_), id, used, in_time),
                              [owner = std::move(owner)](std::exception_ptr) {});
    }
    void was_refused() { owner_.reset(); }

    const std::string id = new_id();

private:
    boost::asio::any_io_executor executor_;
    std::weak_ptr<SharedBudget> owner_;
    std::vector<Payer> payers_;
    model::Spend amount_;
    const Steady::time_point since_ = Steady::now();
};

SharedBudget::SharedBudget(redis::Client& redis, BudgetParts parts, std::chrono::milliseconds lease)
    : redis_(redis), lease_(lease), reserve_script_(shared_spending::reserve_text),
      settle_script_(shared_spending::settle_text), book_(std::move(parts)), owed_(shared_spending::most_owing)
{}

redis::Arguments SharedBudget::keys_of(const std::vector<Payer>& payers)
{
    redis::Arguments keys;
    for (const auto& payer : payers) {
        keys.push_back("dure:spent:" + payer.name);
        keys.push_back("dure:reserved:" + payer.name);
    }
    return keys;
}

void SharedBudget::owe(std::span<const Payer> payers, const model::Spend& used)
{
    const std::lock_guard lock(guard_);
    for (const auto& payer : payers) {
        auto& owed = owed_.use(payer.name);
        owed.tokens += used.tokens;
        owed.cost_nano += used.cost_nano;
    }
    away_ = true;
}

model::Spend SharedBudget::owed(const std::string& name)
{
    const std::lock_guard lock(guard_);
    const auto* owed = owed_.find(name);
    return owed != nullptr ? *owed : model::Spend();
}

Task<std::optional<SharedBudget::Answer>> SharedBudget::ask(const std::string& id, const std::vector<Payer>& payers,
                                                            const model::Wish& wish, const Told& told)
{
    using namespace shared_spending;
    redis::Arguments arguments{id,
                               std::to_string(wish.least.tokens),
                               std::to_string(wish.most.tokens),
                               std::to_string(wish.least.cost_nano),
                               std::to_string(wish.most.cost_nano),
                               std::to_string(id.empty() ? 0 : lease_.count()),
                               std::to_string(told.day),
                               process_};
    for (std::size_t i = 0; i < payers.size(); ++i) {
        const auto& limits = payers[i].limits;
        const auto known = told.day >= 0 ? told.spent[i] : model::Spend();
        const auto away = away_ ? owed(payers[i].name) : model::Spend();
        for (const auto number : {limits.tokens_per_minute, limits.tokens_per_day, limits.cost_per_day, known.tokens,
                                  known.cost_nano, away.tokens, away.cost_nano})
            arguments.push_back(std::to_string(number));
    }
    const auto reply = co_await redis_.eval(reserve_script_, keys_of(payers), std::move(arguments));
    const bool decided = reply && reply->items.size() == numbers_of_answer + numbers_of_level * payers.size();
    if (!reply || reply->items.size() < numbers_of_answer)
        co_return std::nullopt;
    const auto number = [&reply](std::size_t place) { return reply->items[place].integer; };
    Answer answer;
    answer.kind = !decided ? Answer::Kind::unknown : number(0) == 1 ? Answer::Kind::granted : Answer::Kind::refused;
    answer.day = number(1);
    for (auto at = numbers_of_answer; decided && at < reply->items.size(); at += numbers_of_level)
        answer.levels.push_back({static_cast<double>(number(at)),
                                 {number(at + 1), number(at + 2)},
                                 {number(at + 3), number(at + 4)},
                                 number(2)});
    co_return answer;
}

Task<Result<std::optional<SharedBudget::Answer>>>
SharedBudget::ask_and_tell(const std::string& id, const std::vector<Payer>& payers, const model::Wish& wish)
{
    Told told;
    for (int tellings = 0; tellings < shared_spending::most_tellings; ++tellings) {
        auto answer = co_await ask(id, payers, wish, told);
        if (!answer || answer->kind != Answer::Kind::unknown)
            co_return answer;
        told = {answer->day, {}};
        for (const auto& payer : payers) {
            const auto spent = co_await book_.spent(payer, told.day);
            if (!spent)
                co_return spent.error();
            told.spent.push_back(*spent);
        }
    }
    co_return std::optional<Answer>();
}

Task<Result<std::unique_ptr<model::Reservation>>> SharedBudget::reserve(std::vector<Payer> payers, model::Wish wish)
{
    auto held = std::make_unique<Held>(co_await boost::asio::this_coro::executor, weak_from_this(), payers);
    const auto asked = co_await ask_and_tell(held->id, payers, wish);
    if (!asked)
        co_return asked.error();
    if (!*asked)
        co_return co_await reserve_without_redis(std::move(payers), wish);
    const auto& answer = **asked;
    if (away_)  // it counts again what was counted here
        for (const auto& payer : payers)
            book_.forget_here(payer.name);
    auto outcome = granted(payers, answer.levels, wish);  // as the script decides, by the levels it saw
    auto* refusal = std::get_if<SpendRefusal>(&outcome);
    if ((refusal != nullptr) != (answer.kind == Answer::Kind::refused))
        co_return co_await reserve_without_redis(std::move(payers), wish);  // its numbers contradict its word
    if (refusal != nullptr) {
        held->was_refused();
        co_return book_.refuse(std::move(*refusal));
    }
    held->holds(std::get<model::Spend>(outcome));
    co_return std::unique_ptr<model::Reservation>(std::move(held));
}

Task<Result<std::unique_ptr<model::Reservation>>> SharedBudget::reserve_without_redis(std::vector<Payer> payers,
                                                                                      model::Wish wish)
{
    away_ = true;
    co_return co_await book_.reserve_here(
        std::move(payers), wish, 2,
        [owner = weak_from_this()](std::span<const Payer> charged, const model::Spend& used) {
            if (const auto budget = owner.lock())
                budget->owe(charged, used);
        });
}

// Said again until Redis has heard it; after a longer outage the reservation has run out, and what it used is owed.
Task<void> SharedBudget::settle(std::vector<Payer> payers, std::string id, model::Spend used, bool in_time)
{
    using namespace shared_spending;
    const redis::Arguments keys = keys_of(payers);
    redis::Arguments arguments{std::move(id), std::to_string(used.tokens), std::to_string(used.cost_nano),
                               in_time ? "1" : "0"};
    for (const auto& payer : payers)
        arguments.push_back(std::to_string(payer.limits.tokens_per_minute));
    const auto until = Deadline::after(std::min<Steady::duration>(lease_ / 2, longest_retelling));
    do {
        if (co_await redis_.eval(settle_script_, keys, arguments))
            co_return;
        co_await sleep_for(between_retellings);
    } while (in_time && !until.passed());
    owe(payers, used);
}

Task<std::optional<model::TokenLevel>> SharedBudget::level(Payer payer)
{
    const std::vector<Payer> alone{payer};
    const auto asked = co_await ask_and_tell({}, alone, {});
    if (asked && *asked)
        co_return token_level(payer.limits, (*asked)->levels.front());
    co_return co_await book_.level_here(std::move(payer));
}

}  // namespace dure::auth
