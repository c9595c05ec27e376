// Streams of other dialects in the words of this one: what StreamAttempt asks when the provider does not speak OpenAI's.
#pragma once

#include <string_view>
#include <vector>

#include "dure/base/json.hpp"

namespace dure::llm::openai {

class ForeignEvents {
public:
    enum class Meaning { chunks, raw, end };  // raw: read it as one of OpenAI's (an error, something that is not JSON)
    virtual ~ForeignEvents() = default;
    // Chunks of the OpenAI form go into `chunks`; for `end` too, before the end.
    virtual Meaning read(std::string_view name, std::string_view data, std::vector<OrderedJson>& chunks) = 0;
    // The body has ended: the closing chunks if an end signal has come without its last event, else nothing.
    virtual void body_ended(std::vector<OrderedJson>& chunks) = 0;
    // Lone halves of characters have come and stand in the chunks (json_text.hpp).
    virtual bool halves_seen() const = 0;
    virtual bool end_seen() const = 0;  // the answer is whole, its last event may be missing
};

}  // namespace dure::llm::openai
