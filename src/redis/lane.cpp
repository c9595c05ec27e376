// Lane; see lane.hpp.
#include "redis/lane.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <random>

namespace dure::redis {

namespace lanes {

Error away(std::string why)
{
    return Error(Errc::unavailable, "Redis is not available.").detail("redis: " + std::move(why));
}

// How long a refusal counts: longer than metrics are usually asked for, so that they show one that comes again and again.
constexpr std::chrono::seconds refusal_lasts{30};
constexpr std::chrono::minutes between_lines{1};

// Of a server that answers and does not do its work: full, only to be read, loading, without rights.
bool is_out_of_order(const std::string& error)
{
    static constexpr const char* codes[] = {"OOM",     "READONLY",   "MISCONF",     "NOPERM",    "NOAUTH",
                                            "LOADING", "MASTERDOWN", "CLUSTERDOWN", "NOREPLICAS"};
    return std::any_of(std::begin(codes), std::end(codes), [&](const char* code) {
        return error.starts_with(code) || error.find(std::string("-") + code + " ") != std::string::npos;
    });
}

}  // namespace lanes

Lane::Lane(boost::asio::io_context& core, Target target, Logger& logger, const ClientOptions& options)
    : core_(core), target_(std::move(target)), logger_(logger), options_(options), pausing_(core.get_executor())
{}

Task<Result<Reply>> Lane::command(std::string bytes, Deadline until)
{
    start();
    auto waiter = std::make_shared<Waiter>(core_.get_executor(), std::move(bytes));
    if (auto queued = enqueue(waiter); !queued)
        co_return queued.error();
    struct GiveUp {
        Waiter& waiter;
        ~GiveUp() { waiter.given_up = true; }   // also when the coroutine is cancelled
    } const give_up{*waiter};
    while (!waiter->done && !until.passed())
        co_await waiter->signal.wait(until.at());
    if (!waiter->done) {
        waiter->overdue = ready_;
        overdue_ += waiter->overdue ? 1 : 0;
        count_timeout();
        co_return lanes::away("no answer in time");
    }
    if (!waiter->reply)
        co_return lanes::away("the connection was lost");
    if (waiter->reply->kind == Reply::Kind::error) {
        note_refusal(waiter->reply->text);
        co_return lanes::away(waiter->reply->text).reason("redis_refused");
    }
    co_return std::move(*waiter->reply);
}

Result<void> Lane::enqueue(const std::shared_ptr<Waiter>& waiter)
{
    if (stopped_)
        return lanes::away("the client has stopped");
    if (!link_ || (!ready_ && failures_ >= options_.failures))
        return lanes::away("not connected");
    const auto bytes = waiter->bytes.size();
    if (parked_.size() + waiting_.size() >= options_.waiting || link_->unsent() + bytes > options_.unsent_bytes)
        return lanes::away("too many commands wait");
    if (!ready_) {
        parked_.push_back(waiter);
        return {};
    }
    if (overdue_ > 0)
        return refuse_behind_overdue();
    waiting_.push_back(waiter);
    link_->write(std::exchange(waiter->bytes, {}));
    return {};
}

void Lane::start()
{
    if (running_ || stopped_)
        return;
    running_ = true;
    link_ = std::make_shared<Link>(core_, target_);
    boost::asio::co_spawn(core_, [self = shared_from_this()] { return self->keep_connected(); }, boost::asio::detached);
}

void Lane::stop()
{
    boost::asio::post(core_, [self = shared_from_this()] {
        self->stopped_ = true;
        if (self->link_)
            self->link_->close();
        self->pausing_.notify();
    });
}

Task<void> Lane::keep_connected()
{
    const auto self = shared_from_this();
    while (!stopped_) {
        if (!link_)
            link_ = std::make_shared<Link>(core_, target_);
        co_await live_once();
        link_.reset();
        end_all(parked_);
        end_all(waiting_);
        overdue_ = 0;
        if (!stopped_ && failures_ > 0)
            co_await pausing_.wait(Steady::now() + pause());
    }
}

// One connection from its beginning to its end.
Task<void> Lane::live_once()
{
    const auto opened = co_await link_->open(Deadline::after(options_.connect));
    if (!opened) {
        if (!stopped_ && failures_ + 1 == options_.failures)
            logger_.warn("redis is away", {{"address", target_.address.shown()}, {"detail", opened.error().detail()}});
        count_failure(failures_ + 1);
        co_return;
    }
    if (circuit_open_.load())
        logger_.info("redis is back", {{"address", target_.address.shown()}});
    const auto since = Steady::now();
    count_failure(0);
    timeouts_ = 0;
    ready_ = true;
    for (; !parked_.empty(); parked_.pop_front()) {
        waiting_.push_back(parked_.front());
        link_->write(std::exchange(waiting_.back()->bytes, {}));
    }
    co_await serve();
    ready_ = false;
    const bool frozen = timeouts_ >= options_.failures;
    if (!stopped_)
        logger_.warn(frozen ? "redis does not answer" : "redis connection lost",
                     {{"address", target_.address.shown()}});
    if (frozen)
        count_failure(options_.failures);
    else if (Steady::now() - since < options_.probe)
        count_failure(failures_ + 1);   // accepted and dropped again: not without a pause
}

Task<void> Lane::serve()
{
    bool open = true;
    while (open && !stopped_) {
        while (auto reply = link_->take())
            deliver(std::move(*reply));
        open = co_await link_->fill();
    }
    link_->close();
}

void Lane::deliver(Reply reply)
{
    timeouts_ = 0;
    if (waiting_.empty()) {   // nobody asked: the order of replies cannot be trusted any more
        link_->close();
        return;
    }
    const auto waiter = std::move(waiting_.front());
    waiting_.pop_front();
    overdue_ -= waiter->overdue ? 1 : 0;
    if (!waiter->given_up)
        waiter->reply = std::move(reply);
    waiter->done = true;
    waiter->signal.notify();
}

// Replies come in the order of the commands: a request that has waited for one is not to wait for each of its others too. They count
// as if one had waited behind the other: a core that is late itself has a burst of them before it reads the answer.
Error Lane::refuse_behind_overdue()
{
    if (Steady::now() - timeout_at_ >= options_.command)
        count_timeout();
    return lanes::away("an earlier command waits for its answer still");
}

void Lane::count_timeout()
{
    timeout_at_ = Steady::now();
    if (ready_ && ++timeouts_ >= options_.failures)
        link_->close();   // serve() ends, and with it everything that waits
}

bool Lane::unavailable() const
{
    const auto refused = refused_at_.load(std::memory_order_relaxed);
    return circuit_open_.load() ||
           (refused != Steady::time_point::min() && Steady::now() - refused < lanes::refusal_lasts);
}

// Callers go on without it, so nobody else would tell.
void Lane::note_refusal(const std::string& text)
{
    if (!lanes::is_out_of_order(text))
        return;
    const auto now = Steady::now();
    refused_at_ = now;
    if (refusal_told_at_ != Steady::time_point::min() && now - refusal_told_at_ < lanes::between_lines)
        return;
    refusal_told_at_ = now;
    logger_.warn("redis refuses commands", {{"address", target_.address.shown()}, {"detail", text}});
}

void Lane::end_all(Waiters& waiters)
{
    for (; !waiters.empty(); waiters.pop_front()) {
        waiters.front()->done = true;
        waiters.front()->signal.notify();
    }
}

void Lane::count_failure(int failures)
{
    failures_ = std::min(failures, options_.failures);
    circuit_open_ = failures_ >= options_.failures;
}

// 100 ms, doubling up to the probe's pause, a quarter of it by chance.
Steady::duration Lane::pause() const
{
    thread_local std::minstd_rand chance{std::random_device{}()};
    const auto whole =
        failures_ >= options_.failures
            ? options_.probe
            : std::min(options_.probe, std::chrono::milliseconds(100) * (1 << std::min(failures_ - 1, 10)));
    const auto spread = whole.count() / 4;
    return whole - std::chrono::milliseconds(spread > 0 ? chance() % static_cast<unsigned>(spread) : 0);
}

}  // namespace dure::redis
