// The three speeds of the relay and the chunks we write ourselves; see relay_translator.hpp.
#include "llm/openai/relay_translator.hpp"

#include <algorithm>
#include <array>

#include "dure/base/clock.hpp"
#include "dure/base/json_text.hpp"
#include "dure/base/text.hpp"
#include "llm/openai/answer_members.hpp"
#include "llm/openai/call_form.hpp"
#include "llm/openai/json_cursor.hpp"
#include "llm/settlement.hpp"

namespace dure::llm::openai {

namespace {

constexpr std::string_view line_begin = "data: ";
constexpr std::string_view line_end = "\n\n";   // and the empty line
constexpr std::size_t longest_line = 64 << 10;
constexpr std::size_t longest_fast_chunk = longest_line - 1024;   // room for a longer model name
constexpr std::size_t longest_piece = 120 << 10;  // of what cannot be cut: clients break at lines of 128 KiB
constexpr std::size_t text_per_chunk = 9 << 10;  // even when every byte becomes \u00xx
constexpr std::size_t text_beside_more = 1 << 10;  // of a chunk that has more than text: a few tokens

OrderedJson call_json(const model::ToolCallPiece& piece, std::string_view arguments, bool first)
{
    OrderedJson json;
    json["index"] = piece.index;
    const auto body = call_body(piece.custom);
    if (first && !piece.id.empty())
        json.update(call_form({piece.id, piece.name, {}}, piece.custom));
    json[body.member][body.text] = arguments;
    return json;
}

void append_members(const OrderedJson& object, std::string& out)
{
    if (!object.is_object())
        return;
    for (const auto& [key, value] : object.items()) {
        out += ',';
        append_json_string(out, key);
        out += ':';
        out += dump(value);
    }
}

bool small_enough(const OrderedJson& rest)
{
    return rest.is_null() || dump(rest).size() <= longest_line / 2;
}

// Members that no line can hold are named: said, not silently dropped.
OrderedJson members_or_names(OrderedJson rest)
{
    if (small_enough(rest))
        return rest;
    auto names = OrderedJson::array();
    for (const auto& [key, value] : rest.items())
        names.push_back(key);
    return OrderedJson{{"dure_left_out", std::move(names)}};
}

// Of a raw string with its quotes, which has been checked.
std::string decoded(std::string_view quoted)
{
    std::string text;
    append_decoded(text, quoted.substr(1, quoted.size() - 2));
    return text;
}

}  // namespace

RelayTranslator::RelayTranslator(const Options& options, model::Completion& into)
    : reader_(into, options.choices, options.keeps_details), include_usage_(options.include_usage)
{
    append_json_string(model_json_, options.model);
}

void RelayTranslator::event(std::string_view name, std::string_view data, std::string& out)
{
    if (reader_.failure() || reader_.done())
        return;
    if (name.empty() && data.size() <= longest_fast_chunk && waiting_rest_.is_null() &&
        (repeat(data, out) || splice(data, out) || take_usage(data)))
        return;
    template_.usable = false;  // what makes this event special (a finish, half a character) counts for the next one too
    reader_.read(name, data);
    if (!reader_.failure())
        render(out);
}

void RelayTranslator::document(OrderedJson whole_chunk, std::string& out)
{
    reader_.read_document(std::move(whole_chunk));
    if (!reader_.failure())
        render(out);
}

// The text between the two ends of the template, at the front of `from`. False: something else stands there.
bool RelayTranslator::Template::matches(std::string_view from, std::string_view before, std::string_view after, Match& found) const
{
    if (!usable || !from.starts_with(before))
        return false;
    const auto start = before.size();
    auto end = plain_json_run_end(from, start);
    found.plain = end < from.size() && from[end] == '"';   // a token of another script is not
    if (!found.plain)
        end = end_of_string(from, start);
    if (end == std::string_view::npos || !from.substr(end).starts_with(after))
        return false;
    found.text = from.substr(start, end - start);
    found.size = end + after.size();
    return true;
}

bool RelayTranslator::repeat(std::string_view data, std::string& out)
{
    const auto before = std::string_view(template_.came_before);
    const auto after = std::string_view(template_.came_after);
    Match match;
    if (!template_.usable ||
        !template_.matches(data, before.substr(line_begin.size()), after.substr(0, after.size() - line_end.size()), match) ||
        match.size != data.size())
        return false;
    if (template_.unchanged)
        out.append(line_begin).append(data).append(line_end);
    took(match, out);
    return true;
}

std::size_t RelayTranslator::repeat_lines(std::string_view& lines, std::string& out)
{
    if (reader_.failure() || reader_.done() || !waiting_rest_.is_null())
        return 0;
    std::size_t count = 0;
    std::size_t at = 0;
    for (Match match; template_.matches(lines.substr(at), template_.came_before, template_.came_after, match) &&
                      match.size <= longest_fast_chunk;
         ++count) {
        took(match, out);
        at += match.size;
    }
    if (template_.unchanged)
        out.append(lines.substr(0, at));   // what has just come, all of it at once
    lines.remove_prefix(at);
    return count;
}

void RelayTranslator::took(const Match& match, std::string& out)
{
    const auto& last = template_;
    if (!last.unchanged)
        out.append(last.goes_before).append(match.text).append(last.goes_after);
    if (match.plain)
        reader_.took_plain(last.index, last.reasoning, match.text);
    else
        reader_.took_text(last.index, last.reasoning ? std::string_view() : match.text,
                          last.reasoning ? match.text : std::string_view());
}

bool RelayTranslator::splice(std::string_view data, std::string& out)
{
    ScannedChunk chunk;
    if (!scan_chunk(data, chunk) || chunk.id.empty() || chunk.created.empty() || chunk.model.empty() ||
        !chunk.tool_calls.empty() || (chunk.has_details && reader_.keeps_details()))
        return false;
    if (chunk.has_more)
        reader_.took_more();
    auto& state = reader_.choice(chunk.index);
    const bool calls = state.calls.any();
    if (state.finished || state.holds_half() || (calls && !chunk.finish.empty()))
        return false;
    if (reader_.id().empty() || reader_.created().empty())
        reader_.note_head(decoded(chunk.id), std::string(chunk.created));
    const bool bare_role = chunk.has_role && chunk.content.empty() && chunk.reasoning.empty() && chunk.finish.empty();
    if (bare_role && !chunk.has_content)
        return false;  // our own role chunk goes out instead
    if (bare_role)
        state.role_sent = true;
    role_first(chunk.index, out);
    out += "data: ";
    append_spliced(chunk, chunk.text, out);
    out += "\n\n";
    reader_.took_text(chunk.index, chunk.content, chunk.reasoning);
    if (!chunk.finish.empty()) {
        reader_.took_finish(chunk.index, chunk.finish);
        template_.usable = false;
    } else if (!chunk.has_role && chunk.has_content != chunk.has_reasoning) {
        remember(chunk);
    }
    return true;
}

// The chunk behind the last choice that many providers send: it brings usage alone, which goes out at the end.
bool RelayTranslator::take_usage(std::string_view data)
{
    ScannedUsage usage;
    if (!scan_usage_chunk(data, usage) || usage.has_more)
        return false;
    OrderedJson rest;   // goes with the usage, when that was asked for
    for (std::size_t i = 0; include_usage_ && i < usage.rest_count; ++i) {
        const auto& [key, value] = usage.rest[i];
        auto member = OrderedJson::parse(value, nullptr, false);
        if (member.is_discarded())
            return false;
        rest[std::string(key)] = std::move(member);
    }
    reader_.took_usage(usage);
    waiting_rest_ = std::move(rest);
    return true;
}

// A part of the chunk's text with id, created and model replaced by the answer's, and without `usage`.
void RelayTranslator::append_spliced(const ScannedChunk& chunk, std::string_view part, std::string& out) const
{
    struct Edit {
        std::string_view old;
        std::string_view text;
        bool quoted = false;
    };
    std::array<Edit, 4> edits = {{{chunk.id, reader_.id(), true},
                                  {chunk.created, reader_.created(), false},
                                  {chunk.model, model_json_, false},
                                  {chunk.usage, {}, false}}};
    std::sort(edits.begin(), edits.end(), [](const Edit& a, const Edit& b) { return a.old.data() < b.old.data(); });
    const char* at = part.data();
    const char* end = part.data() + part.size();
    for (const auto& edit : edits) {
        if (edit.old.empty() || edit.old.data() < at || edit.old.data() + edit.old.size() > end)
            continue;
        out.append(at, edit.old.data());
        if (edit.quoted)
            append_json_string(out, edit.text);
        else
            out += edit.text;
        at = edit.old.data() + edit.old.size();
    }
    out.append(at, end);
}

void RelayTranslator::remember(const ScannedChunk& chunk)
{
    const auto text = chunk.has_content ? chunk.content : chunk.reasoning;
    const auto start = static_cast<std::size_t>(text.data() - chunk.text.data());
    const auto before = chunk.text.substr(0, start);
    const auto after = chunk.text.substr(start + text.size());
    template_.came_before.assign(line_begin).append(before);
    template_.came_after.assign(after).append(line_end);
    std::string goes_before(line_begin);
    std::string goes_after;
    append_spliced(chunk, before, goes_before);
    append_spliced(chunk, after, goes_after);
    goes_after += line_end;
    template_.unchanged = goes_before == template_.came_before && goes_after == template_.came_after;
    template_.goes_before = template_.unchanged ? std::string() : std::move(goes_before);
    template_.goes_after = template_.unchanged ? std::string() : std::move(goes_after);
    template_.index = chunk.index;
    template_.reasoning = chunk.has_reasoning;
    template_.usable = true;
}

// ---- chunks of our own

// Begins a chunk, which takes with it what waits for one.
void RelayTranslator::append_head(std::string& out)
{
    if (reader_.id().empty() || reader_.created().empty())
        reader_.note_head("chatcmpl-" + random_base62(24), std::to_string(SystemClock().now() / 1000));
    out += "data: {\"id\":";
    append_json_string(out, reader_.id());
    out += ",\"object\":\"chat.completion.chunk\",\"created\":";
    out += reader_.created();
    out += ",\"model\":";
    out += model_json_;
    append_members(std::exchange(waiting_rest_, nullptr), out);
}

void RelayTranslator::role_first(std::size_t index, std::string& out)
{
    auto& state = reader_.choice(index);
    if (state.role_sent)
        return;
    state.role_sent = true;
    append_head(out);
    out += ",\"choices\":[{\"index\":" + std::to_string(index);
    out += ",\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n";
}

void RelayTranslator::render_chunk(std::size_t index, const OrderedJson& delta, const ChoiceDelta* last,
                                   std::string& out)
{
    append_head(out);
    OrderedJson choice;
    choice["index"] = index;
    choice["delta"] = delta;
    if (last != nullptr && last->choice_rest.is_object())
        choice.update(members_or_names(last->choice_rest));
    choice["finish_reason"] = last == nullptr || last->finish.empty() ? OrderedJson() : OrderedJson(last->finish);
    if (last != nullptr && !last->native_finish.empty())
        choice["native_finish_reason"] = last->native_finish;
    out += ",\"choices\":[" + dump(choice) + "]}\n\n";
}

void RelayTranslator::render_texts(std::size_t index, const char* key, std::string_view text, std::string& out)
{
    while (!text.empty()) {
        const auto part = utf8_prefix(text, text_per_chunk);
        OrderedJson delta;
        delta[key] = part;
        render_chunk(index, delta, nullptr, out);
        text.remove_prefix(part.size());
    }
}

void RelayTranslator::render_calls(std::size_t index, const std::vector<model::ToolCallPiece>& calls, std::string& out)
{
    for (const auto& call : calls) {
        const bool more = call.rest.is_object();
        const bool beside = more && small_enough(call.rest);
        std::string_view text = call.arguments;
        for (bool first = true; first || !text.empty(); first = false) {
            const auto part = utf8_prefix(text, text_per_chunk);
            auto told = call_json(call, part, first);
            if (first && beside)
                merge_members(told, call.rest);
            render_chunk(index, OrderedJson{{"tool_calls", OrderedJson::array({std::move(told)})}}, nullptr, out);
            text.remove_prefix(part.size());
        }
        if (more && !beside) {
            OrderedJson told{{"index", call.index}};
            told.update(call.rest);
            render_large(index, OrderedJson{{"tool_calls", OrderedJson::array({std::move(told)})}}, out);
        }
    }
}

// What came beside the text and is too large together: each member, of a list (images) each element, in a line of its own.
void RelayTranslator::render_large(std::size_t index, const OrderedJson& rest, std::string& out)
{
    if (!waiting_rest_.is_null())
        render_chunk(index, OrderedJson::object(), nullptr, out);   // these lines have no room for it
    auto left_out = OrderedJson::array();
    const auto tell = [&](const std::string& key, OrderedJson value) {
        OrderedJson delta;
        delta[key] = std::move(value);
        if (dump(delta).size() <= longest_piece)
            render_chunk(index, delta, nullptr, out);
        else if (left_out.empty() || left_out.back() != key)
            left_out.push_back(key);
    };
    for (const auto& [key, value] : rest.items()) {
        if (!value.is_array()) {
            tell(key, value);
            continue;
        }
        for (const auto& element : value) {
            auto alone = OrderedJson::array();
            alone.push_back(element);
            tell(key, std::move(alone));
        }
    }
    if (!left_out.empty())
        render_chunk(index, OrderedJson{{"dure_left_out", left_out}}, nullptr, out);
}

void RelayTranslator::render_delta(const ChoiceDelta& delta, std::string& out)
{
    role_first(delta.index, out);
    const auto& piece = delta.piece;
    const std::pair<const char*, const std::string&> texts[] = {
        {"reasoning_content", piece.reasoning}, {"content", piece.text}, {"refusal", piece.refusal}};
    const bool rest = delta.delta_rest.is_object() && small_enough(delta.delta_rest);
    const bool more = delta.choice_rest.is_object() && delta.choice_rest != OrderedJson{{"logprobs", nullptr}};
    const auto said = piece.reasoning.size() + piece.text.size() + piece.refusal.size();
    const bool large = delta.delta_rest.is_object() && !rest;
    if ((rest || more) && !large && delta.finish.empty() && piece.tool_calls.empty() && said <= text_beside_more) {
        auto whole = OrderedJson::object();  // a token with its details or log-probabilities: one event, as it came
        for (const auto& [key, text] : texts)
            if (!text.empty())
                whole[key] = text;
        if (rest)
            whole.update(delta.delta_rest);
        return render_chunk(delta.index, whole, &delta, out);
    }
    for (const auto& [key, text] : texts)
        render_texts(delta.index, key, text, out);
    render_calls(delta.index, piece.tool_calls, out);
    if (delta.delta_rest.is_object() && !rest)
        render_large(delta.index, delta.delta_rest, out);
    if (!delta.finish.empty() || rest || more || !waiting_rest_.is_null())
        render_chunk(delta.index, rest ? delta.delta_rest : OrderedJson::object(), &delta, out);
}

// Unknown keys of the event go with the first chunk that we make of it, or with the next one when there is none. False: it
// has none.
bool RelayTranslator::take_rest()
{
    const auto rest = reader_.take_rest();
    if (!rest.is_object())
        return false;
    waiting_rest_.update(rest);   // some waits when this server opens with more than one chunk without a choice
    waiting_rest_ = members_or_names(std::move(waiting_rest_));
    return true;
}

void RelayTranslator::render(std::string& out)
{
    const bool has_rest = take_rest();
    for (const auto& delta : reader_.deltas())
        render_delta(delta, out);
    // Some servers open with a chunk that has no choice (filter results of the prompt): it joins our first one.
    if (!has_rest || waiting_rest_.is_null() || reader_.choices().empty())
        return;
    if (reader_.brought_usage() && include_usage_)
        return;   // it joins the usage
    if (reader_.brought_usage() && !brings_more_beside(waiting_rest_)) {
        waiting_rest_ = nullptr;   // a chunk that came because we asked for it
        return;
    }
    append_head(out);
    out += ",\"choices\":[]}\n\n";
}

void RelayTranslator::render_answer(std::string& out)
{
    auto& state = reader_.choice(0);
    state.role_sent = false;
    state.finished = true;
    ChoiceDelta all;
    all.piece.reasoning = reader_.completion().reasoning;
    all.piece.text = reader_.completion().text;
    all.finish = "stop";
    render_delta(all, out);
}

bool RelayTranslator::estimates_usage() const
{
    // an object of nulls is none
    return include_usage_ && (reader_.usage().empty() || !reader_.completion().usage.reported);
}

void RelayTranslator::render_usage(std::int64_t prompt_tokens, std::string& out)
{
    append_head(out);
    out += ",\"choices\":[],\"usage\":";
    out += estimates_usage() ? dump(estimated_usage(prompt_tokens, reader_.completion())) : reader_.usage();
    out += "}\n\n";
}

void RelayTranslator::finish(std::int64_t prompt_tokens, std::string& out)
{
    for (std::size_t index = 0; index < reader_.choices().size(); ++index) {
        // [DONE] without a finish: clients need one; of a choice that never came they know nothing
        if (const auto& state = reader_.choices()[index]; !state.finished && state.role_sent)
            render_delta(reader_.end_untold(index), out);
    }
    if (include_usage_)
        render_usage(prompt_tokens, out);
    out += "data: [DONE]\n\n";
}

}  // namespace dure::llm::openai
