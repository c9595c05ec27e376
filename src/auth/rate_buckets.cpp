// Buckets and stream counts; see rate_buckets.hpp.
#include "auth/rate_buckets.hpp"

#include <boost/asio/ip/address.hpp>

namespace dure::auth {

namespace rates {

constexpr std::int64_t second = 1'000'000;

std::int64_t seconds_up(std::int64_t microseconds)
{
    return (std::max<std::int64_t>(0, microseconds) + second - 1) / second;
}

std::int64_t divided(std::int64_t limit, std::int64_t divisor)
{
    return limit > 0 ? std::max<std::int64_t>(1, limit / divisor) : limit;
}

}  // namespace rates

void RateSum::add(std::int64_t limit, std::int64_t used)
{
    levels_.at(count_) = {limit, used};
    if (const auto wait = used + rate_step(limit) - rate_window; wait > wait_) {
        wait_ = wait;
        binding_ = count_;
    }
    ++count_;
}

RateVerdict RateSum::verdict() const
{
    RateVerdict verdict;
    verdict.allowed = allowed();
    verdict.remaining = std::numeric_limits<std::int64_t>::max();
    for (std::size_t i = verdict.allowed ? 0 : binding_; i < count_; ++i) {
        const auto step = rate_step(levels_[i].limit);
        const auto used = levels_[i].used + (verdict.allowed ? step : 0);
        const auto remaining = std::max<std::int64_t>(0, (rate_window - used) / step);
        if (remaining < verdict.remaining) {
            verdict.limit = levels_[i].limit;
            verdict.remaining = remaining;
            verdict.reset_seconds = rates::seconds_up(used);
        }
        if (!verdict.allowed)
            break;
    }
    if (!verdict.allowed)
        verdict.retry_seconds = std::max<std::int64_t>(1, rates::seconds_up(wait_));
    return verdict;
}

Error RateVerdict::refusal() const
{
    return Error(Errc::rate_limited, "Too many requests: at most " + std::to_string(limit) +
                                         " a minute. Try again in " + std::to_string(retry_seconds) + " s.")
        .reason("rate_limit_exceeded")
        .retry_after(std::chrono::seconds(retry_seconds));
}

const config::RoleLimits& limits_of_role(const config::Limits& limits, std::string_view role)
{
    if (role == "admin")
        return limits.admin;
    return role == "developer" ? limits.developer : limits.user;
}

std::string counted_address(std::string_view text)
{
    namespace ip = boost::asio::ip;
    boost::system::error_code not_an_address;
    const auto address = ip::make_address(std::string(text), not_an_address);
    if (not_an_address || address.is_v4())
        return std::string(text);
    auto v6 = address.to_v6();
    if (v6.is_v4_mapped())
        return ip::make_address_v4(ip::v4_mapped, v6).to_string();
    auto bytes = v6.to_bytes();
    std::fill(bytes.begin() + 8, bytes.end(), static_cast<unsigned char>(0));
    return ip::address_v6(bytes).to_string() + "/64";
}

LocalBuckets::LocalBuckets(const Clock& clock, std::size_t capacity)
    : clock_(clock), entries_per_shard_(std::max<std::size_t>(2, capacity / shard_count))
{}

// A key is counted in the shard of its user: one lock for both.
RateVerdict LocalBuckets::take(const RateSubject& subject, std::int64_t divisor)
{
    const bool known = !subject.user_id.empty();
    const auto address = known ? std::string() : counted_address(subject.address);
    const Name name(known ? Kind::user : Kind::address, known ? subject.user_id : std::string_view(address));
    auto& shard = shards_[name.hash % shard_count];
    const std::lock_guard lock(shard.guard);
    auto& whole = entry_of(shard, name);
    auto* const key = subject.key_id.empty() ? nullptr : &entry_of(shard, Name(Kind::key, subject.key_id));
    return take_from({key, &whole}, subject, divisor);
}

RateVerdict LocalBuckets::take_from(std::array<Entry*, 2> entries, const RateSubject& subject, std::int64_t divisor)
{
    const auto now =
        std::chrono::duration_cast<std::chrono::microseconds>(clock_.steady_now().time_since_epoch()).count();
    const auto requests = rates::divided(subject.limits.requests_per_minute, divisor);
    const auto chat = rates::divided(subject.limits.chat_per_minute, divisor);
    const auto used = [now](std::int64_t full_at) { return std::max<std::int64_t>(0, full_at - now); };
    RateSum sum;
    for (const auto* entry : entries) {
        if (entry == nullptr)
            continue;
        if (subject.chat)
            sum.add(chat, used(entry->chat_full_at));
        sum.add(requests, used(entry->requests_full_at));
    }
    for (auto* entry : entries) {
        if (entry == nullptr || !sum.allowed())
            continue;
        entry->requests_full_at = now + used(entry->requests_full_at) + rate_step(requests);
        if (subject.chat)
            entry->chat_full_at = now + used(entry->chat_full_at) + rate_step(chat);
    }
    return sum.verdict();
}

LocalBuckets::Entry& LocalBuckets::entry_of(Shard& shard, Name name)
{
    if (const auto found = shard.places.find(name); found != shard.places.end()) {
        shard.by_use.splice(shard.by_use.begin(), shard.by_use, found->second);
        return *found->second;
    }
    if (shard.by_use.size() >= entries_per_shard_) {
        shard.places.erase(Name(shard.by_use.back().kind, shard.by_use.back().id));
        shard.by_use.pop_back();
    }
    shard.by_use.push_front({name.kind, std::string(name.id)});
    auto& entry = shard.by_use.front();
    shard.places.emplace(Name(entry.kind, entry.id), shard.by_use.begin());
    return entry;
}

struct StreamCounts::Counts {
    std::mutex guard;
    std::unordered_map<std::string, std::int64_t> open;   // never more entries than open streams
};

class StreamCounts::Place final : public StreamPlace {
public:
    Place(std::shared_ptr<Counts> counts, std::string user_id)
        : counts_(std::move(counts)), user_id_(std::move(user_id))
    {}
    ~Place() override
    {
        const std::lock_guard lock(counts_->guard);
        const auto found = counts_->open.find(user_id_);
        if (found != counts_->open.end() && --found->second == 0)
            counts_->open.erase(found);
    }

private:
    std::shared_ptr<Counts> counts_;
    std::string user_id_;
};

std::shared_ptr<StreamCounts::Counts> StreamCounts::make_counts()
{
    return std::make_shared<Counts>();
}

std::int64_t StreamCounts::count(const std::string& user_id) const
{
    const std::lock_guard lock(counts_->guard);
    const auto found = counts_->open.find(user_id);
    return found == counts_->open.end() ? 0 : found->second;
}

Error StreamCounts::refusal(std::int64_t most)
{
    return Error(Errc::rate_limited, "Too many streams at once: at most " + std::to_string(most) + ".")
        .reason("rate_limit_exceeded")
        .retry_after(std::chrono::seconds(1));
}

Result<std::unique_ptr<StreamPlace>> StreamCounts::open(std::string_view user_id, std::int64_t most)
{
    std::string id(user_id);
    {
        const std::lock_guard lock(counts_->guard);
        auto& count = counts_->open[id];
        if (count >= most) {
            if (count == 0)
                counts_->open.erase(id);
            return refusal(most);
        }
        ++count;
    }
    return std::make_unique<Place>(counts_, std::move(id));
}

}  // namespace dure::auth
