// What every bus has within its process: a bounded inbox per subscriber. publish() fills inboxes under their locks and wakes
// each subscriber on its own core. Thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "dure/events/bus.hpp"

namespace dure::events {

class Inbox;

class Inboxes {
public:
    explicit Inboxes(std::size_t capacity) : capacity_(capacity) {}

    void publish(std::vector<model::Event> events);
    // Everybody is told that something did not come.
    void tell_of_a_gap();
    std::unique_ptr<Subscription> subscribe(boost::asio::any_io_executor executor);
    void close();
    // Whether anybody would hear of an event.
    bool have_readers();

private:
    std::vector<std::shared_ptr<Inbox>> alive();

    const std::size_t capacity_;
    std::mutex guard_;
    std::vector<std::weak_ptr<Inbox>> inboxes_;
    bool closed_ = false;
};

}  // namespace dure::events
