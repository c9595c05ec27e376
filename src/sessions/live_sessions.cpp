// The in-process live sessions: a map in order of last use, with a sliding time to live. See live_sessions.hpp.
#include "dure/sessions/live_sessions.hpp"

#include <list>
#include <mutex>
#include <unordered_map>

namespace dure::sessions {

namespace {

OrderedJson context_of(const LiveSession& live)
{
    OrderedJson context{{"current_tool", nullptr}, {"last_action", nullptr}};
    if (live.session.conversation_turns > 0)
        context["last_action"] = "answered";
    if (live.messages.empty())
        return context;
    const auto& answer = live.messages.back().metadata;
    const auto tools = answer.find("tools_used");
    if (tools == answer.end() || !tools->is_array() || tools->empty())
        return context;
    const auto& last = tools->back();
    if (const auto name = last.find("name");
        name != last.end() && name->is_string())   // a shared store may hold anything
        context["current_tool"] = name->get<std::string>();
    return context;
}

}  // namespace

OrderedJson LiveSession::to_json() const
{
    auto list = OrderedJson::array();
    for (const auto& message : messages)
        list.push_back({{"role", message.role},
                        {"content", message.content},
                        {"timestamp", rfc3339(message.timestamp)},
                        {"metadata", message.metadata}});
    return {{"session_id", session.id},
            {"created_at", rfc3339(session.created_at)},
            {"messages", std::move(list)},
            {"context", context_of(*this)}};
}

namespace {

// About what it takes: its texts, and something for each part.
std::size_t bytes_of(const Json& json)
{
    constexpr std::size_t each = 32;
    if (json.is_string())
        return each + json.get_ref<const std::string&>().size();
    std::size_t bytes = each;
    if (json.is_object())
        for (const auto& [name, value] : json.items())
            bytes += each + name.size() + bytes_of(value);
    else if (json.is_array())
        for (const auto& value : json)
            bytes += bytes_of(value);
    return bytes;
}

std::size_t bytes_of(const LiveSession& live)
{
    std::size_t bytes = sizeof live + live.summary.size();
    for (const auto& message : live.messages)
        bytes += sizeof message + message.content.size() + bytes_of(message.metadata);
    return bytes;
}

class InProcessSessions final : public LiveSessions {
public:
    InProcessSessions(const Clock& clock, std::chrono::milliseconds time_to_live, std::size_t capacity,
                      std::size_t most_bytes)
        : clock_(clock), time_to_live_(time_to_live), capacity_(capacity), most_bytes_(most_bytes)
    {}

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
        const auto bytes = bytes_of(session);
        const std::lock_guard lock(guard_);
        if (const auto found = places_.find(session.session.id); found != places_.end())
            drop(found);
        if (bytes > largest_live_session)
            co_return;
        while (!by_use_.empty() && (by_use_.size() >= capacity_ || bytes_ + bytes > most_bytes_))
            drop(places_.find(by_use_.back().session.session.id));
        const auto id = session.session.id;
        by_use_.push_front({std::move(session), {}, bytes});
        bytes_ += bytes;
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
        std::size_t bytes = 0;
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
        bytes_ -= place->second->bytes;
        by_use_.erase(place->second);
        places_.erase(place);
    }

    const Clock& clock_;
    const std::chrono::milliseconds time_to_live_;
    const std::size_t capacity_;
    const std::size_t most_bytes_;
    std::size_t bytes_ = 0;   // of all of them
    std::mutex guard_;
    std::list<Entry> by_use_;   // newest use first
    Places places_;
};

}  // namespace

std::unique_ptr<LiveSessions> in_process_sessions(const Clock& clock, std::chrono::milliseconds time_to_live,
                                                  std::size_t capacity, std::size_t most_bytes)
{
    return std::make_unique<InProcessSessions>(clock, time_to_live, capacity, most_bytes);
}

}  // namespace dure::sessions
