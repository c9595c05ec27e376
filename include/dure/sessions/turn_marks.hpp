// Which turns the sessions have that were used lately, by the marks of their keys: so that the store need not look for a turn that is
// new. Only where this process is the only one that records turns (SQLite). Bounded; what was read of a session while a turn of it was
// recorded does not enter. Thread-safe.
//   keep() what the store has -> Recording(marks, session, mark): is_new() in the unit that stores the turn -> recorded() behind it
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
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
        return contains(found->second, mark);
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

    // One turn that is being recorded. Its question is asked where units come one after the other: branches of a conversation may
    // end at the same time with the same turn, and only the first of them need not look. It ends when its caller knows what became of
    // the unit: until then its mark is not among those of the session, but under way.
    class Recording {
    public:
        Recording(TurnMarks& marks, const std::string& session_id, std::int64_t mark)
            : marks_(marks), session_id_(session_id), mark_(mark)
        {}
        ~Recording()
        {
            if (under_way_)
                marks_.end(session_id_, mark_);
        }
        Recording(const Recording&) = delete;
        Recording& operator=(const Recording&) = delete;

        // In the unit that stores it: whether no turn of the session has the mark, none under way either. Asked again (the unit was
        // undone and is run anew) it is not known to be new.
        bool is_new()
        {
            if (under_way_)
                return false;
            under_way_ = true;
            return marks_.begin(session_id_, mark_);
        }
        void recorded() { marks_.add(session_id_, mark_); }

    private:
        TurnMarks& marks_;
        const std::string session_id_;
        const std::int64_t mark_;
        bool under_way_ = false;
    };

private:
    // Whether it is known that the session has no turn of the mark, and none is under way.
    bool begin(const std::string& session_id, std::int64_t mark)
    {
        const std::lock_guard lock(guard_);
        const auto key = key_of(session_id, mark);
        const bool first = !under_way_.contains(key);
        under_way_.insert(key);
        const auto found = sessions_.find(session_id);
        return first && found != sessions_.end() && !contains(found->second, mark);
    }

    void end(const std::string& session_id, std::int64_t mark)
    {
        const std::lock_guard lock(guard_);
        under_way_.erase(under_way_.find(key_of(session_id, mark)));
    }

    // Newest first: that is the one which comes again.
    static bool contains(const std::vector<std::int64_t>& marks, std::int64_t mark)
    {
        return std::find(marks.rbegin(), marks.rend(), mark) != marks.rend();
    }

    // Two turns of the same key only make one look that need not.
    static std::uint64_t key_of(const std::string& session_id, std::int64_t mark)
    {
        return std::hash<std::string>()(session_id) * 31 + static_cast<std::uint64_t>(mark);
    }

    static std::size_t place_of(const std::string& session_id)
    {
        return std::hash<std::string>()(session_id) % std::tuple_size_v<decltype(generations_)>;
    }

    void make_room(std::size_t more)
    {
        while (count_ + more > most && !sessions_.empty()) {   // any of them: it is read again
            const auto& [session_id, marks] = *sessions_.begin();
            count_ -= marks.size() + of_a_session;
            ++generations_[place_of(session_id)];   // who has read it may have read before the newest of these
            sessions_.erase(sessions_.begin());
        }
    }

    mutable std::mutex guard_;
    std::array<std::uint64_t, 256> generations_{};
    std::size_t count_ = 0;
    std::unordered_map<std::string, std::vector<std::int64_t>> sessions_;
    std::unordered_multiset<std::uint64_t> under_way_;
};

}  // namespace dure::sessions
