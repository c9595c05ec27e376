// Mailer: a bounded queue on the first core, and a coroutine for each mail that goes out; see mail.hpp.
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <deque>

#include "dure/base/timeout.hpp"
#include "dure/mail/mail.hpp"

namespace dure::mail {

struct Mailer::State : std::enable_shared_from_this<Mailer::State> {
    struct Due {
        Mail mail;
        int attempt = 1;
        std::chrono::milliseconds pause;   // before the next attempt
    };

    State(Cores& cores, std::unique_ptr<MailSender> by, Logger& log, const Options& wanted)
        : core(cores.at(0)), sender(std::move(by)), logger(log), options(wanted)
    {}

    // As many as may go side by side: a server that hangs over one mail holds back the others only when it hangs over each.
    void begin()
    {
        while (running < options.side_by_side && !queue.empty()) {
            auto next = std::move(queue.front());  // taken out first: a delivery may begin, and end, within co_spawn()
            queue.pop_front();
            ++running;
            boost::asio::co_spawn(core, deliver(shared_from_this(), std::move(next)), boost::asio::detached);
        }
    }

    static Task<void> deliver(std::shared_ptr<State> self, Due due)
    {
        const auto failure = co_await self->attempt_once(due.mail);
        --self->running;
        const bool again = failure && self->wants_another(due, *failure);
        if (!again)
            --self->count;
        else
            ++self->resting;
        self->begin();
        if (!again)
            co_return;
        co_await sleep_for(due.pause);
        --self->resting;
        self->queue.push_back({std::move(due.mail), due.attempt + 1, due.pause * 2});
        self->begin();
    }

    bool wants_another(const Due& due, const Error& failure) const
    {
        const bool last = due.attempt == options.attempts || failure.code() == Errc::invalid_argument;
        logger.warn(last ? "mail dropped" : "mail not delivered, trying again",
                    {{"attempt", due.attempt}, {"problem", failure.message()}, {"detail", failure.detail()}});
        return !last;
    }

    Task<std::optional<Error>> attempt_once(const Mail& mail)
    {
        std::optional<Error> failure;
        try {
            const auto sent = co_await sender->send(mail);
            if (!sent)
                failure = sent.error();
        } catch (const boost::system::system_error& error) {
            if (error.code() == boost::asio::error::operation_aborted)
                throw;
            failure = Error(Errc::unavailable, "The mail could not be sent.").detail(error.what());
        } catch (const std::exception& error) {
            failure = Error(Errc::unavailable, "The mail could not be sent.").detail(error.what());
        }
        co_return failure;
    }

    boost::asio::io_context& core;
    std::unique_ptr<MailSender> sender;
    Logger& logger;
    const Options options;
    std::deque<Due> queue;  // of the core
    std::size_t running = 0;  // of the core
    std::atomic<std::size_t> count{0};  // all that are not delivered
    std::atomic<std::size_t> resting{0};  // of these, those that wait for their next attempt
};

Mailer::Mailer(Cores& cores, std::unique_ptr<MailSender> sender, Logger& logger)
    : Mailer(cores, std::move(sender), logger, Options())
{}

Mailer::Mailer(Cores& cores, std::unique_ptr<MailSender> sender, Logger& logger, Options options)
    : state_(std::make_shared<State>(cores, std::move(sender), logger, options))
{}

Mailer::~Mailer() = default;

bool Mailer::enqueue(Mail mail)
{
    if (!valid_address(mail.to))
        return false;
    if (state_->count.fetch_add(1) >= state_->options.capacity) {
        --state_->count;
        state_->logger.warn("mail refused, too many wait", {});
        return false;
    }
    boost::asio::post(state_->core, [state = state_, mail = std::move(mail)]() mutable {
        state->queue.push_back({std::move(mail), 1, state->options.first_pause});
        state->begin();
    });
    return true;
}

std::size_t Mailer::undelivered() const
{
    return state_->count.load();
}

std::size_t Mailer::due() const
{
    const auto resting = state_->resting.load();  // first: one that goes from rest to delivery is counted
    const auto all = state_->count.load();
    return all > resting ? all - resting : 0;
}

}  // namespace dure::mail
