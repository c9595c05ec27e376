// Finds the call a fragment belongs to; see tool_call_joiner.hpp.
#include "llm/openai/tool_call_joiner.hpp"

#include <algorithm>

#include "dure/base/clock.hpp"
#include "llm/openai/call_form.hpp"
#include "llm/openai/json_text.hpp"

namespace dure::llm::openai {

namespace {

constexpr std::size_t most_calls = 128;
constexpr std::size_t most_nameless_bytes = 4 << 20;

// Takes a member out of an object; null when there is none.
OrderedJson take_member(OrderedJson& object, const char* name)
{
    OrderedJson value;
    if (!object.is_object())
        return value;
    if (const auto found = object.find(name); found != object.end()) {
        value = std::move(*found);
        object.erase(found);
    }
    return value;
}

std::string take_string(OrderedJson& object, const char* name)
{
    auto value = take_member(object, name);
    return value.is_string() ? std::move(value.get_ref<std::string&>()) : std::string();
}

// Arguments come as text; some servers send the object itself.
std::string take_arguments(OrderedJson& body, const char* name)
{
    auto value = take_member(body, name);
    if (value.is_null())
        return {};
    return value.is_string() ? std::move(value.get_ref<std::string&>()) : dump(value);
}

bool is_custom(const OrderedJson& fragment)
{
    const auto has_object = [&](const char* name) {
        const auto found = fragment.find(name);
        return found != fragment.end() && found->is_object();
    };
    return !has_object("function") && (has_object("custom") || fragment.value("type", OrderedJson()) == "custom");
}

}  // namespace

bool ToolCallJoiner::add(OrderedJson fragment, std::vector<model::ToolCallPiece>& out)
{
    if (!fragment.is_object())
        return true;
    const auto id = take_string(fragment, "id");
    std::optional<std::int64_t> index;
    if (const auto given = take_member(fragment, "index"); given.is_number_integer())
        index = given.get<std::int64_t>();
    auto* call = find(index, id);
    if (call == nullptr && calls_.size() >= most_calls)
        return false;
    if (call == nullptr)
        call = &begin(index, id);
    call->custom = call->custom || (!call->announced && is_custom(fragment));
    const auto place = call_body(call->custom);
    const auto type = take_string(fragment, "type");
    auto body = take_member(fragment, place.member);
    const auto name = take_string(body, "name");
    auto arguments = take_arguments(body, place.text);
    // What is left of the fragment from here on is what we do not know.
    if (body.is_object() && !body.empty())
        fragment[place.member] = std::move(body);
    if (!call->announced && !type.empty() && type != place.member)
        fragment["type"] = type;
    call->has_arguments = call->has_arguments || !arguments.empty();
    return tell(*call, name, std::move(arguments), std::move(fragment), out);
}

ToolCallJoiner::Call& ToolCallJoiner::begin(const std::optional<std::int64_t>& index, const std::string& id)
{
    const bool taken = std::any_of(calls_.begin(), calls_.end(), [&](const Call& one) { return one.id == id; });
    auto& call = calls_.emplace_back();
    call.index = index;
    call.upstream_id = id;
    call.id = id.empty() || taken ? "call_" + random_base62(24) : id;   // clients answer calls by their ids
    return call;
}

bool ToolCallJoiner::tell(Call& call, const std::string& name, std::string arguments, OrderedJson rest,
                          std::vector<model::ToolCallPiece>& out)
{
    if (rest.empty())
        rest = nullptr;
    if (call.announced) {
        if (!arguments.empty() || !rest.is_null())
            out.push_back({number_of(call), "", "", std::move(arguments), call.custom, std::move(rest)});
        return true;
    }
    call.held_arguments += arguments;
    if (!rest.is_null())
        merge_members(call.held_rest, rest);
    if (!name.empty()) {
        announce(call, name, out);
        return true;
    }
    held_bytes_ += arguments.size() + (rest.is_null() ? 0 : room_of(rest));
    return held_bytes_ <= most_nameless_bytes;
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
    out.push_back({number_of(call), call.id, name, std::move(call.held_arguments), call.custom, std::move(call.held_rest)});
}

void ToolCallJoiner::finish(std::vector<model::ToolCallPiece>& out)
{
    for (auto& call : calls_) {
        if (!call.announced)
            announce(call, "", out);
        if (!call.has_arguments && !call.custom)
            out.push_back({number_of(call), "", "", "{}"});
        call.has_arguments = true;
    }
}

}  // namespace dure::llm::openai
