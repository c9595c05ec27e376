// Which turns the sessions have that were used lately, by the marks of their keys: so that the store need not look for a turn that is
// new. Only where this process is the only one that records turns (SQLite). Bounded; what was read of a session while a turn of it was
// recorded does not enter. Thread-safe.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace dure::sessions {

class TurnMarks {
public:
    static constexpr std::size_t most = 200'000;   // marks of all sessions together
    static constexpr std::size_t of_a_session = 16;   // as many marks take the room that a session takes besides its own

    // Whether the session has a turn of that mark; empty: the session's are not known here.
    std::optional<bool> has(const std::string& session_id, std::int64_t mark) const
    {
        const std::lock_guard lock(guard_);
        const auto found = sessions_.find(session_id);
        if (found == sessions_.end())
            return std::nullopt;
        const auto& marks = found->second;
        return std::find(marks.rbegin(), marks.rend(), mark) != marks.rend();
    }

    // Before the store is asked, and then told to keep().
    std::uint64_t generation(const std::string& session_id) const
    {
        const std::lock_guard lock(guard_);
        return generations_[place_of(session_id)];
    }

    // All of a session's. A new session has none.
    void keep(const std::string& session_id, std::vector<std::int64_t> marks, std::uint64_t asked_at)
    {
        const std::lock_guard lock(guard_);
        if (asked_at != generations_[place_of(session_id)] || sessions_.contains(session_id))
            return;
        make_room(marks.size() + of_a_session);
        count_ += marks.size() + of_a_session;
        sessions_.emplace(session_id, std::move(marks));
    }

    // A turn has been recorded.
    void add(const std::string& session_id, std::int64_t mark)
    {
        const std::lock_guard lock(guard_);
        make_room(1);
        const auto found = sessions_.find(session_id);
        if (found == sessions_.end()) {
            ++generations_[place_of(session_id)];   // who reads them just now may have read before this one
            return;
        }
        found->second.push_back(mark);
        ++count_;
    }

private:
    static std::size_t place_of(const std::string& session_id)
    {
        return std::hash<std::string>()(session_id) % std::tuple_size_v<decltype(generations_)>;
    }

    void make_room(std::size_t more)
    {
        while (count_ + more > most && !sessions_.empty()) {   // any of them: it is read again
            count_ -= sessions_.begin()->second.size() + of_a_session;
            sessions_.erase(sessions_.begin());
        }
    }

    mutable std::mutex guard_;
    std::array<std::uint64_t, 256> generations_{};
    std::size_t count_ = 0;
    std::unordered_map<std::string, std::vector<std::int64_t>> sessions_;
};

}  // namespace dure::sessions
