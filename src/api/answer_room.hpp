// Room for answers that may be large: lists and documents of what users and runs have written. Only so many are read and made at
// the same time, the others wait in their order; and the large ones count, until they are written, towards a bound of them all. So
// neither many readers at once nor slow ones fill the memory.
//   bounded(handler) -> a place -> handler reads and makes the answer -> respond(): the place comes back, the bytes are held
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <utility>

#include "dure/base/bulkhead.hpp"
#include "dure/base/error.hpp"

namespace dure::api {

class RequestContext;

// Thread-safe.
class AnswerRoom {
public:
    struct Limits {
        std::size_t most_in_the_making = 16;
        std::size_t most_waiting = 4096;
        std::size_t large = 256u << 10;  // bytes of an answer; smaller ones are not counted
        std::size_t most_unwritten = 256u << 20;
        std::chrono::milliseconds patience{1500};  // a refusal is out within two seconds (threat-model §9)
    };

    // A large answer until it is written.
    class Unwritten {
    public:
        Unwritten() = default;
        Unwritten(AnswerRoom& room, std::size_t bytes) : room_(&room), bytes_(bytes) {}
        Unwritten(Unwritten&& other) noexcept : room_(std::exchange(other.room_, nullptr)), bytes_(other.bytes_) {}
        Unwritten& operator=(Unwritten&&) = delete;
        ~Unwritten();

    private:
        AnswerRoom* room_ = nullptr;
        std::size_t bytes_ = 0;
    };

    // An answer's place among those in the making.
    struct Making {
        AnswerRoom& room;
        Bulkhead::Slot place;
    };

    AnswerRoom() : AnswerRoom(Limits()) {}
    explicit AnswerRoom(Limits limits) : limits_(limits), making_(limits.most_in_the_making, limits.most_waiting) {}

    // unavailable: no place came free in time.
    Task<Result<Bulkhead::Slot>> enter(Deadline deadline);
    // unavailable: too many bytes wait for their readers. One answer alone is never too large.
    Result<Unwritten> hold(std::size_t bytes);

private:
    const Limits limits_;
    Bulkhead making_;
    std::atomic<std::size_t> unwritten_{0};
};

// The handler of a route, whose answers take their place in the room.
using HandlerOfRoute = std::function<Task<Result<void>>(RequestContext&)>;
HandlerOfRoute bounded(std::shared_ptr<AnswerRoom> room, HandlerOfRoute handler);

}  // namespace dure::api
