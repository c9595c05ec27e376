// Finds the call a fragment belongs to; see tool_call_joiner.hpp.
#include "llm/openai/tool_call_joiner.hpp"

#include <algorithm>

#include "dure/base/clock.hpp"

namespace dure::llm::openai {

namespace {

constexpr std::size_t most_calls = 128;

std::string text_of_member(const OrderedJson& object, const char* name)
{
    const auto found = object.is_object() ? object.find(name) : object.end();
    return object.is_object() && found != object.end() && found->is_string() ? found->get<std::string>()
                                                                             : std::string();
}

// Arguments come as text; some servers send the object itself.
std::string arguments_of(const OrderedJson& function)
{
    const auto found = function.is_object() ? function.find("arguments") : function.end();
    if (!function.is_object() || found == function.end() || found->is_null())
        return {};
    return found->is_string() ? found->get<std::string>() : dump(*found);
}

}  // namespace

bool ToolCallJoiner::add(const OrderedJson& fragment, std::vector<model::ToolCallPiece>& out)
{
    if (!fragment.is_object())
        return true;
    const auto id = text_of_member(fragment, "id");
    const auto function = fragment.value("function", OrderedJson());
    std::optional<std::int64_t> index;
    if (const auto given = fragment.find("index"); given != fragment.end() && given->is_number_integer())
        index = given->get<std::int64_t>();
    auto* call = find(index, id);
    if (call == nullptr) {
        if (calls_.size() >= most_calls)
            return false;
        const bool taken = std::any_of(calls_.begin(), calls_.end(), [&](const Call& one) { return one.id == id; });
        call = &calls_.emplace_back();
        call->index = index;
        call->upstream_id = id;
        call->id = id.empty() || taken ? "call_" + random_base62(24) : id;   // clients answer calls by their ids
    }
    const auto arguments = arguments_of(function);
    call->has_arguments = call->has_arguments || !arguments.empty();
    if (call->announced) {
        if (!arguments.empty())
            out.push_back(model::ToolCallPiece{number_of(*call), "", "", arguments});
        return true;
    }
    call->held_arguments += arguments;
    if (const auto name = text_of_member(function, "name"); !name.empty())
        announce(*call, name, out);
    return true;
}

ToolCallJoiner::Call* ToolCallJoiner::find(const std::optional<std::int64_t>& index, const std::string& id)
{
    if (!index && id.empty())
        return calls_.empty() ? nullptr : &calls_.back();
    for (auto call = calls_.rbegin(); call != calls_.rend(); ++call) {
        const bool same_id = !id.empty() && call->upstream_id == id;
        if (!index) {
            if (same_id)
                return &*call;
            continue;
        }
        if (call->index != index)
            continue;
        if (id.empty() || same_id)
            return &*call;
        if (call->upstream_id.empty()) {   // the id came late
            call->upstream_id = id;
            return &*call;
        }
    }
    return nullptr;   // also: another id on a taken index, from servers that number every call 0
}

void ToolCallJoiner::announce(Call& call, const std::string& name, std::vector<model::ToolCallPiece>& out)
{
    call.announced = true;
    out.push_back(model::ToolCallPiece{number_of(call), call.id, name, std::move(call.held_arguments)});
}

void ToolCallJoiner::finish(std::vector<model::ToolCallPiece>& out)
{
    for (auto& call : calls_) {
        if (!call.announced)
            announce(call, "", out);
        if (!call.has_arguments)
            out.push_back(model::ToolCallPiece{number_of(call), "", "", "{}"});
        call.has_arguments = true;
    }
}

}  // namespace dure::llm::openai
