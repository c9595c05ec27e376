// The in-process live sessions: a map in order of last use, with a sliding time to live. See live_sessions.hpp.
#include "dure/sessions/live_sessions.hpp"

#include <list>
#include <mutex>
#include <unordered_map>

namespace dure::sessions {

OrderedJson LiveSession::to_json() const
{
    auto list = OrderedJson::array();
    for (const auto& message : messages)
        list.push_back({{"role", message.role},
                        {"content", message.content},
                        {"timestamp", rfc3339(message.timestamp)},
                        {"metadata", message.metadata}});
    const auto text_or_null = [](const std::string& text) { return text.empty() ? OrderedJson(nullptr) : OrderedJson(text); };
    return {{"session_id", session.id},
            {"created_at", rfc3339(session.created_at)},
            {"messages", std::move(list)},
            {"context", {{"current_tool", text_or_null(current_tool)}, {"last_action", text_or_null(last_action)}}}};
}

namespace {

class InProcessSessions final : public LiveSessions {
public:
    InProcessSessions(const Clock& clock, std::chrono::milliseconds time_to_live, std::size_t capacity)
        : clock_(clock), time_to_live_(time_to_live), capacity_(capacity)
    {
    }

    Task<std::optional<LiveSession>> get(std::string session_id) override
    {
        const std::lock_guard lock(guard_);
        const auto found = places_.find(session_id);
        if (found == places_.end())
            co_return std::nullopt;
        if (clock_.steady_now() >= found->second->expires) {
            drop(found);
            co_return std::nullopt;
        }
        touch(found->second);
        co_return found->second->session;
    }

    Task<void> put(LiveSession session) override
    {
        const std::lock_guard lock(guard_);
        const auto found = places_.find(session.session.id);
        if (found != places_.end()) {
            found->second->session = std::move(session);
            touch(found->second);
            co_return;
        }
        while (by_use_.size() >= capacity_)
            drop(places_.find(by_use_.back().session.session.id));
        const auto id = session.session.id;
        by_use_.push_front({std::move(session), {}});
        places_[id] = by_use_.begin();
        touch(by_use_.begin());
    }

    Task<void> forget(std::string session_id) override
    {
        const std::lock_guard lock(guard_);
        const auto found = places_.find(session_id);
        if (found != places_.end())
            drop(found);
        co_return;
    }

private:
    struct Entry {
        LiveSession session;
        Steady::time_point expires;
    };
    using Place = std::list<Entry>::iterator;
    using Places = std::unordered_map<std::string, Place>;

    void touch(Place entry)
    {
        entry->expires = clock_.steady_now() + time_to_live_;
        by_use_.splice(by_use_.begin(), by_use_, entry);
    }

    void drop(Places::iterator place)
    {
        by_use_.erase(place->second);
        places_.erase(place);
    }

    const Clock& clock_;
    const std::chrono::milliseconds time_to_live_;
    const std::size_t capacity_;
    std::mutex guard_;
    std::list<Entry> by_use_;   // newest use first
    Places places_;
};

}  // namespace

std::unique_ptr<LiveSessions> in_process_sessions(const Clock& clock, std::chrono::milliseconds time_to_live,
                                                  std::size_t capacity)
{
    return std::make_unique<InProcessSessions>(clock, time_to_live, capacity);
}

}  // namespace dure::sessions
