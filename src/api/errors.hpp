// Errors on their way out: the one mapping from Errc to HTTP, and the two forms an error can take. /v1/* speaks OpenAI's
// {"error":{message,type,param,code}}; everything else application/problem+json with a string `detail`.
#pragma once

#include <string>
#include <string_view>

#include "dure/base/error.hpp"
#include "dure/http/message.hpp"

namespace dure::api {

enum class ErrorForm { openai, problem };

ErrorForm error_form_of(std::string_view path);

// Validation problems are 422 in the problem form; OpenAI's form uses 400 for them (openai-clients §8.1).
int http_status(const Error& error, ErrorForm form);

// The object {"error":{…}} as one line, for bodies and for error frames inside a stream.
std::string openai_error_json(const Error& error);
std::string problem_json(const Error& error, std::string_view request_id);

http::Response render_error(ErrorForm form, const Error& error, std::string_view request_id);

}  // namespace dure::api
