// See takeover.hpp.
#include "chat/takeover.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>

#include "chat/turn_input.hpp"

namespace dure::chat {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::minutes longest_finish{15};
constexpr std::int64_t most_attempts = 5;   // while the storage fails

runs::Ending ended_with(runs::Status status, const Error& error)
{
    runs::Ending ending;
    ending.status = status;
    ending.error = Json{{"code", error.reason().empty() ? std::string(name_of(error.code())) : error.reason()},
                        {"message", error.message()}};
    return ending;
}

}  // namespace

Takeover::Takeover(Turns& turns, TurnRuns& runs, Logger& logger, asio::io_context& core)
    : core_(core), runs_(runs),
      worker_(runs.runs(), core.get_executor(), logger,
              [&turns, &runs, &logger](runs::RunWriter& writer, runs::RunControl&) {
                  return finish_turn(turns, runs, logger, writer);
              },
              runs.worker_options())
{}

Takeover::~Takeover() = default;

// A turn that is given up is stored as a cut one: the question is not lost.
Task<runs::Ending> Takeover::finish_turn(Turns& turns, TurnRuns& runs, Logger& logger, runs::RunWriter& writer)
{
    const auto& run = writer.run();
    const auto input = turn_input_from(run.input);
    if (!input)
        co_return ended_with(runs::Status::error, input.error());
    const auto age = std::chrono::milliseconds(runs.runs().clock().now() - run.created_at);
    TurnRun taken(runs, writer, runs.mode());
    Turn turn(input->caller, input->info);
    turn.session_id = input->session_id;
    turn.user_text = input->user_text;
    turn.key = input->key;
    turn.run = &taken;
    turn.left = run.crashes >= TurnRuns::most_crashes || age > TurnRuns::longest_wait;
    Answer answer;
    answer.model = input->model;
    answer.session_id = input->session_id;
    model::NoSink nobody;
    const llm::CallContext context(input->info.request_id, input->caller.user_id, Deadline::after(longest_finish));
    auto outcome = Result<void>(Error(Errc::cancelled, "The turn was cut."));
    try {
        outcome = co_await turns.agent(turn, input->request, context, nobody, answer);
    } catch (const boost::system::system_error& stopped) {
        if (stopped.code() != asio::error::operation_aborted)
            throw;
    }
    logger.info("a turn of a dead process was ended", {{"session_id", turn.session_id},
                                                       {"request_id", input->info.request_id},
                                                       {"whole", outcome.has_value()}});
    auto ending = taken.ended() || outcome ? runs::Ending()
                                           : ended_with(run.attempts < most_attempts ? runs::Status::pending
                                                                                     : runs::Status::error,
                                                        outcome.error());
    ending.stored = taken.ended();
    co_return ending;
}

void Takeover::start()
{
    started_ = true;
    asio::co_spawn(core_, worker_.work(), [this](std::exception_ptr) { worked_.set_value(); });
    asio::co_spawn(core_, runs_.look_after(),
                   asio::bind_cancellation_slot(upkeep_.slot(), [this](std::exception_ptr) { kept_up_.set_value(); }));
}

void Takeover::stop(Deadline deadline)
{
    if (!std::exchange(started_, false))
        return;
    asio::post(core_, [this, deadline] {
        worker_.drain(deadline);
        upkeep_.emit(asio::cancellation_type::terminal);
    });
    worked_.get_future().wait();
    kept_up_.get_future().wait();
}

}  // namespace dure::chat
