// See graph_body.hpp.
#include "dure/runs/graph_body.hpp"

#include <array>

#include "dure/runs/webhooks.hpp"

namespace dure::runs {

namespace {

class Teller final : public graph::EventSink {
public:
    Teller(RunWriter& writer, Telling telling, const PreparedRun& prepared)
        : writer_(writer), telling_(telling), prepared_(prepared),
          saves_follow_(prepared.options.durability != graph::Durability::exit)
    {}

    graph::Modes modes() const override { return telling_.modes; }
    bool subgraphs() const override { return telling_.subgraphs; }
    bool shows_task_input() const override { return !prepared_.translate; }   // who translates knows the input
    bool holds_until_durable() const override { return true; }   // RunWriter does
    Task<Result<void>> event(const graph::Event& event) override
    {
        if (!prepared_.translate)
            co_return co_await tell(event, graph::name_of(event.mode), event.data);
        auto told = prepared_.translate(event);
        if (!told)
            co_return Result<void>();
        co_return co_await tell(event, told->mode, std::move(told->data));
    }

private:
    // What comes of a task or a superstep goes in its write; what nodes say is unbounded and may have to wait.
    Task<Result<void>> tell(const graph::Event& event, std::string_view mode, Json data)
    {
        const bool said = event.mode == graph::Mode::messages || event.mode == graph::Mode::custom;
        if (said || !saves_follow_)
            co_return co_await writer_.tell(event.ns, mode, std::move(data));
        writer_.tell_with_next_save(event.ns, mode, std::move(data));
        co_return Result<void>();
    }

    RunWriter& writer_;
    Telling telling_;
    const PreparedRun& prepared_;
    bool saves_follow_;
};

Status status_of(graph::RunStatus status)
{
    switch (status) {
    case graph::RunStatus::pending: return Status::pending;
    case graph::RunStatus::running: return Status::cancelled;   // it was stopped on its way
    case graph::RunStatus::interrupted: return Status::interrupted;
    case graph::RunStatus::success: return Status::success;
    case graph::RunStatus::error: return Status::error;
    case graph::RunStatus::timeout: return Status::timeout;
    case graph::RunStatus::cancelled: return Status::cancelled;
    }
    throw InvariantBroken("unknown status of a graph run");
}

Ending ending_of(const graph::RunResult& result)
{
    Ending ending;
    ending.status = status_of(result.status);
    ending.output = result.output;
    if (!result.interrupts.empty()) {
        auto open = Json::array();
        for (const auto& interrupt : result.interrupts)
            open.push_back(graph::to_json(interrupt));
        if (!ending.output->is_object())
            ending.output = Json::object();
        (*ending.output)["__interrupt__"] = std::move(open);
    }
    if (result.error)
        ending.error = error_json(*result.error, result.failures);
    return ending;
}

Ending refused(const Error& error)
{
    Ending ending;
    ending.status = Status::error;
    ending.error = error_json(error, {});
    return ending;
}

Task<Ending> execute(const GraphSource& source, RunWriter& writer, RunControl& control)
{
    const auto& run = writer.run();
    auto prepared = source(run);
    if (!prepared)
        co_return refused(prepared.error());
    auto input = run_input_of(run.input);
    if (!input)
        co_return refused(input.error());
    auto& options = prepared->options;
    const auto telling = apply_options(run.options, options);
    if (!telling)
        co_return refused(telling.error());
    Teller teller(writer, *telling, *prepared);
    std::atomic<bool> drains = false;
    control.on_drain([&drains] { drains = true; });
    options.events = &teller;
    options.checkpointer = &writer;
    options.thread = run.thread;
    options.run = run.id;
    options.recovers = run.attempts > 1;
    options.drains = &drains;
    graph::RunResult result;
    try {
        co_await prepared->graph.run(std::move(*input), options, result);
    } catch (const boost::system::system_error& stopped) {
        if (stopped.code() != boost::asio::error::operation_aborted)
            throw;
        result.status = graph::RunStatus::cancelled;
    }
    control.forget();
    if (prepared->warn)
        for (const auto& warning : result.warnings)
            prepared->warn(warning);
    co_return ending_of(result);
}

Error wrong(const std::string& field, const std::string& expected)
{
    return Error(Errc::invalid_argument, field + " must be " + expected + ".").param(field);
}

Result<std::vector<std::string>> texts_of(const Json& value, const std::string& field)
{
    std::vector<std::string> texts;
    if (!value.is_array())
        return wrong(field, "a list of texts");
    for (const auto& entry : value) {
        if (!entry.is_string())
            return wrong(field, "a list of texts");
        texts.push_back(entry.get<std::string>());
    }
    return texts;
}

Result<std::int64_t> number_of(const Json& value, const std::string& field, std::int64_t least, std::int64_t most)
{
    const auto range = "a whole number from " + std::to_string(least) + " to " + std::to_string(most);
    if (!value.is_number_integer() || (value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX))
        return wrong(field, range);
    const auto number = value.get<std::int64_t>();
    if (number < least || number > most)
        return wrong(field, range);
    return number;
}

Result<graph::Modes> modes_of(const Json& value)
{
    const auto names = texts_of(value, "modes");
    if (!names)
        return names.error();
    graph::Modes modes;
    for (const auto& name : *names) {
        const auto mode = graph::mode_named(name);
        if (!mode)
            return wrong("modes",
                         "of values, updates, messages, custom, tasks, checkpoints, debug; not \"" + name + "\"");
        modes = modes | *mode;
    }
    return modes;
}

// Puts a value where it belongs, or says what is wrong with it.
template <class T, class Target>
Result<void> put(Result<T> value, Target& target)
{
    if (!value)
        return value.error();
    target = std::move(*value);
    return {};
}

Result<void> put_milliseconds(const Json& value, const std::string& field, std::chrono::milliseconds& target)
{
    const auto number = number_of(value, field, 1, 86'400'000);
    if (!number)
        return number.error();
    target = std::chrono::milliseconds(*number);
    return {};
}

Result<void> apply_option(const std::string& field, const Json& value, graph::RunOptions& options, Telling& telling)
{
    if (field == "modes")
        return put(modes_of(value), telling.modes);
    if (field == "recursion_limit")
        return put(number_of(value, field, 1, 1'000'000), options.recursion_limit);
    if (field == "max_concurrency")
        return put(number_of(value, field, 0, 10'000), options.max_concurrency);
    if (field == "interrupt_before")
        return put(texts_of(value, field), options.interrupt_before);
    if (field == "interrupt_after")
        return put(texts_of(value, field), options.interrupt_after);
    if (field == "step_timeout_ms")
        return put_milliseconds(value, field, options.step_timeout);
    if (field == "timeout_ms") {
        std::chrono::milliseconds longest{0};
        if (auto read = put_milliseconds(value, field, longest); !read)
            return read;
        options.deadline = options.deadline.sooner(longest);
        return {};
    }
    if (field == "subgraphs") {
        if (!value.is_boolean())
            return wrong(field, "true or false");
        telling.subgraphs = value.get<bool>();
        return {};
    }
    if (field == "metadata") {
        if (!value.is_object())
            return wrong(field, "an object");
        options.metadata = value;
        return {};
    }
    if (!value.is_string())
        return wrong(field, "a text");
    const auto text = value.get<std::string>();
    if (field == webhook_option)
        return {};   // who takes the run has checked where it leads; read when the run ends
    if (field == "checkpoint") {
        options.checkpoint = text;
        return {};
    }
    if (field == "on_disconnect")
        return text == "continue" || text == "cancel" ? Result<void>() : wrong(field, "continue or cancel");
    const auto durability = graph::durability_named(text);
    if (!durability)
        return wrong(field, "sync, async or exit");
    options.durability = *durability;
    return {};
}

constexpr std::array<std::string_view, 13> known_options{
    "modes",           "subgraphs",  "recursion_limit",  "max_concurrency",
    "durability",      "checkpoint", "interrupt_before", "step_timeout_ms",
    "interrupt_after", "timeout_ms", "metadata",         "on_disconnect",
    webhook_option};

}  // namespace

RunBody graph_body(GraphSource source)
{
    return [source = std::move(source)](RunWriter& writer, RunControl& control) {
        return execute(source, writer, control);
    };
}

Result<graph::RunInput> run_input_of(const Json& input)
{
    if (input.is_null())
        return graph::RunInput::nothing();
    if (!input.is_object() || input.empty())
        return wrong("input", "null, or an object with input, resume, update or goto");
    for (const auto& [field, value] : input.items())
        if (field != "input" && field != "resume" && field != "update" && field != "goto")
            return wrong("input", "an object with input, resume, update or goto, without \"" + field + "\"");
    if (input.contains("input")) {
        if (input.size() > 1)
            return wrong("input", "either an input or a command");
        return graph::RunInput(input["input"]);
    }
    graph::Command command;
    if (const auto answer = input.find("resume"); answer != input.end())
        command.resume = *answer;
    if (const auto update = input.find("update"); update != input.end())
        command.update = *update;
    if (const auto target = input.find("goto"); target != input.end()) {
        const auto nodes = texts_of(target->is_string() ? Json::array({*target}) : *target, "goto");
        if (!nodes)
            return nodes.error();
        for (const auto& node : *nodes)
            command.go_to.emplace_back(node);
    }
    return graph::RunInput(std::move(command));
}

Result<Telling> apply_options(const Json& given, graph::RunOptions& options)
{
    Telling telling;
    if (!given.is_object())
        return wrong("options", "an object");
    for (const auto& [field, value] : given.items()) {
        if (std::find(known_options.begin(), known_options.end(), field) == known_options.end())
            return Error(Errc::invalid_argument, "There is no option \"" + field + "\".").param(field);
        if (auto applied = apply_option(field, value, options, telling); !applied)
            return applied.error();
    }
    return telling;
}

Json error_json(const Error& error, const std::vector<graph::NodeFailure>& failures)
{
    Json json{{"code", error.reason().empty() ? std::string(name_of(error.code())) : error.reason()},
              {"message", error.message()}};
    if (failures.empty()) {   // of a superstep as a whole: the first of the nodes it blames
        const auto& problems = error.extra().problems;
        if (!problems.empty() && problems.front().location.size() == 2 && problems.front().location.front() == "nodes")
            json["node"] = problems.front().location.back();
        return json;
    }
    auto list = Json::array();
    for (const auto& failure : failures)
        list.push_back(Json{{"node", failure.node},
                            {"attempts", failure.attempts},
                            {"code", failure.cause.reason().empty() ? std::string(name_of(failure.cause.code()))
                                                                    : failure.cause.reason()},
                            {"message", failure.cause.message()}});
    json["node"] = failures.front().node;
    json["failures"] = std::move(list);
    return json;
}

}  // namespace dure::runs
