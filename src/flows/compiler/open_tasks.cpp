// See open_tasks.hpp.
#include "dure/flows/open_tasks.hpp"

namespace dure::flows {

namespace {

void add_numbers(Json& sum, const Json& more)
{
    if (!sum.is_object())
        sum = Json::object();
    for (const auto& [name, value] : more.items()) {
        const auto before = sum.find(name);
        if (!value.is_number())
            continue;
        if (before == sum.end())
            sum[name] = value;
        else if (before->is_number_float() || value.is_number_float())
            *before = before->get<double>() + value.get<double>();
        else
            *before = before->get<std::int64_t>() + value.get<std::int64_t>();
    }
}

}  // namespace

void OpenTask::count(std::string_view call, const Json& usage)
{
    if (!usage.is_object() || (!call.empty() && !calls_.emplace(call).second))
        return;
    add_numbers(usage_, usage);
    if (call.empty())
        add_numbers(unkept_, usage);
    else
        unkept_calls_[std::string(call)] = usage;
}

void OpenTask::note_kept(const std::string& id)
{
    notes_.insert(id);
    unkept_ = Json();
    unkept_calls_ = Json::object();
}

void OpenTask::recall(const Json& note)
{
    if (!notes_.insert(note.at("id").get<std::string>()).second)
        return;
    if (note.at("usage").is_object())
        add_numbers(usage_, note.at("usage"));
    for (const auto& [call, usage] : note.at("calls").items())
        if (calls_.insert(call).second)
            add_numbers(usage_, usage);
}

std::shared_ptr<OpenTask> OpenTasks::begin(const std::string& task, UnixMillis now)
{
    auto& known = tasks_[task];
    if (!known) {
        known = std::make_shared<OpenTask>(now);
        if (told_)
            told_(task, known);
    }
    return known;
}

std::shared_ptr<OpenTask> OpenTasks::find(const std::string& task) const
{
    const auto known = tasks_.find(task);
    return known == tasks_.end() ? nullptr : known->second;
}

}  // namespace dure::flows
