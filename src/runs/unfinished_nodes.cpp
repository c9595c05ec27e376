// Runs::unfinished_nodes_in: head of the thread → its pending writes → the nodes that still have to give a result. Without the
// values of the state: who asks may be looking at a run that no process survives.
#include <map>
#include <set>

#include "dure/runs/runs.hpp"

namespace dure::runs {

namespace {

// A task without a row here has not come to anything; one that asks and has no answer waits.
struct TaskRows {
    bool has_result = false;
    std::int64_t questions = 0;
    std::int64_t answers = 0;
};

Result<std::set<std::string>> tasks_not_at_work(sql::Connection& connection, const std::string& thread,
                                                const std::string& checkpoint)
{
    const auto rows =
        connection.query("SELECT task_id, kind FROM graph_pending_writes WHERE thread_id = $1 AND ns = '' AND "
                         "checkpoint_id = $2 AND kind IN ('result', 'interrupt', 'answer')",
                         thread, checkpoint);
    if (!rows)
        return rows.error();
    std::map<std::string, TaskRows> tasks;
    for (const auto row : *rows) {
        auto& task = tasks[row.text(0)];
        const auto kind = row.text(1);
        task.has_result = task.has_result || kind == "result";
        task.questions += kind == "interrupt" ? 1 : 0;
        task.answers += kind == "answer" ? 1 : 0;
    }
    std::set<std::string> resting;
    for (const auto& [id, task] : tasks)
        if (task.has_result || task.questions > task.answers)
            resting.insert(id);
    return resting;
}

}  // namespace

Result<std::vector<std::string>> Runs::unfinished_nodes_in(sql::Connection& connection, const std::string& thread)
{
    const auto head = connection.query(
        "SELECT id, frontier FROM graph_checkpoints WHERE thread_id = $1 AND ns = '' ORDER BY id DESC LIMIT 1", thread);
    if (!head)
        return head.error();
    if (head->empty())
        return std::vector<std::string>();
    graph::Checkpoint at;
    at.id = head->front().text(0);
    at.frontier = Json::parse(head->front().text(1), nullptr, false);  // one that is damaged names none
    const auto resting = tasks_not_at_work(connection, thread, at.id);
    if (!resting)
        return resting.error();
    return graph::unfinished_nodes(thread, at, *resting);
}

}  // namespace dure::runs
