// The numbers of `usage` in the OpenAI form: out of a tree, or in the pass over an answer's text.
#pragma once

#include "dure/base/json.hpp"
#include "dure/model/chat.hpp"
#include "llm/openai/json_cursor.hpp"

namespace dure::llm::openai {

model::Usage usage_of(const OrderedJson& usage);
// Of a whole answer or an error; without an object `usage` it stays as it is.
void read_usage(const OrderedJson& document, model::Usage& into);

// Clients read three numbers, and some servers send two of them.
bool has_all_numbers(std::string_view usage);
// The object with those that were missing; `numbers` are what it says.
void complete_usage(OrderedJson& usage, const model::Usage& numbers);

// For the scanners of chunks and whole answers: both meet usage, which is an object then.
class UsageCursor : public JsonCursor {
protected:
    using JsonCursor::JsonCursor;
    // Its numbers and its text. Of members that come twice the last one counts. False: not an object, or not strict JSON.
    bool usage(model::Usage& numbers, std::string_view& text);

private:
    bool usage_member(std::string_view key, model::Usage& numbers);
    bool count(std::int64_t& value, bool& is_number);
    bool count(std::int64_t& value);
    bool cost(model::Usage& numbers);
    bool prompt_details(model::Usage& numbers);
    bool completion_details(model::Usage& numbers);
};

}  // namespace dure::llm::openai
