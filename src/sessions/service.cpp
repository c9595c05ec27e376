// SessionService; see service.hpp.
#include "dure/sessions/service.hpp"

#include <algorithm>
#include <utility>

#include "dure/events/journal.hpp"
#include "dure/sql/database.hpp"
#include "dure/store/messages.hpp"
#include "dure/store/sessions.hpp"
#include "sessions/session_events.hpp"
#include "sessions/turn_rows.hpp"

namespace dure::sessions {

namespace {

store::Page to_page(const PageRequest& request)
{
    store::Page page;
    page.limit = request.limit;
    if (request.after)
        page.after = store::Position{request.after->created_at, request.after->id};
    return page;
}

// A full page may have a next one; its first row tells, without a count.
template <class Row>
std::optional<PagePosition> next_of(const std::vector<Row>& rows, std::int64_t limit, bool cut = false)
{
    if (rows.empty() || (!cut && std::cmp_less(rows.size(), limit)))
        return std::nullopt;
    return PagePosition{rows.back().created_at, rows.back().id};
}

std::vector<LiveMessage> live_messages(std::vector<model::ChatMessage> stored)
{
    std::vector<LiveMessage> messages;
    messages.reserve(stored.size());
    for (auto& message : stored)
        messages.push_back({std::move(message.role), std::move(message.content), message.created_at, message.turn,
                            std::move(message.metadata)});
    return messages;
}

// Reads everything a live copy holds, in one transaction: the newest messages, those before the summary among them.
Result<LiveSession> rebuild(sql::Connection& connection, const std::string& owner, const std::string& id,
                            std::int64_t keep_messages)
{
    auto session = store::Sessions(connection).find(id, owner);
    if (!session)
        return session.error();
    auto summary = store::Summaries(connection).newest(id, owner);
    if (!summary)
        return summary.error();
    LiveSession live;
    live.session = std::move(*session);
    if (*summary) {
        live.summary = (*summary)->content;
        live.summary_up_to_turn = (*summary)->up_to_turn;
    }
    auto messages = store::Messages(connection).newest(id, owner, keep_messages, 0);
    if (!messages)
        return messages.error();
    live.messages = live_messages(std::move(*messages));
    return live;
}

// They stand in the order of time: an answer that was made anew belongs behind the question of its turn. Nearly always nothing moves.
void order_by_turn(std::vector<LiveMessage>& messages)
{
    for (auto at = messages.begin(); at != messages.end(); ++at) {
        const auto place = std::upper_bound(messages.begin(), at, at->turn,
                                            [](std::int64_t turn, const LiveMessage& one) { return turn < one.turn; });
        std::rotate(place, at, at + 1);
    }
}

}  // namespace

SessionService::SessionService(sql::Database& database, events::Journal& journal, std::unique_ptr<LiveSessions> live,
                               const config::Sessions& settings, const Clock& clock)
    : database_(database), journal_(journal), live_(std::move(live)), settings_(settings), clock_(clock)
{}

SessionService::~SessionService() = default;

namespace {

model::Session fresh_session(const Clock& clock, const config::Sessions& settings, std::string owner_id)
{
    model::Session session;
    session.id = new_id();
    session.token = random_base62(43);
    session.owner_id = std::move(owner_id);
    session.created_at = session.updated_at = clock.now();
    session.expires_at = session.created_at + settings.ttl.count();
    session.max_turns = settings.max_turns;
    return session;
}

}  // namespace

Task<Result<model::Session>> SessionService::create(std::string owner_id, NewSession fresh, model::Actor by)
{
    auto session = fresh_session(clock_, settings_, std::move(owner_id));
    session.title = std::move(fresh.title);
    session.model = std::move(fresh.model);
    if (!fresh.flow_id.empty())
        session.flow_id = std::move(fresh.flow_id);
    auto stored = co_await journal_.write([&](sql::Connection& connection, events::Batch& batch) {
        batch.add(session_created(session, by));
        return store::Sessions(connection).insert(session);
    });
    if (!stored)
        co_return stored.error();
    LiveSession live;
    live.session = session;
    co_await live_->put(std::move(live));
    co_return session;
}

Task<Result<model::Session>> SessionService::find(std::string owner_id, std::string id)
{
    co_return co_await database_.read_statement(
        [&](sql::Connection& connection) { return store::Sessions(connection).find(id, owner_id); });
}

Task<Result<SessionPage>> SessionService::list(std::string owner_id, PageRequest page)
{
    auto rows = co_await database_.read(
        [&](sql::Connection& connection) { return store::Sessions(connection).list(owner_id, to_page(page)); });
    if (!rows)
        co_return rows.error();
    SessionPage out;
    out.next = next_of(*rows, page.limit);
    out.sessions = std::move(*rows);
    co_return out;
}

Task<Result<void>> SessionService::remove(std::string owner_id, std::string id, model::Actor by)
{
    const auto now = clock_.now();
    auto removed = co_await journal_.write([&](sql::Connection& connection, events::Batch& batch) {
        batch.add(session_deleted(id, owner_id, now, by));
        return store::Sessions(connection).remove(id, owner_id, now);
    });
    chats_.forget_all();
    co_await live_->forget(id);
    co_return removed;
}

Task<Result<HistoryPage>> SessionService::history(std::string owner_id, std::string id, PageRequest page)
{
    co_return co_await database_.read([&](sql::Connection& connection) -> Result<HistoryPage> {
        if (auto session = store::Sessions(connection).find(id, owner_id); !session)
            return session.error();
        auto messages = store::Messages(connection).list(id, owner_id, to_page(page));
        if (!messages)
            return messages.error();
        auto summaries = store::Summaries(connection).list(id, owner_id);
        if (!summaries)
            return summaries.error();
        HistoryPage out;
        out.next = next_of(*messages, page.limit, messages->cut);
        out.messages = std::move(*messages);
        out.summaries = std::move(*summaries);
        return out;
    });
}

Task<Result<model::Session>> SessionService::for_client_chat(std::string owner_id, std::string client_chat_id,
                                                             std::string model, model::Actor by)
{
    auto known = co_await database_.read_statement([&](sql::Connection& connection) {
        return store::Sessions(connection).find_by_client_chat(client_chat_id, owner_id);
    });
    if (known || known.error().code() != Errc::not_found)
        co_return known;
    auto session = fresh_session(clock_, settings_, std::move(owner_id));
    session.client_chat_id = std::move(client_chat_id);
    session.model = std::move(model);
    const auto asked_at = marks_.generation(session.id);
    auto stored = co_await journal_.write([&](sql::Connection& connection, events::Batch& batch) {
        auto made = store::Sessions(connection).find_or_create(session);
        if (made && made->id == session.id)   // else another request was first
            batch.add(session_created(session, by));
        return made;
    });
    if (stored && stored->id == session.id && is_only_process())
        marks_.keep(session.id, {}, asked_at);
    co_return stored;
}

Task<Result<std::string>> SessionService::id_for_client_chat(std::string owner_id, std::string client_chat_id,
                                                             std::string model, model::Actor by)
{
    const bool only_process = is_only_process();
    const auto chat = owner_id + '\n' + client_chat_id;
    if (only_process)
        if (auto known = chats_.find(chat))
            co_return std::move(*known);
    const auto asked_at = chats_.generation();
    auto session =
        co_await for_client_chat(std::move(owner_id), std::move(client_chat_id), std::move(model), std::move(by));
    if (!session)
        co_return session.error();
    if (only_process)
        chats_.keep(chat, session->id, asked_at);
    co_return std::move(session->id);
}

// The row is read first, the copy after it: one of the same version has everything the row stands for, whichever replica
// wrote it and whatever Redis lost or kept meanwhile.
// The messages before the summary are in the summary.
Task<Result<LiveSession>> SessionService::conversation(std::string owner_id, std::string id)
{
    auto live = co_await newest_messages(std::move(owner_id), std::move(id));
    if (live)
        std::erase_if(live->messages, [&](const LiveMessage& one) { return one.turn <= live->summary_up_to_turn; });
    co_return live;
}

Task<Result<LiveSession>> SessionService::newest_messages(std::string owner_id, std::string id)
{
    auto row = co_await find(owner_id, id);
    if (!row)
        co_return row.error();
    if (auto live = co_await live_->get(id); live && live->same_version(*row)) {
        live->session = std::move(*row);
        order_by_turn(live->messages);
        co_return std::move(*live);
    }
    auto rebuilt = co_await database_.read(
        [&](sql::Connection& connection) { return rebuild(connection, owner_id, id, settings_.keep_messages); });
    if (!rebuilt)
        co_return rebuilt.error();
    co_await live_->put(*rebuilt);
    order_by_turn(rebuilt->messages);
    co_return rebuilt;
}

Task<Result<LiveSession>> SessionService::since_summary(LiveSession conversation, std::int64_t bytes)
{
    const auto& session = conversation.session;
    auto& messages = conversation.messages;
    const bool begins_there = !messages.empty() && messages.front().role == "user" &&
                              messages.front().turn == conversation.summary_up_to_turn + 1;
    if (begins_there)
        co_return conversation;
    auto all = co_await database_.read([&](sql::Connection& connection) {
        return store::Messages(connection)
            .newest_within(session.id, session.owner_id, bytes, conversation.summary_up_to_turn);
    });
    if (!all)
        co_return all.error();
    if (all->size() > messages.size())  // else the kept ones are more than fit: they were always given
        messages = live_messages(std::move(*all));
    order_by_turn(messages);
    co_return conversation;
}

bool SessionService::is_only_process() const
{
    return database_.dialect() == sql::Dialect::sqlite;
}

Task<Result<void>> SessionService::learn_marks(const TurnRecord& record)
{
    if (marks_.has(record.session_id, store::mark_of(record.turn_key)))
        co_return Result<void>();
    const auto asked_at = marks_.generation(record.session_id);
    auto marks = co_await database_.read(
        [&](sql::Connection& connection) { return store::Turns(connection).marks(record.session_id); });
    if (!marks)
        co_return marks.error();
    marks_.keep(record.session_id, std::move(*marks), asked_at);
    co_return Result<void>();
}

Task<Result<RecordedTurn>> SessionService::record_turn(TurnRecord record)
{
    std::optional<TurnMarks::Recording> recording;
    if (!record.turn_key.empty() && is_only_process()) {
        if (auto learnt = co_await learn_marks(record); !learnt)
            co_return learnt.error();
        recording.emplace(marks_, record.session_id, store::mark_of(record.turn_key));
    }
    const auto now = clock_.now();
    TurnRows rows(record, now, now + settings_.ttl.count());
    store::StoredTurn stored;
    const auto done = co_await database_.write_together([&](sql::Connection& connection) {
        rows.set_key_is_new(recording && recording->is_new());
        return store::Turns(connection).record(rows.turn(), stored);
    });
    if (!done)
        co_return done.error();
    if (recording && stored.turn.counted)
        recording->recorded();
    recording.reset();
    journal_.tell([&] { return rows.event(stored); });
    co_await follow_turn(rows, stored);
    co_return RecordedTurn{stored.turn.turn, stored.turn.summary_due};
}

// Adds the turn to a live copy that is of the version just before it; any other copy is of no use any more.
Task<void> SessionService::follow_turn(TurnRows& rows, const store::StoredTurn& stored)
{
    const auto& id = rows.turn().session_id;
    auto live = co_await live_->get(id);
    if (!live)
        co_return;
    auto& session = live->session;
    const bool followed = stored.turn.counted && session.conversation_turns == stored.before.turns &&
                          session.turns_since_summary == stored.before.turns_since_summary &&
                          session.updated_at == stored.before.updated_at;
    if (!followed) {
        co_await live_->forget(id);
        co_return;
    }
    for (auto& message : rows.live_messages(stored))
        live->messages.push_back(std::move(message));
    const auto keep = static_cast<std::size_t>(settings_.keep_messages);
    if (live->messages.size() > keep)
        live->messages.erase(live->messages.begin(), live->messages.end() - static_cast<std::ptrdiff_t>(keep));
    session.conversation_turns = stored.turn.turn;
    session.turns_since_summary += 1;
    session.updated_at = stored.at;
    co_await live_->put(std::move(*live));
}

Task<Result<void>> SessionService::add_summary(std::string owner_id, std::string id, std::string text,
                                               std::int64_t up_to_turn, std::string model)
{
    model::ConversationSummary summary;
    summary.id = new_id();
    summary.session_id = id;
    summary.owner_id = owner_id;
    summary.content = storable(std::move(text));
    summary.up_to_turn = up_to_turn;
    summary.model = std::move(model);
    summary.created_at = clock_.now();
    auto stored = co_await journal_.write([&](sql::Connection& connection, events::Batch& batch) -> Result<void> {
        const auto news =
            store::Sessions(connection).reset_turns_since_summary(id, owner_id, up_to_turn, summary.created_at);
        if (!news)
            return news.error();
        if (!*news)
            return {};   // another replica has summarised these turns meanwhile
        batch.add(session_summarised(summary));
        return store::Summaries(connection).append(summary);
    });
    if (!stored)
        co_return stored;
    auto rebuilt = co_await database_.read(
        [&](sql::Connection& connection) { return rebuild(connection, owner_id, id, settings_.keep_messages); });
    if (rebuilt)
        co_await live_->put(std::move(*rebuilt));
    else
        co_await live_->forget(id);  // the next turn builds it
    co_return stored;
}

}  // namespace dure::sessions
