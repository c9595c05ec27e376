// Requests a chat client makes for itself (titles, tags, follow-up questions …). They use the conversation's model, key and
// id, but are no turn of it: nothing is stored, counted or run with tools (openai-clients §7).
#pragma once

#include <string>
#include <string_view>

#include "dure/chat/service.hpp"

namespace dure::chat {

// Name of the task ("title_generation"), or empty for a request of the user. The client's header counts first; else a
// non-streamed request without tools whose prompt bears a mark of the default templates.
std::string background_task_of(const CompletionCall& call);

}  // namespace dure::chat
