// Selector; see selector.hpp.
#include "dure/tools/selector.hpp"

#include <algorithm>
#include <mutex>

#include "dure/base/text.hpp"
#include "dure/llm/gateway.hpp"
#include "tools/select/feature_index.hpp"
#include "tools/select/model_vectors.hpp"
#include "tools/select/score_cache.hpp"

namespace dure::tools {
namespace selector {

constexpr std::size_t most_text = 8192;   // of a description or a question, in bytes
constexpr std::string_view built_in_model = "local";

using Tools = std::vector<std::shared_ptr<const Tool>>;

std::vector<FeatureIndex::Text> texts_of(const Tools& tools)
{
    std::vector<FeatureIndex::Text> texts;
    for (const auto& tool : tools)
        texts.push_back({tool->definition().name, tool->definition().description});
    return texts;
}

std::vector<std::string> passages_of(const Tools& tools)
{
    std::vector<std::string> passages;
    for (const auto& tool : tools) {
        const auto& [name, description, parameters, strict] = tool->definition();
        passages.push_back(
            to_valid_utf8(utf8_prefix(spelled_out(name) + (description.empty() ? "" : ": " + description), most_text)));
    }
    return passages;
}

// The tools at one time with what is known of them. Its tools never change.
struct Snapshot {
    Snapshot(std::uint64_t of, Tools all, const Snapshot* before, const Selector::Limits& limits)
        : version(of), tools(std::move(all)), features(texts_of(tools)),
          vectors(passages_of(tools), before == nullptr ? nullptr : &before->vectors),
          cache(limits.questions, limits.bytes)
    {}

    const std::uint64_t version;
    const Tools tools;
    const FeatureIndex features;
    ModelVectors vectors;
    ScoreCache cache;   // key: revision of the model (empty: the built-in features), question
};

// What somebody asks of a long text stands before it or behind it.
std::string shortened(std::string_view question)
{
    question = trim(question);
    if (question.size() <= most_text)
        return to_valid_utf8(question);
    auto end = question.substr(question.size() - most_text / 2);
    while (!end.empty() && (static_cast<unsigned char>(end.front()) & 0xc0) == 0x80)
        end.remove_prefix(1);
    return to_valid_utf8(utf8_prefix(question, most_text / 2 - 1)) + "\n" + to_valid_utf8(end);
}

std::string key_of(std::string_view revision, std::string_view question)
{
    return std::string(revision) + "\n" + std::string(question);
}

Scores by_features(Snapshot& known, std::string_view question)
{
    const auto key = key_of({}, question);
    if (auto scores = known.cache.get(key))
        return scores;
    auto scores = std::make_shared<const std::vector<float>>(known.features.nearness(question));
    known.cache.put(key, scores);
    return scores;
}

// Null: the vectors are not of one size.
Scores cosines(const std::vector<std::shared_ptr<const Vector>>& tools, const Vector& question)
{
    std::vector<float> scores;
    scores.reserve(tools.size());
    for (const auto& tool : tools) {
        if (tool->size() != question.size())
            return nullptr;
        float sum = 0;
        for (std::size_t i = 0; i < question.size(); ++i)
            sum += (*tool)[i] * question[i];
        scores.push_back(sum);
    }
    return std::make_shared<const std::vector<float>>(std::move(scores));
}

}  // namespace selector

using namespace selector;

struct Selector::State {
    State(llm::Gateway& models, const Registry& registered, Logger& log, Limits within)
        : gateway(models), registry(registered), logger(log), limits(within)
    {}

    std::shared_ptr<Snapshot> current();
    Task<Scores> by_model(Snapshot& known, const llm::Gateway::EmbeddingModel& model, std::string_view question,
                          const llm::CallContext& context, model::Usage& usage);
    Task<Scores> ask_model(Snapshot& known, const llm::Gateway::EmbeddingModel& model, std::string_view question,
                           const llm::CallContext& context, model::Usage& usage);

    llm::Gateway& gateway;
    const Registry& registry;
    Logger& logger;
    const Limits limits;
    std::mutex guard;
    std::shared_ptr<Snapshot> newest;
};

// Two cores may make the same one at the same time; that is rare, and shorter than to let one wait for the other.
std::shared_ptr<Snapshot> Selector::State::current()
{
    const auto version = registry.version();   // before all(): a tool that comes in between shows as a new version
    std::shared_ptr<Snapshot> before;
    {
        const std::lock_guard lock(guard);
        if (newest && newest->version >= version)
            return newest;
        before = newest;
    }
    auto made = std::make_shared<Snapshot>(version, registry.all(), before.get(), limits);
    const std::lock_guard lock(guard);
    if (!newest || newest->version < version)
        newest = std::move(made);
    return newest;
}

// Null: the model is not to be asked now, or it failed.
Task<Scores> Selector::State::by_model(Snapshot& known, const llm::Gateway::EmbeddingModel& model,
                                       std::string_view question, const llm::CallContext& context, model::Usage& usage)
{
    const auto key = key_of(model.revision, question);
    if (auto scores = known.cache.get(key))
        co_return scores;
    if (known.vectors.left_alone())
        co_return nullptr;
    auto scores = co_await ask_model(known, model, question, context, usage);
    if (scores)
        known.cache.put(key, scores);
    co_return scores;
}

Task<Scores> Selector::State::ask_model(Snapshot& known, const llm::Gateway::EmbeddingModel& model,
                                        std::string_view question, const llm::CallContext& context, model::Usage& usage)
{
    const auto tools = co_await known.vectors.get(gateway, model, context, limits.descriptions, limits.pause, logger);
    if (!tools)
        co_return nullptr;
    auto patient = context;
    patient.deadline = context.deadline.sooner(limits.question);
    std::vector<std::string> texts(1, std::string(question));
    const auto asked = co_await embed_texts(gateway, model.id, std::move(texts), patient, usage);
    auto scores = asked ? cosines(*tools, asked->front()) : nullptr;
    if (scores)
        co_return scores;
    if (asked)
        known.vectors.forget();
    logger.warn("a question could not be embedded; the built-in embedder stands in",
                {{"model", model.id},
                 {"request_id", context.request_id},
                 {"error", asked ? "its vectors have another size than before" : asked.error().message()}});
    known.vectors.leave_alone(Steady::now() + limits.pause);
    co_return nullptr;
}

Selector::Selector(llm::Gateway& gateway, const Registry& registry, Logger& logger)
    : Selector(gateway, registry, logger, Limits())
{}

Selector::Selector(llm::Gateway& gateway, const Registry& registry, Logger& logger, Limits limits)
    : state_(std::make_unique<State>(gateway, registry, logger, limits))
{}

Selector::~Selector() = default;

Task<Selection> Selector::select(std::string_view asked, std::size_t most, const Caller& caller, Deadline deadline,
                                 std::function<bool(const Tool&)> wanted)
{
    const auto known = state_->current();
    const auto& tools = known->tools;
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < tools.size(); ++i)
        if (tools[i]->why_unavailable().empty() && why_not_allowed(*tools[i], caller).empty() &&
            (!wanted || wanted(*tools[i])))
            places.push_back(i);
    Selection selection;
    const auto question = shortened(asked);
    const llm::CallContext context(caller.request_id, caller.user_id, deadline);
    const auto model = state_->gateway.embedding_model();
    Scores scores;
    if (!model.built_in && !question.empty() && !places.empty())
        scores = co_await state_->by_model(*known, model, question, context, selection.usage);
    selection.model = scores || model.built_in ? model.id : std::string(built_in_model);
    if (!scores)
        scores = by_features(*known, question);
    const auto kept = std::min(places.size(), most);
    std::partial_sort(
        places.begin(), places.begin() + static_cast<std::ptrdiff_t>(kept), places.end(),
        [&](auto a, auto b) { return (*scores)[a] != (*scores)[b] ? (*scores)[a] > (*scores)[b] : a < b; });
    places.resize(kept);
    for (const auto place : places)
        selection.tools.push_back({tools[place], (*scores)[place]});
    co_return selection;
}

}  // namespace dure::tools
