// The descriptions of a state of the registry as vectors of an embedding model. Made by the first who asks; vectors of
// descriptions that were known before are kept, so a reload pays for what is new.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "dure/base/clock.hpp"
#include "dure/base/log.hpp"
#include "dure/llm/gateway.hpp"

namespace dure::tools {

using Vector = std::vector<float>;   // of length 1

// One call of an embedding model: vectors of length 1 in the order of the texts, all of the same size.
Task<Result<std::vector<Vector>>> embed_texts(llm::Gateway& gateway, const std::string& model,
                                              std::vector<std::string> texts, const llm::CallContext& context,
                                              model::Usage& usage);

// Thread-safe.
class ModelVectors {
public:
    // `before`: of the state of the registry that this one follows, or null.
    ModelVectors(std::vector<std::string> texts, const ModelVectors* before);

    // For each text its vector of `model`; null while another call makes them, and until `pause` after a failure.
    using All = std::shared_ptr<const std::vector<std::shared_ptr<const Vector>>>;
    Task<All> get(llm::Gateway& gateway, const llm::Gateway::EmbeddingModel& model, const llm::CallContext& context,
                  Steady::duration limit, Steady::duration pause, Logger& logger);

    // The embedding model failed: it is not asked again before `until`.
    void leave_alone(Steady::time_point until);
    bool left_alone() const;
    // Its vectors do not fit together any more: all are made anew.
    void forget();

private:
    class Making;
    using Known = std::map<std::string, std::shared_ptr<const Vector>>;   // by text
    Task<Result<void>> make(llm::Gateway& gateway, const llm::Gateway::EmbeddingModel& model,
                            const llm::CallContext& context, Logger& logger);
    std::vector<std::string> missing(const std::string& revision);
    void keep(const std::vector<std::string>& texts, std::vector<Vector> vectors);
    All complete(const std::string& revision);

    const std::vector<std::string> texts_;
    mutable std::mutex guard_;
    std::string revision_;        // of the model that the known vectors are of
    Known known_;
    All all_;                     // once every text is known
    bool making_ = false;
    Steady::time_point not_before_;
};

}  // namespace dure::tools
