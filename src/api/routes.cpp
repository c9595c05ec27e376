// Every route of the product, one line each. Reviewing the public surface means reading this file.
#include "api/routes.hpp"

#include "api/chat/completions.hpp"
#include "api/chat/embeddings.hpp"
#include "api/chat/messages.hpp"
#include "api/chat/models.hpp"
#include "api/chat/sessions.hpp"
#include "api/system/system.hpp"

namespace dure::api {

std::vector<Route> routes(const ApiParts* parts)
{
    using enum http::Method;
    const auto chat = Access::permission("chat:create");
    const auto asks_model = chat.rated(RateClass::chat);
    const auto open = Access::open();
    const auto probe = open.rated(RateClass::unlimited);
    const auto metrics_reader = Access::permission("metrics:read");
    std::vector<Route> table;
    const auto add = [&](http::Method method, std::string_view pattern, Access access, auto make_handler, Doc doc) {
        table.push_back({method, pattern, access, parts ? make_handler(*parts) : Handler(), std::move(doc)});
    };

    // OpenAI-compatible
    add(post, "/v1/chat/completions", asks_model, create_completion, {"createChatCompletion", "OpenAI", "Answer a conversation; with stream:true as server-sent events", "ChatCompletionRequest", "ChatCompletion"});
    add(get, "/v1/models", chat, list_models, {"listModels", "OpenAI", "The agent and the models the caller may use", {}, "ModelList"});
    add(get, "/v1/models/{model...}", chat, get_model, {"getModel", "OpenAI", "One model", {}, "Model"});
    add(post, "/v1/embeddings", asks_model, create_embeddings, {"createEmbeddings", "OpenAI", "Vectors of texts", "EmbeddingRequest", "EmbeddingList"});

    // Native chat
    add(post, "/api/chat/session", chat, create_session, {"createSession", "Chat", "Begin a session", "CreateSession", "CreatedSession", 201});
    add(get, "/api/chat/sessions", chat, list_sessions, {"listSessions", "Chat", "The caller's sessions, newest first", {}, "SessionList", 200, "application/json", {"limit", "cursor"}});
    add(get, "/api/chat/sessions/{id}", chat, get_session, {"getSession", "Chat", "One session", {}, "Session"});
    add(delete_, "/api/chat/sessions/{id}", chat, delete_session, {"deleteSession", "Chat", "End a session", {}, {}, 204});
    add(post, "/api/chat/message", asks_model, send_message, {"sendMessage", "Chat", "One turn of a session", "SendMessage", "MessageAnswer"});
    add(post, "/api/chat/message/stream", asks_model, stream_message, {"streamMessage", "Chat", "One turn as server-sent events: metadata, message, tool, then done or error", "SendMessage", "EventStream", 200, "text/event-stream"});
    add(get, "/api/chat/history/{session_id}", chat, get_history, {"getHistory", "Chat", "Messages and summaries of a session", {}, "History", 200, "application/json", {"limit", "cursor"}});

    // System
    add(get, "/", open, root, {"root", "System", "Name, version and links", {}, "Root"});
    add(get, "/healthz", probe, health, {"health", "System", "The process lives", {}, "Health"});
    add(get, "/readyz", probe, ready, {"ready", "System", "The process can do its work", {}, "Health"});
    add(get, "/metrics", metrics_reader, metrics_text, {"metrics", "System", "Prometheus metrics", {}, "Text", 200, "text/plain"});
    add(get, "/openapi.json", open, openapi_json, {"openapi", "System", "This document", {}, "Any"});
    return table;
}

}  // namespace dure::api
