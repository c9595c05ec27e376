// Reading of one chunk, its choices and its errors; see chunk_reader.hpp.
#include "llm/openai/chunk_reader.hpp"

#include <algorithm>
#include <array>
#include <iterator>

#include "dure/base/text.hpp"
#include "dure/schema/json_view.hpp"
#include "llm/openai/answer_members.hpp"
#include "llm/openai/usage.hpp"

namespace dure::llm::openai {

namespace {

constexpr std::size_t most_choices = 128;
constexpr std::size_t events_that_are_not_json = 3;
constexpr std::string_view replacement_character = "\xEF\xBF\xBD";

// Takes a string member out of an object; empty when it is absent or something else.
std::string take_text(OrderedJson& object, const char* name)
{
    const auto found = object.find(name);
    if (found == object.end())
        return {};
    std::string text;
    if (found->is_string())
        text = std::move(found->get_ref<std::string&>());
    object.erase(found);
    return text;
}

// Texts with the halves of characters that came before them; those at their ends wait in the state.
void join_halves(model::Piece& piece, ChoiceState& state)
{
    join_surrogates(piece.text, state.text_half);
    join_surrogates(piece.reasoning, state.reasoning_half);
    join_surrogates(piece.refusal, state.refusal_half);
    for (auto& call : piece.tool_calls) {
        settle_surrogates(call.id);
        settle_surrogates(call.name);
        settle_surrogates(call.rest);
        auto& half = state.call_halves[call.index];
        join_surrogates(call.arguments, half);
        if (half == 0)
            state.call_halves.erase(call.index);
    }
}

bool truthy(const OrderedJson& value)
{
    return !value.is_null() && value != false && value != "" && value != 0;
}

}  // namespace

std::string normal_finish(const std::string& raw, bool has_calls, std::string& native)
{
    static constexpr std::array<std::string_view, 5> known = {"stop", "length", "tool_calls", "content_filter",
                                                              "function_call"};
    if (raw.empty())
        return {};
    if (raw == "stop")
        return has_calls ? "tool_calls" : "stop";
    if (std::find(known.begin(), known.end(), raw) != known.end())
        return raw;
    native = raw;
    return has_calls ? "tool_calls" : "stop";
}

void strip_active_keys(OrderedJson& document)
{
    for (const auto* name : {"event", "selected_model_id", "sources", "output"})
        document.erase(name);
    const auto type = document.find("type");
    if (type != document.end() && type->is_string() && type->get_ref<const std::string&>().starts_with("response."))
        document.erase(type);
}

void ChunkReader::read(std::string_view event, std::string_view data)
{
    deltas_.clear();
    rest_ = nullptr;
    if (failure_ || done_)
        return;
    if (trim(data) == "[DONE]") {
        done_ = true;
        if (choices_.empty())
            fail(Failure(FailureClass::protocol, ""));
        return;
    }
    if (trim(data).empty())
        return;
    auto parsed = parse_foreign(data);
    surrogates_seen_ = surrogates_seen_ || parsed.lone_surrogates;
    if (parsed.document.is_discarded() && event == "error")   // a gateway between says so in words
        return fail(classify(read_problem(0, OrderedJson{{"error", to_valid_utf8(data)}})));
    if (parsed.document.is_discarded())
        return not_json();
    if (is_error(event, parsed.document))
        return;
    if (!parsed.document.is_object())
        return not_json();
    read_document(std::move(parsed.document));
}

bool ChunkReader::read_quick(std::string_view event, std::string_view data)
{
    ScannedChunk chunk;
    ScannedUsage usage;
    if (failure_ || done_ || !event.empty())
        return false;
    if (scan_chunk(data, chunk))
        return take_quick(chunk);
    if (!scan_usage_chunk(data, usage) || usage.has_more)
        return false;
    deltas_.clear();
    rest_ = nullptr;
    took_usage(usage);
    return true;
}

bool ChunkReader::take_quick(const ScannedChunk& chunk)
{
    auto& state = choice(chunk.index);
    const bool ends_calls = !chunk.finish.empty() && (state.calls.any() || !chunk.tool_calls.empty());
    if (state.finished || state.holds_half() || ends_calls || (chunk.has_details && keeps_details_))
        return false;
    ChoiceDelta out;
    out.index = chunk.index;
    if (!chunk.tool_calls.empty()) {
        auto fragments = OrderedJson::parse(chunk.tool_calls, nullptr, false);
        if (fragments.is_discarded())
            return false;
        for (auto& fragment : fragments)
            if (!state.calls.add(std::move(fragment), out.piece.tool_calls))
                fail(Failure(FailureClass::protocol, "The model asked for too many tool calls."));
    }
    append_decoded(out.piece.text, chunk.content);
    append_decoded(out.piece.reasoning, chunk.reasoning);
    if (id_.empty() && !chunk.id.empty())
        note_head(schema::JsonView(chunk.id).string(), std::string(chunk.created));
    out.finish = chunk.finish;
    if (!out.finish.empty()) {
        state.finished = true;
        ++progress_;
    }
    has_more_ = has_more_ || chunk.has_more;
    deltas_.clear();
    rest_ = nullptr;
    collect(out);
    deltas_.push_back(std::move(out));
    return true;
}

void ChunkReader::not_json()
{
    if (++skipped_ >= events_that_are_not_json)
        fail(Failure(FailureClass::protocol, "The model provider's stream is damaged."));
}

void ChunkReader::fail(Failure failure)
{
    if (!failure_)
        failure_ = std::move(failure);
}

bool ChunkReader::is_error(std::string_view event, const OrderedJson& document)
{
    const OrderedJson* holder = nullptr;
    if (document.is_object()) {
        if (const auto error = document.find("error"); error != document.end() && truthy(*error))
            holder = &document;
        if (document.value("object", OrderedJson()) == "error" || document.value("type", OrderedJson()) == "error")
            holder = &document;
        if (const auto choices = document.find("choices");
            holder == nullptr && choices != document.end() && choices->is_array())
            for (const auto& choice : *choices)
                if (choice.is_object() && (truthy(choice.value("error", OrderedJson())) ||
                                           choice.value("finish_reason", OrderedJson()) == "error"))
                    holder = &choice;
    }
    if (holder == nullptr && event == "error")
        holder = &document;
    if (holder == nullptr)
        return false;
    auto problem = *holder;
    if (surrogates_seen_)
        settle_surrogates(problem);
    fail(classify(read_problem(0, problem)));
    return true;
}

void ChunkReader::note_head(std::string id, std::string created)
{
    if (id_.empty())
        id_ = std::move(id);
    if (created_.empty())
        created_ = std::move(created);
}

void ChunkReader::read_document(OrderedJson document)
{
    deltas_.clear();
    std::string created;
    if (const auto given = document.find("created"); given != document.end() && given->is_number() && *given != 0)
        created = std::to_string(static_cast<std::int64_t>(std::clamp(given->get<double>(), 0.0, 9e15)));
    note_head(take_text(document, "id"), std::move(created));
    read_usage(document);
    const bool opens = choices_.empty();
    const auto choices = document.find("choices");
    const bool has_choices = choices != document.end() && choices->is_array();
    const bool without_choice = has_choices && choices->empty();
    if (has_choices)
        for (auto& choice : *choices)
            read_choice(choice);
    // Nothing counts of what is no chunk, or of choices behind their finish.
    const bool counts = opens || without_choice || brought_usage_ || !deltas_.empty();
    for (const auto* name : {"created", "model", "object", "choices", "error"})
        document.erase(name);
    strip_active_keys(document);
    if (surrogates_seen_)
        settle_surrogates(document);
    has_more_ = has_more_ || brings_more_beside(document);
    rest_ = document.empty() || !counts ? OrderedJson() : std::move(document);
}

void ChunkReader::read_usage(OrderedJson& document)
{
    const auto usage = document.find("usage");
    brought_usage_ = usage != document.end() && usage->is_object();
    if (usage == document.end())
        return;
    if (brought_usage_)
        note_usage(usage_of(*usage), dump(*usage));
    document.erase(usage);
}

ChoiceState& ChunkReader::choice(std::size_t index)
{
    if (choices_.size() <= index)
        choices_.resize(index + 1);
    return choices_[index];
}

void ChunkReader::read_choice(OrderedJson& choice_json)
{
    if (!choice_json.is_object())
        return;
    ChoiceDelta out;
    if (const auto index = choice_json.find("index"); index != choice_json.end() && index->is_number_integer())
        out.index = static_cast<std::size_t>(std::clamp<std::int64_t>(index->get<std::int64_t>(), 0, most_choices - 1));
    auto& state = choice(out.index);
    if (state.finished)
        return;   // nothing counts behind the first finish
    if (const auto delta = choice_json.find("delta"); delta != choice_json.end() && delta->is_object())
        read_delta(*delta, state, out);
    read_finish(choice_json.value("finish_reason", OrderedJson()), state, out);
    for (const auto* name : {"index", "delta", "finish_reason", "error"})
        choice_json.erase(name);
    if (surrogates_seen_)
        settle_surrogates(choice_json);
    has_more_ = has_more_ || brings_more_beside(choice_json);
    if (!choice_json.empty())
        out.choice_rest = std::move(choice_json);
    collect(out);
    deltas_.push_back(std::move(out));
}

void ChunkReader::read_delta(OrderedJson& delta, ChoiceState& state, ChoiceDelta& out)
{
    if (const auto parts = content_parts(delta)) {
        join_content(delta, *parts);
        if (parts->has_others)   // no place in a stream of text: said, and never kept as the whole answer
            delta["dure_left_out"] = OrderedJson::array({"content"});
    }
    out.piece.text = take_text(delta, "content");
    out.piece.refusal = take_text(delta, "refusal");
    const auto newer = take_text(delta, "reasoning");
    out.piece.reasoning = take_text(delta, "reasoning_content");
    if (out.piece.reasoning.empty())
        out.piece.reasoning = newer;
    if (const auto calls = delta.find("tool_calls"); calls != delta.end()) {
        if (calls->is_array())
            for (auto& fragment : *calls)
                if (!state.calls.add(std::move(fragment), out.piece.tool_calls))
                    fail(Failure(FailureClass::protocol, "The model asked for too many tool calls."));
        delta.erase(calls);
    }
    delta.erase("role");
    if (surrogates_seen_) {
        join_halves(out.piece, state);
        settle_surrogates(delta);
    }
    const auto details = delta.find("reasoning_details");
    has_more_ = has_more_ || brings_more(delta) || (!keeps_details_ && details != delta.end() && !details->empty());
    if (!delta.empty())
        out.delta_rest = std::move(delta);
}

void ChunkReader::read_finish(const OrderedJson& finish, ChoiceState& state, ChoiceDelta& out)
{
    if (!finish.is_string())
        return;
    out.finish = normal_finish(finish.get<std::string>(), state.calls.any(), out.native_finish);
    if (!out.finish.empty())
        end_choice(state, out);
}

void ChunkReader::end_choice(ChoiceState& state, ChoiceDelta& out)
{
    const std::pair<std::uint32_t&, std::string&> halves[] = {{state.text_half, out.piece.text},
                                                              {state.reasoning_half, out.piece.reasoning},
                                                              {state.refusal_half, out.piece.refusal}};
    for (const auto& [half, text] : halves)
        if (std::exchange(half, 0) != 0)   // its partner never came
            text += replacement_character;
    model::Piece held;
    state.calls.finish(held.tool_calls);
    if (surrogates_seen_)
        join_halves(held, state);
    std::move(held.tool_calls.begin(), held.tool_calls.end(), std::back_inserter(out.piece.tool_calls));
    for (const auto& [call, half] : std::exchange(state.call_halves, {}))
        out.piece.tool_calls.push_back({call, "", "", std::string(replacement_character), state.calls.custom(call)});
    state.finished = true;
    ++progress_;
}

ChoiceDelta ChunkReader::end_untold(std::size_t index)
{
    ChoiceDelta out;
    out.index = index;
    auto& state = choice(index);
    out.finish = state.calls.any() ? "tool_calls" : "stop";
    end_choice(state, out);
    collect(out);
    return out;
}

void ChunkReader::collect(const ChoiceDelta& delta)
{
    if (!delta.piece.empty()) {
        output_ = true;
        ++progress_;
    }
    if (delta.index != 0)
        return;   // further choices are the client's own; what is stored is the first
    completion_.append(delta.piece);
    for (const auto& call : delta.piece.tool_calls)
        has_more_ = has_more_ || call.custom || !call.rest.is_null();
    if (keeps_details_ && delta.delta_rest.is_object())
        if (const auto details = delta.delta_rest.find("reasoning_details");
            details != delta.delta_rest.end() && details->is_array())
            for (const auto& detail : *details) {
                details_bytes_ += room_of(detail);
                completion_.reasoning_details.push_back(detail);
            }
    if (!delta.finish.empty())
        completion_.finish_reason = delta.finish;
}

void ChunkReader::took_text(std::size_t index, std::string_view raw_text, std::string_view raw_reasoning)
{
    if (raw_text.empty() && raw_reasoning.empty())
        return;
    output_ = true;
    ++progress_;
    if (index != 0)
        return;
    append_decoded(completion_.text, raw_text);
    append_decoded(completion_.reasoning, raw_reasoning);
}

void ChunkReader::took_plain(std::size_t index, bool reasoning, std::string_view text)
{
    if (text.empty())
        return;
    output_ = true;
    ++progress_;
    if (index == 0)
        (reasoning ? completion_.reasoning : completion_.text) += text;
}

void ChunkReader::took_finish(std::size_t index, std::string_view reason)
{
    choice(index).finished = true;
    ++progress_;
    if (index == 0)
        completion_.finish_reason = reason;
}

void ChunkReader::took_usage(const ScannedUsage& usage)
{
    note_usage(usage.numbers, std::string(usage.text));
}

// The last one counts, but an empty one does not take away the numbers that came before.
void ChunkReader::note_usage(const model::Usage& usage, std::string json)
{
    ++progress_;
    if (!usage.reported && completion_.usage.reported)
        return;
    completion_.usage = usage;
    usage_ = std::move(json);
    if (usage.reported && !has_all_numbers(usage_)) {
        auto whole = OrderedJson::parse(usage_);
        complete_usage(whole, usage);
        usage_ = dump(whole);
    }
}

bool ChunkReader::complete() const
{
    if (failure_ || choices_.empty())
        return false;
    if (done_)
        return true;
    return choices_.size() >= expected_choices_ &&
           std::all_of(choices_.begin(), choices_.end(), [](const auto& state) { return state.finished; });
}

}  // namespace dure::llm::openai
