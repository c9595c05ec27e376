// OpenTasks: what is known of the nodes of a run that have begun and left no result: for the steps of those that fail, are tried
// again or are cancelled. One run, one core: not thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>

#include "dure/base/clock.hpp"
#include "dure/base/json.hpp"

namespace dure::flows {

class OpenTask {
public:
    explicit OpenTask(UnixMillis at) : began(at) {}

    // What a call used. `call` not empty: the same call counts once (CallBudget).
    void count(std::string_view call, const Json& usage);
    // Sums over all attempts {"input_tokens", "output_tokens", "cost_usd", …}; null: no model was asked.
    const Json& usage() const { return usage_; }

    // What was counted since the last note, to be kept with the task: a process that goes on with it takes it up again.
    bool has_news() const { return has_passing_news() || !unkept_calls_.empty(); }
    bool has_passing_news() const { return !unkept_.is_null(); }  // of calls without a name, whose answers nobody keeps
    Json note(const std::string& id) const { return {{"id", id}, {"usage", unkept_}, {"calls", unkept_calls_}}; }
    void note_kept(const std::string& id);
    // One that is kept, of an earlier process or of this one.
    void recall(const Json& note);

    const UnixMillis began;  // its first attempt
    std::shared_ptr<const Json> input;

private:
    Json usage_, unkept_;
    Json unkept_calls_ = Json::object();  // usage by name: the answer of a call is kept too, and may be counted first
    std::set<std::string, std::less<>> calls_, notes_;
};

class OpenTasks {
public:
    // The same for all attempts. Whoever works on it holds it: what comes too late ends after the task is forgotten.
    std::shared_ptr<OpenTask> begin(const std::string& task, UnixMillis now);
    std::shared_ptr<OpenTask> find(const std::string& task) const;
    void forget(const std::string& task) { tasks_.erase(task); }
    // Told of each one when it begins.
    using Told = std::function<void(const std::string& task, const std::shared_ptr<OpenTask>& open)>;
    void on_begin(Told told) { told_ = std::move(told); }

private:
    Told told_;
    std::unordered_map<std::string, std::shared_ptr<OpenTask>> tasks_;
};

}  // namespace dure::flows
