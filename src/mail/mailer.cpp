// Mailer: a bounded queue and one worker coroutine on the first core; see mail.hpp.
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <deque>

#include "dure/base/channel.hpp"
#include "dure/base/timeout.hpp"
#include "dure/mail/mail.hpp"

namespace dure::mail {

struct Mailer::State : std::enable_shared_from_this<Mailer::State> {
    State(Cores& cores, std::unique_ptr<MailSender> by, Logger& log, const Options& wanted)
        : core(cores.at(0)), sender(std::move(by)), logger(log), options(wanted), arrived(core.get_executor())
    {}

    static Task<void> work(std::shared_ptr<State> self)
    {
        for (;;) {
            while (self->queue.empty())
                co_await self->arrived.wait();
            const auto mail = std::move(self->queue.front());
            self->queue.pop_front();
            co_await self->deliver(mail);
            --self->count;
        }
    }

    Task<void> deliver(const Mail& mail)
    {
        auto pause = options.first_pause;
        for (int attempt = 1; attempt <= options.attempts; ++attempt, pause *= 2) {
            const auto failure = co_await attempt_once(mail);
            if (!failure)
                co_return;
            const bool last = attempt == options.attempts || failure->code() == Errc::invalid_argument;
            logger.warn(last ? "mail dropped" : "mail not delivered, trying again",
                        {{"attempt", attempt}, {"problem", failure->message()}, {"detail", failure->detail()}});
            if (last)
                co_return;
            co_await sleep_for(pause);
        }
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
    std::deque<Mail> queue;   // of the core
    Signal arrived;
    std::atomic<std::size_t> count{0};
};

Mailer::Mailer(Cores& cores, std::unique_ptr<MailSender> sender, Logger& logger)
    : Mailer(cores, std::move(sender), logger, Options())
{}

Mailer::Mailer(Cores& cores, std::unique_ptr<MailSender> sender, Logger& logger, Options options)
    : state_(std::make_shared<State>(cores, std::move(sender), logger, options))
{
    boost::asio::co_spawn(state_->core, State::work(state_), boost::asio::detached);
}

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
        state->queue.push_back(std::move(mail));
        state->arrived.notify();
    });
    return true;
}

std::size_t Mailer::waiting() const
{
    return state_->count.load();
}

}  // namespace dure::mail
