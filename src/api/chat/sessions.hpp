// POST /api/chat/session, GET /api/chat/sessions, GET and DELETE /api/chat/sessions/{id}, GET /api/chat/history/{session_id}
#pragma once

#include "api/routes.hpp"

namespace dure::api {

Handler create_session(const ApiParts& parts);
Handler list_sessions(const ApiParts& parts);
Handler get_session(const ApiParts& parts);
Handler delete_session(const ApiParts& parts);
Handler get_history(const ApiParts& parts);

}  // namespace dure::api
