// Which tools are near a question (product G8): by the features of the built-in embedder (words, their pieces, topics in English
// and Korean) or, when models.embeddings names a model, by its vectors. Descriptions are compared once per state of the
// registry; a question that comes again is answered from memory.
//
//   select -> the registry's state -> [memory] -> embedding model, or the built-in features -> the nearest the caller may use
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dure/base/log.hpp"
#include "dure/model/chat.hpp"
#include "dure/tools/registry.hpp"

namespace dure::llm {
class Gateway;
}

namespace dure::tools {

struct NearTool {
    std::shared_ptr<const Tool> tool;
    float score = 0;  // cosine: 1 the same, 0 or less nothing in common
};

struct Selection {
    std::vector<NearTool> tools;  // nearest first; tools of the same score as the registry lists them
    std::string model;  // what compared: models.embeddings, or "local" in its place
    model::Usage usage;  // of an embedding model, for the question; not for descriptions
};

// Thread-safe; awaited on a core.
class Selector {
public:
    struct Limits {
        std::size_t questions = 1000;  // remembered for one state of the registry
        std::size_t bytes = 8u << 20;  // of what is remembered of them
        Steady::duration question = std::chrono::seconds(3);  // how long an embedding model may take for it
        Steady::duration descriptions = std::chrono::seconds(10);  // and for all descriptions
        Steady::duration pause = std::chrono::seconds(30);  // after a failure of it
    };

    Selector(llm::Gateway& gateway, const Registry& registry, Logger& logger);
    Selector(llm::Gateway& gateway, const Registry& registry, Logger& logger, Limits limits);
    ~Selector();

    // At most `most` tools that are available, that `caller` may use and that `wanted` (if given) takes. Of a question above
    // 8 KiB the beginning and the end are read. When the embedding
    // model fails or is too slow, the built-in embedder answers, which the log and Selection::model tell. The first question
    // after a change of the tools waits for their descriptions; others meanwhile are answered by the built-in embedder.
    Task<Selection> select(std::string_view question, std::size_t most, const Caller& caller, Deadline deadline,
                           std::function<bool(const Tool&)> wanted = {});

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace dure::tools
