// ModelVectors; see model_vectors.hpp.
#include "tools/select/model_vectors.hpp"

#include <algorithm>
#include <cmath>

#include "dure/base/timeout.hpp"

namespace dure::tools {
namespace model_vectors {

constexpr std::size_t texts_per_call = 64;

// False for a vector without a direction.
bool normalise(Vector& vector)
{
    double squares = 0;
    for (const auto value : vector)
        squares += static_cast<double>(value) * value;
    if (!(squares > 0) || !std::isfinite(squares))
        return false;
    for (auto& value : vector)
        value = static_cast<float>(value / std::sqrt(squares));
    return true;
}

Error unusable()
{
    return Error(Errc::upstream_failed, "The embedding model's vectors cannot be used.");
}

}  // namespace model_vectors

using namespace model_vectors;

Task<Result<std::vector<Vector>>> embed_texts(llm::Gateway& gateway, const std::string& model,
                                              std::vector<std::string> texts, const llm::CallContext& context,
                                              model::Usage& usage)
{
    llm::EmbeddingRequest request;
    request.model = model;
    request.input = std::move(texts);
    auto answer = co_await gateway.embed(request, context);
    if (!answer)
        co_return answer.error();
    usage += answer->usage;
    if (answer->vectors.size() != request.input.size())
        co_return unusable();
    for (auto& vector : answer->vectors)
        if (vector.size() != answer->vectors.front().size() || !normalise(vector))
            co_return unusable();
    co_return std::move(answer->vectors);
}

ModelVectors::ModelVectors(std::vector<std::string> texts, const ModelVectors* before) : texts_(std::move(texts))
{
    if (before == nullptr)
        return;
    const std::lock_guard lock(before->guard_);
    revision_ = before->revision_;
    not_before_ = before->not_before_;
    for (const auto& text : texts_)
        if (const auto found = before->known_.find(text); found != before->known_.end())
            known_.insert(*found);
}

void ModelVectors::leave_alone(Steady::time_point until)
{
    const std::lock_guard lock(guard_);
    not_before_ = until;
}

bool ModelVectors::left_alone() const
{
    const std::lock_guard lock(guard_);
    return Steady::now() < not_before_;
}

void ModelVectors::forget()
{
    const std::lock_guard lock(guard_);
    known_.clear();
    all_ = nullptr;
}

// The duty to make the vectors, given back however the call ends.
class ModelVectors::Making {
public:
    explicit Making(ModelVectors& vectors) : vectors_(vectors) {}
    Making(const Making&) = delete;
    Making& operator=(const Making&) = delete;
    ~Making()
    {
        const std::lock_guard lock(vectors_.guard_);
        vectors_.making_ = false;
    }

private:
    ModelVectors& vectors_;
};

ModelVectors::All ModelVectors::complete(const std::string& revision)
{
    const std::lock_guard lock(guard_);
    if (revision_ != revision)
        return nullptr;
    if (!all_ && known_.size() > 0) {
        std::vector<std::shared_ptr<const Vector>> vectors;
        for (const auto& text : texts_) {
            const auto found = known_.find(text);
            if (found == known_.end())
                return nullptr;
            vectors.push_back(found->second);
        }
        all_ = std::make_shared<const std::vector<std::shared_ptr<const Vector>>>(std::move(vectors));
    }
    return all_;
}

std::vector<std::string> ModelVectors::missing(const std::string& revision)
{
    const std::lock_guard lock(guard_);
    if (revision_ != revision) {
        revision_ = revision;
        known_.clear();
        all_ = nullptr;
    }
    std::vector<std::string> texts;
    for (const auto& text : texts_)
        if (!known_.contains(text) && texts.size() < texts_per_call &&
            std::find(texts.begin(), texts.end(), text) == texts.end())
            texts.push_back(text);
    return texts;
}

void ModelVectors::keep(const std::vector<std::string>& texts, std::vector<Vector> vectors)
{
    const std::lock_guard lock(guard_);
    for (std::size_t i = 0; i < texts.size(); ++i)
        known_.insert_or_assign(texts[i], std::make_shared<const Vector>(std::move(vectors[i])));
}

Task<Result<void>> ModelVectors::make(llm::Gateway& gateway, const llm::Gateway::EmbeddingModel& model,
                                      const llm::CallContext& context, Logger& logger)
{
    model::Usage usage;
    std::size_t made = 0;
    for (auto texts = missing(model.revision); !texts.empty(); texts = missing(model.revision)) {
        auto vectors = co_await embed_texts(gateway, model.id, texts, context, usage);
        if (!vectors)
            co_return vectors.error();
        made += texts.size();
        keep(texts, std::move(*vectors));
    }
    if (made > 0)
        logger.info("tool descriptions embedded",
                    {{"model", model.id}, {"texts", made}, {"tokens", usage.prompt_tokens}});
    co_return Result<void>();
}

Task<ModelVectors::All> ModelVectors::get(llm::Gateway& gateway, const llm::Gateway::EmbeddingModel& model,
                                          const llm::CallContext& context, Steady::duration limit,
                                          Steady::duration pause, Logger& logger)
{
    if (auto all = complete(model.revision))
        co_return all;
    {
        const std::lock_guard lock(guard_);
        if (making_ || Steady::now() < not_before_)
            co_return nullptr;
        making_ = true;
    }
    const Making making(*this);
    auto patient = context;
    patient.deadline = context.deadline.sooner(limit);
    const auto made = co_await with_timeout(make(gateway, model, patient, logger), patient.deadline);
    if (!made || !*made) {
        logger.warn("tool descriptions could not be embedded; the built-in embedder stands in",
                    {{"model", model.id}, {"error", made ? made->error().message() : "it took too long"}});
        leave_alone(Steady::now() + pause);
    }
    co_return complete(model.revision);
}

}  // namespace dure::tools
