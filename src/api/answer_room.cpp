// See answer_room.hpp.
#include "api/answer_room.hpp"

#include "api/context.hpp"

namespace dure::api {

namespace answers_in_memory {

Error too_many()
{
    return Error(Errc::unavailable, "Too many large answers are being made; try again soon.")
        .reason("answers_in_memory")
        .retry_after(std::chrono::seconds(1));
}

}  // namespace answers_in_memory

AnswerRoom::Unwritten::~Unwritten()
{
    if (room_ != nullptr)
        room_->unwritten_.fetch_sub(bytes_, std::memory_order_relaxed);
}

Task<Result<Bulkhead::Slot>> AnswerRoom::enter(Deadline deadline)
{
    auto why = Bulkhead::Refusal::deadline;
    auto place = co_await making_.enter(deadline.sooner(limits_.patience), why);
    if (!place)
        co_return answers_in_memory::too_many();
    co_return std::move(*place);
}

Result<AnswerRoom::Unwritten> AnswerRoom::hold(std::size_t bytes)
{
    if (bytes < limits_.large)
        return Unwritten();
    const auto before = unwritten_.fetch_add(bytes, std::memory_order_relaxed);
    Unwritten held(*this, bytes);
    if (before > 0 && before + bytes > limits_.most_unwritten)
        return answers_in_memory::too_many();
    return held;
}

HandlerOfRoute bounded(std::shared_ptr<AnswerRoom> room, HandlerOfRoute handler)
{
    return [room = std::move(room), handler = std::move(handler)](RequestContext& context) -> Task<Result<void>> {
        auto place = co_await room->enter(context.deadline);
        if (!place)
            co_return place.error();
        context.making.emplace(*room, std::move(*place));
        co_return co_await handler(context);
    };
}

}  // namespace dure::api
