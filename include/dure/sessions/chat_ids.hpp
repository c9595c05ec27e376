// Which session belongs to a chat of a client, as far as it was asked for lately. Bounded; a removed session empties it, and
// what was read before the removal does not enter any more. Thread-safe.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

namespace dure::sessions {

class ChatIds {
public:
    static constexpr std::size_t most = 20'000;

    std::optional<std::string> find(const std::string& chat) const
    {
        const std::lock_guard lock(guard_);
        const auto found = ids_.find(chat);
        return found == ids_.end() ? std::nullopt : std::optional(found->second);
    }

    // Before the store is asked, and then told to keep().
    std::uint64_t generation() const
    {
        const std::lock_guard lock(guard_);
        return generation_;
    }

    void keep(const std::string& chat, const std::string& session_id, std::uint64_t asked_at)
    {
        const std::lock_guard lock(guard_);
        if (asked_at != generation_)
            return;
        if (ids_.size() >= most)
            ids_.clear();   // they are read again, one by one
        ids_[chat] = session_id;
    }

    void forget_all()
    {
        const std::lock_guard lock(guard_);
        ++generation_;
        ids_.clear();
    }

private:
    mutable std::mutex guard_;
    std::uint64_t generation_ = 0;
    std::unordered_map<std::string, std::string> ids_;
};

}  // namespace dure::sessions
