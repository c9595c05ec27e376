// OwnerPlaces: how many executions of one owner work at the same time in this process (threat-model §7, parallel runs). The
// others wait for their turn, in the order they were claimed; they are still queued then. Thread-safe.
#pragma once

#include <boost/asio/any_io_executor.hpp>

#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "dure/base/channel.hpp"

namespace dure::executions {

class OwnerPlaces {
public:
    // Gives its place to the next one when it goes.
    class Place {
    public:
        Place() = default;
        Place(OwnerPlaces& places, std::string owner) : places_(&places), owner_(std::move(owner)) {}
        Place(Place&& other) noexcept : places_(std::exchange(other.places_, nullptr)), owner_(std::move(other.owner_))
        {}
        Place& operator=(Place&&) = delete;
        ~Place()
        {
            if (places_ != nullptr)
                places_->give_back(owner_);
        }

    private:
        OwnerPlaces* places_ = nullptr;
        std::string owner_;
    };

    // One who waits, on its own core; gone, it waits no more. `stop` wakes it without a place.
    class Turn {
    public:
        Turn(OwnerPlaces& places, boost::asio::any_io_executor executor) : places_(places), woken_(std::move(executor))
        {}
        // `most` 0: no bound. Empty: it was stopped.
        Task<std::optional<Place>> wait(std::string owner, std::int64_t most);
        void stop();

    private:
        OwnerPlaces& places_;
        Signal woken_;
        bool stopped_ = false;
    };

private:
    struct Waiter {
        boost::asio::any_io_executor executor;
        std::function<void()> wake;  // on its executor
        bool granted = false;
    };
    struct Owner {
        std::int64_t working = 0;
        std::deque<std::shared_ptr<Waiter>> waiting;
    };
    void give_back(const std::string& owner);
    void leave(const std::string& owner, const std::shared_ptr<Waiter>& waiter);

    std::mutex guard_;
    std::unordered_map<std::string, Owner> owners_;  // only those with somebody working
};

}  // namespace dure::executions
