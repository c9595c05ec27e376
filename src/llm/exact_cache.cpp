// Keys over canonical JSON, a list by last use, and flights whose waiters are woken on their own cores; see exact_cache.hpp.
#include "llm/exact_cache.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

#include "dure/base/channel.hpp"
#include "dure/base/text.hpp"
#include "llm/openai/call_form.hpp"
#include "llm/openai/json_text.hpp"
#include "llm/openai/request.hpp"

namespace dure::llm {

namespace {

constexpr std::string_view key_version = "1";

// 1 and 1.0 are the same number.
void even_numbers(Json& value)
{
    if (value.is_number_float()) {
        const auto number = value.get<double>();
        if (number >= -9e15 && number <= 9e15 && number == static_cast<double>(static_cast<std::int64_t>(number)))
            value = static_cast<std::int64_t>(number);
    } else if (value.is_structured()) {
        for (auto& one : value)
            even_numbers(one);
    }
}

bool truthy_member(const Json& request, const char* name)
{
    const auto found = request.find(name);
    return found != request.end() && !found->is_null() && *found != false;
}

std::size_t size_of(const ExactCache::Made& made)
{
    const auto& answer = made.completion;
    std::size_t bytes = sizeof made + answer.text.size() + answer.reasoning.size() + answer.refusal.size();
    for (const auto& call : answer.tool_calls)
        bytes += call.id.size() + call.name.size() + call.arguments.size();
    if (!answer.reasoning_details.empty())
        bytes += openai::room_of(answer.reasoning_details);
    for (const auto& name : made.dropped_params)
        bytes += sizeof name + name.size();
    return bytes;
}

}  // namespace

std::string cache_key(const ModelEntry& model, const Ask& ask)
{
    openai::BodyNotes notes;
    const auto text = ask.relay != nullptr ? std::string(ask.relay->body)
                                           : openai::typed_body(*ask.typed, model.info.id, false, {}, notes);
    auto request = Json::parse(text, nullptr, false);
    if (!request.is_object())
        return {};
    if (request.value("n", Json()).is_number() && request["n"] != 1)
        return {};
    for (const auto* name : {"logprobs", "audio", "modalities"})
        if (truthy_member(request, name))
            return {};
    for (const auto* name : {"stream", "stream_options", "user", "metadata", "safety_identifier", "model"})
        request.erase(name);
    for (auto member = request.begin(); member != request.end();)
        member = member.key().starts_with("dure_") ? request.erase(member) : std::next(member);
    even_numbers(request);
    Json all;
    all["version"] = key_version;
    all["user"] = ask.context.user_id;
    all["endpoint"] = "chat";
    all["model"] = model.info.id;
    all["revision"] = model.revision;
    all["request"] = std::move(request);
    return sha256(all.dump(-1, ' ', false, Json::error_handler_t::replace));
}

struct ExactCache::Waiter {
    explicit Waiter(boost::asio::any_io_executor where) : executor(where), signal(where) {}
    boost::asio::any_io_executor executor;
    Signal signal;  // used on the waiter's own core only
    std::optional<Outcome> outcome;  // under the lock
};

ExactCache::Lead::~Lead()
{
    if (cache_ != nullptr)
        cache_->end_flight(key_, {}, false);
}

bool ExactCache::Lead::any() const
{
    if (cache_ == nullptr)
        return false;
    const std::lock_guard lock(cache_->guard_);
    const auto flight = cache_->flights_.find(key_);
    return flight != cache_->flights_.end() && !flight->second.waiters.empty();
}

void ExactCache::Lead::when_none(std::function<void()> tell)
{
    if (cache_ == nullptr)
        return;
    const std::lock_guard lock(cache_->guard_);
    if (const auto flight = cache_->flights_.find(key_); flight != cache_->flights_.end())
        flight->second.when_none = std::move(tell);
}

void ExactCache::Lead::end(Answer answer, bool keep)
{
    if (cache_ == nullptr)
        return;
    const auto kind = answer ? Outcome::Kind::answered : Outcome::Kind::alone;
    cache_->end_flight(key_, {kind, std::move(answer)}, keep);
    cache_ = nullptr;
}

void ExactCache::Lead::fail(const Error& error)
{
    if (cache_ == nullptr)
        return;
    cache_->end_flight(key_, {Outcome::Kind::failed, nullptr, error}, false);
    cache_ = nullptr;
}

Task<Result<ExactCache::Answer>> ExactCache::find(std::string key, Deadline deadline, Lead& lead, bool& shared)
{
    const auto executor = co_await boost::asio::this_coro::executor;
    for (;;) {
        const auto waiter = std::make_shared<Waiter>(executor);
        {
            const std::lock_guard lock(guard_);
            if (auto answer = stored(key))
                co_return answer;
            const auto [flight, first] = flights_.try_emplace(key);
            if (first) {
                lead.cache_ = this;
                lead.key_ = std::move(key);
                co_return Answer();
            }
            flight->second.waiters.push_back(waiter);
        }
        struct Leave {  // also when the wait is cancelled
            ExactCache& cache;
            const std::string& key;
            const std::shared_ptr<Waiter>& waiter;
            ~Leave() { cache.forget(key, waiter); }
        } leave{*this, key, waiter};
        for (;;) {
            {
                const std::lock_guard lock(guard_);
                if (waiter->outcome)
                    break;
            }
            if (deadline.passed())
                co_return Answer();
            co_await waiter->signal.wait(deadline.at());
        }
        const auto& outcome = *waiter->outcome;  // of nobody else any more
        shared = outcome.kind == Outcome::Kind::answered || outcome.kind == Outcome::Kind::failed;
        if (outcome.error)
            co_return *outcome.error;
        if (outcome.kind != Outcome::Kind::lead_again)
            co_return outcome.answer;
    }
}

void ExactCache::end_flight(const std::string& key, const Outcome& outcome, bool keep_it)
{
    std::vector<std::shared_ptr<Waiter>> waiters;
    {
        const std::lock_guard lock(guard_);
        if (const auto flight = flights_.find(key); flight != flights_.end()) {
            waiters = std::move(flight->second.waiters);
            flights_.erase(flight);
        }
        if (keep_it && outcome.answer)
            keep(key, outcome.answer);
        for (const auto& waiter : waiters)
            waiter->outcome = outcome;
    }
    for (const auto& waiter : waiters)
        boost::asio::post(waiter->executor, [waiter] { waiter->signal.notify(); });
}

void ExactCache::forget(const std::string& key, const std::shared_ptr<Waiter>& waiter)
{
    std::function<void()> tell;
    {
        const std::lock_guard lock(guard_);
        const auto flight = flights_.find(key);
        if (flight == flights_.end() || std::erase(flight->second.waiters, waiter) == 0)
            return;   // it was answered; a flight of this key is a later one
        if (flight->second.waiters.empty())
            tell = flight->second.when_none;
    }
    if (tell)
        tell();
}

ExactCache::Answer ExactCache::stored(const std::string& key)
{
    const auto found = by_key_.find(key);
    if (found == by_key_.end())
        return nullptr;
    const auto entry = found->second;
    if (entry->until <= Steady::now()) {
        bytes_ -= entry->bytes;
        by_key_.erase(found);
        entries_.erase(entry);
        return nullptr;
    }
    entries_.splice(entries_.begin(), entries_, entry);
    return entry->answer;
}

void ExactCache::keep(const std::string& key, const Answer& answer)
{
    const auto bytes = size_of(*answer);
    if (bytes > limits_.bytes_per_answer || by_key_.contains(key))
        return;
    entries_.push_front({key, answer, bytes, Steady::now() + limits_.age});
    by_key_.emplace(key, entries_.begin());
    bytes_ += bytes;
    while (bytes_ > limits_.bytes || entries_.size() > limits_.entries)
        drop_last();
}

void ExactCache::drop_last()
{
    bytes_ -= entries_.back().bytes;
    by_key_.erase(entries_.back().key);
    entries_.pop_back();
}

std::string completion_body(const model::Completion& answer, std::string_view model)
{
    OrderedJson message;
    message["role"] = "assistant";
    message["content"] = answer.text.empty() && !answer.tool_calls.empty() ? OrderedJson() : OrderedJson(answer.text);
    if (!answer.reasoning.empty())
        message["reasoning_content"] = answer.reasoning;
    if (answer.reasoning_details.is_array() && !answer.reasoning_details.empty())
        message["reasoning_details"] = answer.reasoning_details;
    message["refusal"] = answer.refusal.empty() ? OrderedJson() : OrderedJson(answer.refusal);
    for (const auto& call : answer.tool_calls)
        message["tool_calls"].push_back(openai::call_form(call));
    OrderedJson choice;
    choice["index"] = 0;
    choice["message"] = std::move(message);
    choice["logprobs"] = nullptr;
    choice["finish_reason"] = answer.finish_reason;
    OrderedJson body;
    body["id"] = "chatcmpl-" + random_base62(24);
    body["object"] = "chat.completion";
    body["created"] = SystemClock().now() / 1000;
    body["model"] = model;
    body["choices"].push_back(std::move(choice));
    const auto& counted = answer.usage;
    auto& usage = body["usage"];
    usage["prompt_tokens"] = counted.prompt_tokens;
    usage["completion_tokens"] = counted.completion_tokens;
    usage["total_tokens"] = counted.total();
    if (counted.cached_tokens > 0 || counted.cache_write_tokens > 0)
        usage["prompt_tokens_details"] = {{"cached_tokens", counted.cached_tokens}};
    if (counted.cache_write_tokens > 0)
        usage["prompt_tokens_details"]["cache_write_tokens"] = counted.cache_write_tokens;
    if (counted.reasoning_tokens > 0)
        usage["completion_tokens_details"] = {{"reasoning_tokens", counted.reasoning_tokens}};
    return dump(body);
}

}  // namespace dure::llm
