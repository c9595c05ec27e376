// The bus within one process: nothing but the inboxes.
#include "events/inboxes.hpp"

namespace dure::events {

namespace {

class InProcessBus final : public Bus {
public:
    explicit InProcessBus(std::size_t capacity) : inboxes_(capacity) {}

    void publish(std::vector<model::Event> events) override { inboxes_.publish(std::move(events)); }
    bool heard() override { return inboxes_.have_readers(); }
    std::unique_ptr<Subscription> subscribe(boost::asio::any_io_executor executor) override
    {
        return inboxes_.subscribe(std::move(executor));
    }
    void close() override { inboxes_.close(); }

private:
    Inboxes inboxes_;
};

}  // namespace

std::unique_ptr<Bus> in_process_bus(std::size_t capacity)
{
    return std::make_unique<InProcessBus>(capacity);
}

}  // namespace dure::events
