// JsonSchema: JSON Schema draft-7 as tool arguments and flow inputs need it, with prefixItems of 2020-12, which OpenAPI 3.1 and
// tool servers write. compile() checks the schema once, validate() is called for every value. Patterns run on RE2 (linear time), $ref stays inside the schema, and the work of one validation
// is bounded, because schemas may come from tool servers.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "dure/base/error.hpp"
#include "dure/base/json.hpp"

namespace dure::schema {

// That one reading tells, of fields too: an answer to ten thousand wrong ones helps nobody.
inline constexpr std::size_t most_problems = 100;

class JsonSchema {
public:
    struct Node;

    // invalid_argument (reason "invalid_schema", param the JSON pointer of the place): a keyword's value has the wrong form,
    // a pattern RE2 cannot run, a $ref that leaves the schema or ends in nothing, or too much nesting.
    static Result<JsonSchema> compile(const Json& schema);

    // Every problem found, at most most_problems, locations relative to the value (no "body" in front); empty: the value is valid.
    std::vector<FieldProblem> validate(const Json& value) const;

    // JSON pointers of keywords that compile() did not know and validate() ignores.
    const std::vector<std::string>& unknown_keywords() const;

private:
    struct State;
    explicit JsonSchema(std::shared_ptr<const State> state) : state_(std::move(state)) {}
    std::shared_ptr<const State> state_;
};

}  // namespace dure::schema
