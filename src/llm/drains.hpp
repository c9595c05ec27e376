// Reading an answer to its end although its reader has left: for others who wait for the same one (reply.others()), as long as
// one of them does; and for providers that charge for the whole answer anyway (on_client_gone = "drain"): what it used is then
// known, and the answer can be stored. That goes on for at most a minute, and no longer than the server runs.
//
//   run(attempt) -> the reader leaves -> the attempt goes on by itself -> its end, the last of the others, the bound, or stop()
#pragma once

#include <atomic>
#include <list>
#include <memory>
#include <mutex>

#include "dure/base/channel.hpp"
#include "llm/failure.hpp"
#include "llm/reply.hpp"

namespace dure::llm {

class Drains {
public:
    static constexpr std::chrono::seconds longest{60};

    explicit Drains(Steady::duration bound = longest) : bound_(bound) {}
    Drains(const Drains&) = delete;
    Drains& operator=(const Drains&) = delete;

    // What the attempt came to. Cancelling the awaiting coroutine is the reader's leaving: it shows in reply.reader_gone() and no
    // longer in the coroutine, which its caller has to end. Whatever ends the attempt early does so by operation_aborted.
    // `anyway`: also without others.
    Task<MaybeFailure> run(Task<MaybeFailure> attempt, Reply& reply, bool anyway);

    // Attempts without a reader end now, and from now on at once. Thread-safe.
    void stop();

private:
    class Listed;

    const Steady::duration bound_;
    std::atomic<bool> stopped_{false};
    std::mutex guard_;
    std::list<std::pair<boost::asio::any_io_executor, std::weak_ptr<Signal>>> running_;
};

}  // namespace dure::llm
