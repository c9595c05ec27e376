// Reads, normalises and splices whole completions; see whole_answer.hpp.
#include "llm/openai/whole_answer.hpp"

#include <algorithm>

#include "dure/base/clock.hpp"
#include "dure/base/text.hpp"
#include "llm/call_spending.hpp"
#include "llm/openai/answer_members.hpp"
#include "llm/openai/call_form.hpp"
#include "llm/openai/chunk_reader.hpp"
#include "llm/openai/usage.hpp"
#include "llm/openai/whole_scanner.hpp"
#include "llm/settlement.hpp"

namespace dure::llm::openai {

namespace {

// The ordinary answer needs another model's name and nothing else. False: it is something else, nothing was touched.
bool splice_whole(std::string_view body, std::string_view model, model::Completion& into, std::string& client_body,
                  bool& has_more)
{
    ScannedWhole whole;
    if (!scan_whole(body, whole))
        return false;
    has_more = whole.has_more;
    into.text.clear();
    append_decoded(into.text, whole.content);
    into.finish_reason = whole.finish;
    into.usage = whole.usage;
    const auto at = static_cast<std::size_t>(whole.model.data() - body.data());
    client_body.reserve(body.size() + model.size() + 2);
    client_body = body.substr(0, at);
    append_json_string(client_body, model);
    client_body += body.substr(at + whole.model.size());
    return true;
}

// Whole calls stand in order, whatever their ids and numbers: some servers give the same to all, or none.
void number_calls(OrderedJson& calls)
{
    std::size_t place = 0;
    if (calls.is_array())
        for (auto& call : calls)
            if (call.is_object())
                call["index"] = place++;
}

void normalise_calls(OrderedJson& message, model::Completion* into)
{
    const auto calls = message.find("tool_calls");
    if (calls == message.end())
        return;
    ToolCallJoiner joiner;
    std::vector<model::ToolCallPiece> pieces;
    number_calls(*calls);
    if (calls->is_array())
        for (auto& call : *calls)
            joiner.add(std::move(call), pieces);
    joiner.finish(pieces);
    model::Piece all;
    all.tool_calls = std::move(pieces);
    model::Completion joined;
    joined.append(all);
    message.erase(calls);
    if (!joined.tool_calls.empty())
        message["tool_calls"] = OrderedJson::array_t(joined.tool_calls.size());
    for (const auto& piece : all.tool_calls)
        if (!piece.id.empty()) {   // it begins the call; others bring arguments alone
            const auto place = static_cast<std::size_t>(piece.index);
            message["tool_calls"][place] = call_form(joined.tool_calls[place], piece.custom, piece.rest);
        }
    if (into != nullptr)
        into->tool_calls = std::move(joined.tool_calls);
}

std::string text_of_key(const OrderedJson& object, const char* name)
{
    const auto value = object.value(name, OrderedJson());
    return value.is_string() ? value.get<std::string>() : std::string();
}

// The choice's finish and native finish.
std::pair<std::string, std::string> normalise_message(OrderedJson& message, const std::string& told,
                                                      model::Completion* into)
{
    message["role"] = "assistant";
    const auto parts = content_parts(message);
    const bool as_sent = parts && parts->has_others;  // a list that text cannot stand for: clients get it as it came
    if (parts && !as_sent)
        join_content(message, *parts);
    if (!message.contains("content"))
        message["content"] = nullptr;
    if (const auto newer = text_of_key(message, "reasoning");
        !newer.empty() && text_of_key(message, "reasoning_content").empty())
        message["reasoning_content"] = newer;
    message.erase("reasoning");
    normalise_calls(message, into);
    if (message.contains("tool_calls") && message["content"] == "")
        message["content"] = nullptr;   // openai-clients §5
    std::string native;
    auto finish = normal_finish(told, message.contains("tool_calls"), native);
    if (finish.empty())
        finish = message.contains("tool_calls") ? "tool_calls" : "stop";
    if (into != nullptr) {
        into->text = as_sent ? parts->text : text_of_key(message, "content");
        into->reasoning = text_of_key(message, "reasoning_content") + (as_sent ? parts->thinking : std::string());
        into->refusal = text_of_key(message, "refusal");
        if (const auto details = message.find("reasoning_details"); details != message.end() && details->is_array())
            into->reasoning_details = *details;
        into->finish_reason = finish;
    }
    return {std::move(finish), std::move(native)};
}

void normalise_choice(OrderedJson& choice, model::Completion* into)
{
    // Members of an ordered object move when one is added: no reference to the message is kept until then.
    auto [finish, native] = normalise_message(choice["message"], text_of_key(choice, "finish_reason"), into);
    choice["finish_reason"] = std::move(finish);
    if (!native.empty())
        choice["native_finish_reason"] = std::move(native);
}

void complete_choice(OrderedJson& choice, std::size_t place)
{
    if (!choice.contains("index") || !choice["index"].is_number_integer())
        choice["index"] = place;
    if (!choice["message"].contains("refusal"))
        choice["message"]["refusal"] = nullptr;
    if (!choice.contains("logprobs"))
        choice["logprobs"] = nullptr;
}

// Some servers leave out what clients read (openai-clients §5).
void complete_form(OrderedJson& document)
{
    if (text_of_key(document, "id").empty())
        document["id"] = "chatcmpl-" + random_base62(24);
    document["object"] = "chat.completion";
    const auto created = document.value("created", OrderedJson());
    if (!created.is_number() || created == 0)
        document["created"] = SystemClock().now() / 1000;
    else if (created.is_number_float())
        document["created"] = static_cast<std::int64_t>(std::clamp(created.get<double>(), 0.0, 9e15));
    for (std::size_t i = 0; i < document["choices"].size(); ++i)
        complete_choice(document["choices"][i], i);
}

// Of a document whose form is sound and that has not been changed yet.
bool document_has_more(const OrderedJson& document)
{
    const auto& choice = document["choices"].front();
    const auto& message = choice["message"];
    const auto parts = content_parts(message);
    return brings_more_beside(document) || brings_more_beside(choice) || brings_more(message) ||
           (parts && parts->has_others);
}

// The completion would not give the calls of this message again as they are.
bool calls_have_more(const OrderedJson& message, const model::Completion& into)
{
    auto kept = OrderedJson::array();
    for (const auto& call : into.tool_calls)
        kept.push_back(call_form(call));
    return message.value("tool_calls", OrderedJson::array()) != kept;
}

bool truthy_error(const OrderedJson& object)
{
    const auto error = object.find("error");
    return error != object.end() && !error->is_null() && *error != false && *error != "";
}

}  // namespace

MaybeFailure wrong_whole(const OrderedJson& document)
{
    if (!document.is_object())
        return Failure(FailureClass::protocol, "");
    if (truthy_error(document) || document.value("object", OrderedJson()) == "error")
        return classify(read_problem(0, document));
    const auto choices = document.find("choices");
    if (choices == document.end() || !choices->is_array() || choices->empty())
        return Failure(FailureClass::protocol, "");
    for (const auto& choice : *choices) {
        if (!choice.is_object() || !choice.contains("message") || !choice["message"].is_object())
            return Failure(FailureClass::protocol, "");
        if (truthy_error(choice) || choice.value("finish_reason", OrderedJson()) == "error")
            return classify(read_problem(0, choice));
    }
    return std::nullopt;
}

MaybeFailure read_whole(std::string_view body, std::string_view model, model::Completion& into,
                        std::string* client_body, const Ask* ask, bool* has_more)
{
    std::string spliced;
    bool more = false;
    if (splice_whole(body, model, into, spliced, more)) {
        if (has_more != nullptr)
            *has_more = more;
        if (client_body != nullptr)
            *client_body = std::move(spliced);
        return std::nullopt;
    }
    auto document = parse_whole(body);
    read_usage(document, into.usage);   // of a failed answer too
    if (auto failure = wrong_whole(document))
        return failure;
    document["model"] = model;
    document.erase("error");
    strip_active_keys(document);
    if (has_more != nullptr)
        *has_more = document_has_more(document);
    bool first = true;
    for (auto& choice : document["choices"]) {
        normalise_choice(choice, first ? &into : nullptr);
        first = false;
    }
    if (has_more != nullptr)
        *has_more = *has_more || calls_have_more(document["choices"].front()["message"], into);
    if (client_body == nullptr)
        return std::nullopt;
    complete_form(document);
    if (into.usage.reported)
        complete_usage(document["usage"], into.usage);
    else if (ask != nullptr)
        document["usage"] = estimated_usage(prompt_tokens_of(*ask), into);
    *client_body = dump(document);
    return std::nullopt;
}

MaybeFailure hold_to_form(const AnswerForm& form, model::Completion& answer, std::string& client_body)
{
    bool unwrapped = false;
    auto misfit = form.settle(answer, unwrapped);
    if (unwrapped && !client_body.empty()) {
        auto document = OrderedJson::parse(client_body);
        document["choices"][0]["message"]["content"] = answer.text;
        client_body = dump(document);
    }
    return misfit;
}

OrderedJson chunk_of_whole(OrderedJson whole)
{
    whole["object"] = "chat.completion.chunk";
    for (auto& choice : whole["choices"]) {
        auto message = std::move(choice["message"]);
        if (message.contains("tool_calls"))
            number_calls(message["tool_calls"]);
        choice["delta"] = std::move(message);
        choice.erase("message");
        if (!choice.contains("finish_reason") || !choice["finish_reason"].is_string())
            choice["finish_reason"] = "stop";
    }
    return whole;
}

}  // namespace dure::llm::openai
