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

// Without accounts everybody is the same user: the addresses tell them apart.
std::string guest_of(const RequestContext& context)
{
    const auto& caller = context.principal();
    const bool nameless = caller.key_id.empty() && caller.token_id.empty();
    return nameless ? "address " + context.head().client_address : caller.user_id;
}

}  // namespace answers_in_memory

AnswerRoom::Use::~Use()
{
    if (room_ == nullptr)
        return;
    const std::lock_guard lock(room_->guard_);
    if (--guest_->second.uses == 0)
        room_->guests_.erase(room_->guests_.find(guest_->first));
}

AnswerRoom::Unwritten::~Unwritten()
{
    if (bytes_ == 0)
        return;
    auto& room = use_->room();
    const std::lock_guard lock(room.guard_);
    room.unwritten_ -= bytes_;
    use_->guest().second.unwritten -= bytes_;
}

AnswerRoom::Visit AnswerRoom::visit(std::string guest, AnswerOf what)
{
    const std::lock_guard lock(guard_);
    auto& entry = *guests_.try_emplace(std::move(guest), limits_).first;
    ++entry.second.uses;
    return Visit(Use(*this, entry), what);
}

std::size_t AnswerRoom::guests() const
{
    const std::lock_guard lock(guard_);
    return guests_.size();
}

bool AnswerRoom::fits(const Guest& guest, std::size_t bytes) const
{
    return (unwritten_ == 0 || unwritten_ + bytes <= limits_.most_unwritten) &&
           (guest.unwritten == 0 || guest.unwritten + bytes <= limits_.most_unwritten_of_one);
}

// First among the guest's own: who waits there takes no place, and none in the queue of all, from the others.
Task<Result<void>> AnswerRoom::Visit::enter(Deadline deadline)
{
    auto& room = use_.room();
    auto& guest = use_.guest().second;
    const bool page = what_ == AnswerOf::page;
    const auto until = deadline.sooner(room.limits_.patience);
    auto why = Bulkhead::Refusal::deadline;
    auto own = co_await (page ? guest.pages : guest.whole).enter(until, why);
    if (!own)
        co_return answers_in_memory::too_many();
    auto place = co_await (page ? room.pages_ : room.whole_).enter(until, why);
    if (!place)
        co_return answers_in_memory::too_many();
    own_.emplace(std::move(*own));
    place_.emplace(std::move(*place));
    co_return Result<void>();
}

Result<void> AnswerRoom::Visit::check_room() const
{
    auto& room = use_.room();
    const std::lock_guard lock(room.guard_);
    return room.fits(use_.guest().second, room.limits_.large) ? Result<void>() : answers_in_memory::too_many();
}

Result<AnswerRoom::Unwritten> AnswerRoom::Visit::hold(std::size_t bytes) const
{
    auto& room = use_.room();
    if (bytes < room.limits_.large)
        return Unwritten();
    auto& entry = use_.guest();
    const std::lock_guard lock(room.guard_);
    if (!room.fits(entry.second, bytes))
        return answers_in_memory::too_many();
    room.unwritten_ += bytes;
    entry.second.unwritten += bytes;
    ++entry.second.uses;
    return Unwritten(Use(room, entry), bytes);
}

HandlerOfRoute visiting(std::shared_ptr<AnswerRoom> room, AnswerOf what, HandlerOfRoute handler)
{
    return [room = std::move(room), what, handler = std::move(handler)](RequestContext& context) -> Task<Result<void>> {
        context.visit.emplace(room->visit(answers_in_memory::guest_of(context), what));
        return handler(context);
    };
}

HandlerOfRoute bounded(std::shared_ptr<AnswerRoom> room, AnswerOf what, HandlerOfRoute handler)
{
    return visiting(std::move(room), what,
                    [handler = std::move(handler)](RequestContext& context) -> Task<Result<void>> {
                        if (auto entered = co_await context.visit->enter(context.deadline); !entered)
                            co_return entered;
                        co_return co_await handler(context);
                    });
}

}  // namespace dure::api
