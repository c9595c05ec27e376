// See shared.hpp.
#include "http/server/shared.hpp"

namespace dure::http {

bool ConnectionCounter::enter(const boost::asio::ip::address& address, std::size_t most, std::size_t most_per_address)
{
    const std::lock_guard lock(guard_);
    if (all_ >= most)
        return false;
    auto& of_address = by_address_[address];
    if (of_address >= most_per_address)
        return false;
    ++of_address;
    ++all_;
    return true;
}

void ConnectionCounter::leave(const boost::asio::ip::address& address)
{
    const std::lock_guard lock(guard_);
    const auto found = by_address_.find(address);
    if (--found->second == 0)
        by_address_.erase(found);
    if (--all_ == 0)
        changed_.notify_all();
}

std::size_t ConnectionCounter::all() const
{
    const std::lock_guard lock(guard_);
    return all_;
}

bool ConnectionCounter::wait_until_none(std::chrono::milliseconds patience)
{
    std::unique_lock lock(guard_);
    return changed_.wait_for(lock, patience, [this] { return all_ == 0; });
}

bool BodyBudget::take(std::size_t bytes)
{
    if (used_.fetch_add(bytes, std::memory_order_relaxed) + bytes <= most_)
        return true;
    give_back(bytes);
    return false;
}

std::string_view Core::common_fields()
{
    const auto now = std::time(nullptr);
    if (now != fields_second_) {
        fields_second_ = now;
        std::tm parts{};
        gmtime_r(&now, &parts);
        fields_size_ = std::strftime(
            fields_, sizeof fields_,
            "\r\nDate: %a, %d %b %Y %H:%M:%S GMT\r\nServer: dure\r\nX-Content-Type-Options: nosniff\r\n", &parts);
    }
    return {fields_, fields_size_};
}

}  // namespace dure::http
