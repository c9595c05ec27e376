// What the tests of checkpointers share: a maker of checkpoints, and a fixture that saves, loads and lists them by short names.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <memory>

#include "dure/graph/checkpointer.hpp"
#include "support/run_task.hpp"

namespace dure::graph {

// A checkpointer and what must live as long as it.
struct CheckpointerUnderTest {
    std::shared_ptr<void> storage;
    std::unique_ptr<Checkpointer> checkpointer;
};

struct CheckpointerCase {
    std::string name;
    std::function<CheckpointerUnderTest()> open;
};

inline std::ostream& operator<<(std::ostream& out, const CheckpointerCase& one)
{
    return out << one.name;
}

inline std::string case_name(const testing::TestParamInfo<CheckpointerCase>& info)
{
    return info.param.name;
}

inline Value shared(Json value)
{
    return std::make_shared<const Json>(std::move(value));
}

// Short words: "id after parent" with channel values and deltas.
class CheckpointMaker {
public:
    explicit CheckpointMaker(std::string id, std::string parent = "")
    {
        made_.id = std::move(id);
        made_.parent = std::move(parent);
        made_.frontier = Json{{"next", {"a"}}};
        made_.graph_version = "v1";
        made_.created_at = 1000;
    }
    // What the channels were in `before`, unchanged.
    CheckpointMaker&& with(const Checkpoint& before) &&
    {
        made_.versions = before.versions;
        return std::move(*this);
    }
    CheckpointMaker&& whole(const std::string& channel, Json value) &&
    {
        ChannelWrite write;
        write.channel = channel;
        write.data = shared(std::move(value));
        return std::move(*this).add(std::move(write));
    }
    CheckpointMaker&& delta(const std::string& channel, Json updates, const std::string& base,
                            std::int64_t deltas = 1) &&
    {
        ChannelWrite write;
        write.channel = channel;
        write.data = shared(std::move(updates));
        write.base = base;
        write.deltas = deltas;
        return std::move(*this).add(std::move(write));
    }
    CheckpointMaker&& in(std::string ns) &&
    {
        made_.ns = std::move(ns);
        return std::move(*this);
    }
    CheckpointMaker&& by(std::string run) &&
    {
        made_.run = std::move(run);
        return std::move(*this);
    }
    CheckpointMaker&& step(std::int64_t number, Source source = Source::loop) &&
    {
        made_.step = number;
        made_.source = source;
        return std::move(*this);
    }
    CheckpointMaker&& at(UnixMillis time) &&
    {
        made_.created_at = time;
        return std::move(*this);
    }
    CheckpointMaker&& tagged(Json metadata) &&
    {
        made_.metadata = std::move(metadata);
        return std::move(*this);
    }
    operator Checkpoint() && { return std::move(made_); }

private:
    CheckpointMaker&& add(ChannelWrite write) &&
    {
        made_.versions[write.channel] = made_.id;
        made_.writes.push_back(std::move(write));
        return std::move(*this);
    }

    Checkpoint made_;
};

inline PendingWrite pending(std::string checkpoint, std::string task, Json data,
                            PendingWrite::Kind kind = PendingWrite::Kind::result, std::string key = "")
{
    PendingWrite write;
    write.checkpoint = std::move(checkpoint);
    write.task = std::move(task);
    write.kind = kind;
    write.key = std::move(key);
    write.data = std::move(data);
    return write;
}

class CheckpointerConformance : public testing::TestWithParam<CheckpointerCase> {
protected:
    void SetUp() override { under_test_ = GetParam().open(); }

    template <class T>
    T await(Task<Result<T>> task)
    {
        std::optional<Result<T>> outcome;
        dure::test::run([&]() -> Task<void> { outcome.emplace(co_await std::move(task)); });
        if (!*outcome)
            throw std::runtime_error(outcome->error().message() + " " + outcome->error().detail());
        if constexpr (!std::is_void_v<T>)
            return std::move(**outcome);
    }
    template <class T>
    Error refused(Task<Result<T>> task)
    {
        std::optional<Result<T>> outcome;
        dure::test::run([&]() -> Task<void> { outcome.emplace(co_await std::move(task)); });
        return *outcome ? throw std::runtime_error("it was not refused") : outcome->error();
    }

    Checkpointer& keeper() { return *under_test_.checkpointer; }

    void save(Batch batch, const std::string& thread = "t") { await(keeper().save(thread, std::move(batch))); }
    Checkpoint add(Checkpoint checkpoint, const std::string& thread = "t")
    {
        auto copy = checkpoint;
        Batch batch;
        batch.checkpoints.push_back(std::move(checkpoint));
        save(std::move(batch), thread);
        return copy;
    }
    void add_pending(PendingWrite write, const std::string& thread = "t")
    {
        Batch batch;
        batch.pending.push_back(std::move(write));
        save(std::move(batch), thread);
    }
    std::optional<StoredCheckpoint> load(const std::string& id = "", const std::string& ns = "",
                                         const std::string& thread = "t", bool with_pending = true)
    {
        return await(keeper().load(thread, ns, id, with_pending));
    }
    std::vector<std::string> history(HistoryQuery query = {}, const std::string& thread = "t")
    {
        std::vector<std::string> ids;
        for (const auto& found : await(keeper().history(thread, query)))
            ids.push_back(found.checkpoint.id);
        return ids;
    }
    // task:kind:key=data, sorted.
    std::vector<std::string> pending_of(const std::string& id = "", const std::string& ns = "")
    {
        std::vector<std::string> texts;
        const auto found = load(id, ns);
        if (found)
            for (const auto& write : found->pending)
                texts.push_back(write.task + ":" + std::string(name_of(write.kind)) + ":" + write.key + "=" +
                                write.data.dump());
        std::sort(texts.begin(), texts.end());
        return texts;
    }
    // The whole value and its deltas, as text.
    static std::string chain(const std::optional<StoredCheckpoint>& found, const std::string& channel)
    {
        if (!found || !found->channels.contains(channel))
            return "absent";
        const auto& data = found->channels.at(channel);
        std::string text = data.whole ? data.whole->dump() : "-";
        for (const auto& delta : data.deltas)
            text += "+" + delta->dump();
        return text;
    }

    CheckpointerUnderTest under_test_;
};

using Ids = std::vector<std::string>;

}  // namespace dure::graph
