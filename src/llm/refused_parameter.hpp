// Which optional parameter of a request a provider says that it does not take, in whatever words.
#pragma once

#include <string>
#include <string_view>

namespace dure::llm {

// `param`: as the error names it, or empty. Gives the name, with what stands behind its dot; empty when the message is about something else.
// Whether the request can do without it is the provider's to say (Provider::repair).
std::string refused_parameter(std::string_view message, std::string_view param);

}  // namespace dure::llm
