// The words of checkpointer.hpp as they are stored and shown.
#include "dure/graph/checkpointer.hpp"

#include <array>
#include <utility>

namespace dure::graph {

namespace {

constexpr std::array<std::pair<PendingWrite::Kind, std::string_view>, 7> pending_words{{
    {PendingWrite::Kind::result, "result"},
    {PendingWrite::Kind::error, "error"},
    {PendingWrite::Kind::interrupt, "interrupt"},
    {PendingWrite::Kind::answer, "answer"},
    {PendingWrite::Kind::step, "step"},
    {PendingWrite::Kind::handed, "handed"},
    {PendingWrite::Kind::begun, "begun"},
}};

}  // namespace

std::string_view name_of(Source source)
{
    switch (source) {
    case Source::input: return "input";
    case Source::loop: return "loop";
    case Source::update: return "update";
    case Source::fork: return "fork";
    }
    throw InvariantBroken("unknown source of a checkpoint");
}

std::string_view name_of(PendingWrite::Kind kind)
{
    for (const auto& [known, word] : pending_words)
        if (known == kind)
            return word;
    throw InvariantBroken("unknown kind of a pending write");
}

std::optional<PendingWrite::Kind> pending_kind(std::string_view name)
{
    for (const auto& [kind, word] : pending_words)
        if (word == name)
            return kind;
    return std::nullopt;
}

bool matches(const Checkpoint& checkpoint, const Json& wanted)
{
    for (const auto& [key, value] : wanted.items()) {
        if (key == "source" ? value != name_of(checkpoint.source)
            : key == "step" ? value != checkpoint.step
            : key == "run"  ? value != checkpoint.run
                            : !checkpoint.metadata.contains(key) || checkpoint.metadata[key] != value)
            return false;
    }
    return true;
}

}  // namespace dure::graph
