// Room for answers that may be large: lists and documents of what users and runs have written. Only so many are read and made at
// the same time, the others wait in their order; and the large ones count, until they are written, towards a bound of them all. So
// neither many readers at once nor slow ones fill the memory. Of both nobody has more than a share, and what takes long (replays)
// has places of its own: one caller cannot take the room from the others.
//   bounded(handler) -> a visit -> its place -> handler reads and makes the answer -> respond(): the place comes back, the bytes
//   are held until they are written
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "dure/base/bulkhead.hpp"
#include "dure/base/error.hpp"

namespace dure::api {

class RequestContext;

// What an answer is made of: one page of a list, or all there is, which is read for as long as a request may take.
enum class AnswerOf { page, whole };

// Thread-safe. Outlives its visits and what they hold.
class AnswerRoom {
public:
    struct Limits {
        std::size_t most_pages = 16;  // in the making at once
        std::size_t most_pages_of_one = 4;
        std::size_t most_whole = 8;
        std::size_t most_whole_of_one = 2;
        std::size_t most_waiting = 4096;
        std::size_t large = 256u << 10;  // bytes of an answer; smaller ones are not counted
        std::size_t most_unwritten = 256u << 20;
        std::size_t most_unwritten_of_one = 64u << 20;
        std::chrono::milliseconds patience{1500};  // a refusal is out within two seconds (threat-model §9)
    };

private:
    // Who has visits or unwritten answers now.
    struct Guest {
        explicit Guest(const Limits& limits)
            : pages(limits.most_pages_of_one, limits.most_waiting), whole(limits.most_whole_of_one, limits.most_waiting)
        {}
        Bulkhead pages, whole;
        std::size_t unwritten = 0;  // bytes; this and the next under the room's lock
        std::size_t uses = 0;
    };
    using Entry = std::pair<const std::string, Guest>;

    // Keeps a guest known.
    class Use {
    public:
        Use(AnswerRoom& room, Entry& guest) : room_(&room), guest_(&guest) {}  // counted by the room already
        Use(Use&& other) noexcept : room_(std::exchange(other.room_, nullptr)), guest_(other.guest_) {}
        Use& operator=(Use&&) = delete;
        ~Use();
        AnswerRoom& room() const { return *room_; }
        Entry& guest() const { return *guest_; }

    private:
        AnswerRoom* room_;
        Entry* guest_;
    };

public:
    // A large answer until it is written.
    class Unwritten {
    public:
        Unwritten() = default;  // a small one
        Unwritten(Unwritten&& other) noexcept : use_(std::move(other.use_)), bytes_(std::exchange(other.bytes_, 0)) {}
        Unwritten& operator=(Unwritten&&) = delete;
        ~Unwritten();

    private:
        friend class AnswerRoom;
        Unwritten(Use use, std::size_t bytes) : use_(std::move(use)), bytes_(bytes) {}

        std::optional<Use> use_;
        std::size_t bytes_ = 0;
    };

    // One request's way through the room. Used by one coroutine.
    class Visit {
    public:
        // unavailable: no place came free in time.
        Task<Result<void>> enter(Deadline deadline);
        // unavailable: there is no room for one more large answer now. Asked before a long wait or a long making, so that a
        // refusal comes early; hold() decides.
        Result<void> check_room() const;
        // unavailable: too many bytes wait for their readers. One answer alone is never too large.
        Result<Unwritten> hold(std::size_t bytes) const;

    private:
        friend class AnswerRoom;
        Visit(Use use, AnswerOf what) : use_(std::move(use)), what_(what) {}

        Use use_;
        AnswerOf what_;
        std::optional<Bulkhead::Slot> own_, place_;  // go before use_
    };

    AnswerRoom() : AnswerRoom(Limits()) {}
    explicit AnswerRoom(Limits limits)
        : limits_(limits), pages_(limits.most_pages, limits.most_waiting),
          whole_(limits.most_whole, limits.most_waiting)
    {}

    // `guest`: whose share it is.
    Visit visit(std::string guest, AnswerOf what);
    // Those with visits or unwritten answers.
    std::size_t guests() const;

private:
    bool fits(const Guest& guest, std::size_t bytes) const;  // under the lock

    const Limits limits_;
    Bulkhead pages_, whole_;
    mutable std::mutex guard_;
    std::size_t unwritten_ = 0;
    std::unordered_map<std::string, Guest> guests_;
};

// The handler of a route, whose answers take their place in the room.
using HandlerOfRoute = std::function<Task<Result<void>>(RequestContext&)>;
HandlerOfRoute bounded(std::shared_ptr<AnswerRoom> room, AnswerOf what, HandlerOfRoute handler);
// The same for a handler that waits before it reads: it enters the room itself, by context.visit.
HandlerOfRoute visiting(std::shared_ptr<AnswerRoom> room, AnswerOf what, HandlerOfRoute handler);

}  // namespace dure::api
