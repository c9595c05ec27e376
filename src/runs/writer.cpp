// See writer.hpp. One write at a time, so that events leave in the order of their numbers.
#include "dure/runs/writer.hpp"

#include "runs/batch_writer.hpp"
#include "runs/rollback.hpp"
#include "runs/run_rows.hpp"
#include "runs/storage_retry.hpp"
#include "runs/thread_care.hpp"

namespace dure::runs {

namespace {

Error not_of_a_run()
{
    return Error(Errc::invalid_argument, "A run cannot do this to its thread.");
}

// The events of one write; they wait again unless they were given out.
struct Taken {
    explicit Taken(std::vector<RunEvent>& waiting) : events(std::exchange(waiting, {})), waiting_(waiting) {}
    ~Taken()
    {
        waiting_.insert(waiting_.begin(), std::make_move_iterator(events.begin()),
                        std::make_move_iterator(events.end()));
    }
    Taken(const Taken&) = delete;
    Taken& operator=(const Taken&) = delete;

    std::vector<RunEvent> events;

private:
    std::vector<RunEvent>& waiting_;
};

}  // namespace

class RunWriter::Turn {
public:
    explicit Turn(RunWriter& writer) : writer_(writer) { writer_.writing_ = true; }
    ~Turn()
    {
        writer_.writing_ = false;
        writer_.free_.notify();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

private:
    RunWriter& writer_;
};

RunWriter::RunWriter(sql::Database& database, RunStreams& streams, boost::asio::any_io_executor executor,
                     const Run& run, std::int64_t last_seq, ExtraWrites extra, WriterLimits limits,
                     WriteMoments moments)
    : database_(database), streams_(streams), reader_(database, {limits.give_up_after}), run_(run), last_seq_(last_seq),
      extra_(std::move(extra)), limits_(limits), moments_(std::move(moments)), told_(executor), free_(executor)
{}

// A stop that came while the run was on its way to wait for somebody: its worker hears of it too late, and the answer that sets it
// going again would clear it. Runs inside the transaction that ends the run; `stopped` is the ending then.
Result<RunWriter::Last> RunWriter::heed_stop(sql::Connection& connection, Last last, Ending& stopped) const
{
    if (last.ending == nullptr || last.ending->status != Status::interrupted)
        return last;
    const auto asked = RunRows(connection).asked_stop({run_.id, run_.epoch});
    if (!asked)
        return asked.error();
    if (*asked == Stop::no)
        return last;
    stopped = ended_by(*asked);
    stopped.now = last.ending->now;
    return Last{&stopped, *asked == Stop::rollback};
}

Result<void> RunWriter::write_now(sql::Connection& connection, const Queue& queue, const WriteOfRun& what,
                                  const ExtraWrites& extra, bool rolled_back)
{
    const Fence fence{run_.id, run_.epoch};
    // One after the other: what the first keeps the second may drop.
    for (std::size_t i = 0; i + 1 < queue.size(); ++i)
        if (auto written = write_batch(connection, {run_.thread, queue[i]->batch, fence, {}}); !written)
            return written;
    const auto& newest = queue.empty() ? what.batch : queue.back()->batch;
    if (auto written = write_batch(connection, {run_.thread, newest, fence, what.events}); !written)
        return written;
    if (rolled_back)
        if (auto undone = roll_back(connection, run_); !undone)
            return undone;
    if (extra)
        if (auto added = extra(connection, what); !added)
            return added;
    if (!what.ending)
        return {};
    RunRows rows(connection);
    return what.ending->status == Status::pending ? rows.release(fence) : rows.finish(fence, *what.ending);
}

graph::Batch RunWriter::together(const Queue& queue)
{
    graph::Batch all;
    const auto add = [](auto& to, const auto& from) { to.insert(to.end(), from.begin(), from.end()); };
    for (const auto& queued : queue) {
        add(all.drops, queued->batch.drops);
        add(all.pending, queued->batch.pending);
        add(all.checkpoints, queued->batch.checkpoints);
    }
    return all;
}

// Everything that waits, in one transaction. The turn is the caller's.
Task<Result<void>> RunWriter::write_queue(Last last)
{
    static const graph::Batch nothing;
    const Turn turn(*this);
    // Whoever is cancelled on the way leaves the rest to the next one.
    struct Borrowed {
        Queue& home;
        Queue queue = std::exchange(home, {});
        ~Borrowed()
        {
            std::erase_if(queue, [](const auto& one) { return one->outcome.has_value(); });
            home.insert(home.begin(), queue.begin(), queue.end());
        }
    };
    const Borrowed borrowed{queue_};
    const auto& queue = borrowed.queue;
    Taken taken(waiting_);
    std::optional<graph::Batch> all;
    if (queue.size() > 1)
        all = together(queue);
    const auto& batch = all ? *all : queue.empty() ? nothing : queue.front()->batch;
    WriteOfRun what{run_, batch, taken.events, last.ending};
    const bool has_extra = extra_ && (!moments_.has_extra || moments_.has_extra(what));
    if (has_extra && moments_.prepare)
        what.prepared = moments_.prepare(what);
    const auto extra = has_extra ? extra_ : ExtraWrites();
    Ending stopped;
    const auto unit = [&](sql::Connection& c) -> Result<void> {
        const auto heeded = heed_stop(c, last, stopped);
        if (!heeded)
            return heeded.error();
        what.ending = heeded->ending;
        return write_now(c, queue, what, extra, heeded->rolled_back);
    };
    const bool one_statement =
        queue.size() <= 1 && !has_extra && !last.ending && is_one_statement(database_.dialect(), batch);
    auto written = co_await until_stored(
        [&] { return one_statement ? database_.write_statement(unit) : database_.write_together(unit); },
        limits_.give_up_after, limits_.latest);
    Queue again;   // its events go out with the next write that succeeds: so does what they tell of
    for (const auto& queued : queue) {
        queued->outcome = written;
        if (!written && written.error().reason() == "STORAGE_ERROR")
            again.push_back(std::make_shared<Queued>(Queued{std::move(queued->batch), std::nullopt}));
    }
    queue_.insert(queue_.begin(), again.begin(), again.end());
    if (written && moments_.committed)
        moments_.committed(what);
    if (written)
        give_out(std::exchange(taken.events, {}));
    co_return written;
}

void RunWriter::give_out(std::vector<RunEvent> events)
{
    if (events.empty() || streams_.readers(run_.id) == 0)
        return;
    std::vector<SharedRunEvent> shared;
    for (auto& event : events)
        shared.push_back(std::make_shared<const RunEvent>(std::move(event)));
    streams_.publish(run_.id, shared);
}

// Queued at once, so that what was told before this call is in the same write, whoever makes it.
Task<Result<void>> RunWriter::save(const std::string& thread, graph::Batch batch)
{
    if (thread != run_.thread)
        co_return Error(Errc::invalid_argument, "A run writes to its own thread only.");
    const auto mine = std::make_shared<Queued>();
    mine->batch = std::move(batch);
    queue_.push_back(mine);
    while (!mine->outcome) {
        if (writing_)
            co_await free_.wait();
        else
            (void)co_await write_queue({});
    }
    co_return *mine->outcome;
}

Task<Result<void>> RunWriter::tell(std::string ns, std::string_view mode, Json data)
{
    if (waiting_.size() >= limits_.waiting_events)
        if (auto written = co_await flush(); !written)
            co_return written;
    tell_with_next_save(std::move(ns), mode, std::move(data));
    co_return Result<void>();
}

void RunWriter::tell_with_next_save(std::string ns, std::string_view mode, Json data)
{
    waiting_.push_back({++last_seq_, std::move(ns), std::string(mode), std::move(data)});
    told_.notify();
}

Task<Result<void>> RunWriter::flush()
{
    while (writing_)
        co_await free_.wait();
    if (waiting_.empty())
        co_return Result<void>();
    co_return co_await write_queue({});
}

Task<void> RunWriter::keep_flushing()
{
    for (;;) {
        while (waiting_.empty())
            co_await told_.wait();
        co_await sleep_for(limits_.longest_wait);
        if (!co_await flush())   // the run itself meets the same error at its next write
            co_await sleep_for(std::chrono::seconds(1));
    }
}

Task<Result<void>> RunWriter::finish(const Ending& ending, bool rolled_back)
{
    Last last;
    last.ending = &ending;
    last.rolled_back = rolled_back;
    while (writing_)
        co_await free_.wait();
    auto written = co_await write_queue(last);
    streams_.nudge(run_.id);
    co_return written;
}

Task<Result<std::optional<graph::StoredCheckpoint>>> RunWriter::load(const std::string& thread, const std::string& ns,
                                                                     const std::string& id, bool with_pending)
{
    return reader_.load(thread, ns, id, with_pending);
}

Task<Result<std::vector<graph::StoredCheckpoint>>> RunWriter::history(const std::string& thread,
                                                                      const graph::HistoryQuery& query)
{
    return reader_.history(thread, query);
}

Task<Result<std::vector<std::string>>> RunWriter::namespaces(const std::string& thread)
{
    return reader_.namespaces(thread);
}

Task<Result<void>> RunWriter::delete_thread(const std::string&)
{
    co_return not_of_a_run();
}

Task<Result<void>> RunWriter::copy_thread(const std::string&, const std::string&)
{
    co_return not_of_a_run();
}

Task<Result<void>> RunWriter::delete_run(const std::string& thread, const std::string& run)
{
    const auto unit = [&](sql::Connection& c) -> Result<void> {
        if (auto held = check_fence(c, {run_.id, run_.epoch}); !held)
            return held;
        return runs::delete_run(c, thread, run);
    };
    co_return co_await until_stored([&] { return database_.write(unit); }, limits_.give_up_after, limits_.latest);
}

Task<Result<std::int64_t>> RunWriter::prune(const std::string&, std::int64_t, std::optional<UnixMillis>)
{
    co_return not_of_a_run();
}

}  // namespace dure::runs
