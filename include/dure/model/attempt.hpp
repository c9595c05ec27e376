// AttemptRow: one exchange with one target of a model, whatever became of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "dure/base/clock.hpp"

namespace dure::model {

struct AttemptRow {
    std::string request_id;                        // of the client's request: the usage row has the same
    std::string user_id;
    std::string model;                             // configured id
    std::string target;                            // "provider/model"
    std::int64_t provider_key = 0;  // place among the provider's configured keys, from 0; never the key
    std::int64_t number = 1;  // of the request's attempts, from 1
    std::string failure;  // class of llm-upstreams §6, "cancelled", or "success"
    std::int64_t status = 0;  // HTTP status of the provider's answer; 0: none came
    std::string upstream_request_id;
    UnixMillis started_at = 0;
    std::optional<std::int64_t> first_output_ms;  // after the start; empty: no output, or nobody read along
    std::int64_t duration_ms = 0;
    std::int64_t prompt_tokens = 0;
    std::int64_t completion_tokens = 0;
    std::int64_t cached_tokens = 0;
    std::int64_t reasoning_tokens = 0;
    bool estimated = false;
    std::int64_t cost_nano = 0;  // USD * 1e-9
    std::string price_version;  // tells the prices apart that cost_nano was made with; empty: none
};

}  // namespace dure::model
