// POST /api/chat/message, POST /api/chat/message/stream
#pragma once

#include "api/routes.hpp"

namespace dure::api {

Handler send_message(const ApiParts& parts);
Handler stream_message(const ApiParts& parts);

}  // namespace dure::api
