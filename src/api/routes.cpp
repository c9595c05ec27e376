// Every route of the product, one line each. Reviewing the public surface means reading this file.
#include "api/routes.hpp"

#include "api/accounts/entrance.hpp"
#include "api/accounts/keys.hpp"
#include "api/accounts/roles.hpp"
#include "api/accounts/users.hpp"
#include "api/chat/completions.hpp"
#include "api/chat/embeddings.hpp"
#include "api/chat/messages.hpp"
#include "api/chat/models.hpp"
#include "api/chat/sessions.hpp"
#include "api/chat/usage.hpp"
#include "api/events/events.hpp"
#include "api/executions/executions.hpp"
#include "api/flows/flows.hpp"
#include "api/system/system.hpp"
#include "api/tools/tools.hpp"

namespace dure::api {

std::vector<Route> routes(const ApiParts* parts)
{
    using enum http::Method;
    const auto chat = Access::permission("chat:create");
    const auto asks_model = chat.rated(RateClass::chat);
    const auto open = Access::open();
    const auto probe = open.rated(RateClass::unlimited);
    const auto person = Access::person();
    const auto manager = Access::person("users:manage");
    const auto tool_user = Access::permission("tools:execute");
    const auto metrics_reader = Access::permission("metrics:read").also_without_database();
    std::vector<Route> table;
    const auto add = [&](http::Method method, std::string_view pattern, Access access, auto make_handler, Doc doc) {
        table.push_back({method, pattern, access, parts ? make_handler(*parts) : Handler(), std::move(doc)});
    };
    // Whose answers hold what users and runs have written.
    const auto room = std::make_shared<AnswerRoom>();
    const auto add_bounded = [&](http::Method method, std::string_view pattern, Access access, auto make_handler,
                                 Doc doc, AnswerOf what = AnswerOf::page) {
        table.push_back(
            {method, pattern, access, parts ? bounded(room, what, make_handler(*parts)) : Handler(), std::move(doc)});
    };
    const auto add_visiting = [&](http::Method method, std::string_view pattern, Access access, auto make_handler,
                                  Doc doc) {
        table.push_back({method, pattern, access,
                         parts ? visiting(room, AnswerOf::page, make_handler(*parts)) : Handler(), std::move(doc)});
    };

    // clang-format off: one line for each route

    // OpenAI-compatible
    add(post, "/v1/chat/completions", asks_model, create_completion, {"createChatCompletion", "OpenAI", "Answer a conversation; with stream:true as server-sent events", "ChatCompletionRequest", "ChatCompletion"});
    add(get, "/v1/models", chat, list_models, {"listModels", "OpenAI", "The agent, the models the caller may use, and up to 1,000 of the caller's published flows by name", {}, "ModelList"});
    add(get, "/v1/models/{model...}", chat, get_model, {"getModel", "OpenAI", "One model", {}, "Model"});
    add(post, "/v1/embeddings", asks_model, create_embeddings, {"createEmbeddings", "OpenAI", "Vectors of texts", "EmbeddingRequest", "EmbeddingList"});

    // Native chat
    add(post, "/api/chat/session", chat, create_session, Doc{"createSession", "Chat", "Begin a session", "CreateSession", "CreatedSession", 201}.may_lack_body());
    add(get, "/api/chat/sessions", chat, list_sessions, {"listSessions", "Chat", "The caller's sessions, newest first", {}, "SessionList", 200, "application/json", {"page_size", "limit", "cursor"}});
    add(get, "/api/chat/sessions/{id}", chat, get_session, {"getSession", "Chat", "One session", {}, "Session"});
    add(delete_, "/api/chat/sessions/{id}", chat, delete_session, {"deleteSession", "Chat", "End a session", {}, {}, 204});
    add(post, "/api/chat/message", asks_model, send_message, {"sendMessage", "Chat", "One turn of a session", "SendMessage", "MessageAnswer"});
    add(post, "/api/chat/message/stream", asks_model, stream_message, {"streamMessage", "Chat", "One turn as server-sent events: metadata, message, tool, then done or error", "SendMessage", "EventStream", 200, "text/event-stream"});
    add_visiting(get, "/api/chat/history/{session_id}", chat, get_history, {"getHistory", "Chat", "Messages and summaries of a session", {}, "History", 200, "application/json", {"page_size", "limit", "cursor"}});

    // Accounts
    if (!parts || parts->settings.auth.accounts) {
        add(post, "/auth/register", open, register_user, {"register", "Accounts", "Make an account, if registration is open", "Register", "User", 201});
        add(post, "/auth/jwt/login", open, log_in, {"login", "Accounts", "An access token for a password", "Login", "AccessToken", 200, "application/json", {}, "application/x-www-form-urlencoded"});
        add(post, "/auth/jwt/logout", person, log_out, {"logout", "Accounts", "End this token, or every token of the caller", {}, {}, 204, "application/json", {"everywhere"}});
        add(post, "/auth/forgot-password", open, forgot_password, {"forgotPassword", "Accounts", "Mail a reset token, if the address is known", "EmailAddress", "Null", 202});
        add(post, "/auth/reset-password", open, reset_password, {"resetPassword", "Accounts", "A new password for a reset token", "ResetPassword", "Null"});
        add(post, "/auth/request-verify-token", open, request_verify_token, {"requestVerifyToken", "Accounts", "Mail a verification token, if the address is known", "EmailAddress", "Null", 202});
        add(post, "/auth/verify", open, verify_user, {"verifyUser", "Accounts", "Show that the address is one's own", "VerifyToken", "User"});
        add(get, "/users/me", Access::any(), get_me, {"getMe", "Accounts", "The caller", {}, "User"});
        add(patch, "/users/me", person, patch_me, {"updateMe", "Accounts", "Change one's e-mail, user name or password", "UpdateMe", "User"});
        add(get, "/users", manager, list_users, {"listUsers", "Accounts", "Every account, oldest first", {}, "UserList", 200, "application/json", {"page_size", "limit", "cursor"}});
        add(get, "/users/{id}", manager, get_user, {"getUser", "Accounts", "One account", {}, "User"});
        add(patch, "/users/{id}", manager, patch_user, {"updateUser", "Accounts", "Change an account", "UpdateUser", "User"});
        add(delete_, "/users/{id}", manager, delete_user, {"deleteUser", "Accounts", "Delete an account with its keys", {}, {}, 204});
        add(get, "/roles", manager, list_roles, {"listRoles", "Accounts", "Built-in and custom roles", {}, "RoleList", 200, "application/json", {"page", "page_size"}});
        add(post, "/roles", manager, create_role, {"createRole", "Accounts", "Make a role", "CreateRole", "Role", 201});
        add(patch, "/roles/{id}", manager, patch_role, {"updateRole", "Accounts", "Change what a custom role may do", "UpdateRole", "Role"});
        add(delete_, "/roles/{id}", manager, delete_role, {"deleteRole", "Accounts", "Delete a custom role that nobody has", {}, {}, 204});
        add(get, "/api/keys", person, list_keys, {"listKeys", "Keys", "The caller's API keys, newest first; with users:manage those of any user", {}, "ApiKeyList", 200, "application/json", {"user_id", "page", "page_size"}});
        add(post, "/api/keys", person, create_key, {"createKey", "Keys", "Make an API key; it is shown this once", "CreateApiKey", "ApiKey", 201});
        add(delete_, "/api/keys/{id}", person, revoke_key, {"revokeKey", "Keys", "Revoke a key", {}, {}, 204});
        add(post, "/api/keys/{id}/rotate", person, rotate_key, {"rotateKey", "Keys", "A new key in place of an old one, which goes on for a while", "RotateApiKey", "ApiKey", 201});
    }

    add(get, "/api/usage", Access::any(), get_usage, {"getUsage", "Chat", "Tokens, cost in USD and requests: the caller's, or everybody's with users:manage", {}, "UsageReport", 200, "application/json", {"group_by", "from", "to"}});

    // Tools
    add(get, "/api/tools", tool_user, list_tools, {"listTools", "Tools", "Every tool, with why it is not available if it is not", {}, "ToolList", 200, "application/json", {"page", "page_size"}});
    add(get, "/api/tools/{name}", tool_user, get_tool, {"getTool", "Tools", "One tool", {}, "Tool"});
    add(post, "/api/tools/{name}/execute", tool_user, execute_tool, {"executeTool", "Tools", "Run a tool; what goes wrong in it is an answer with success:false", "ToolCallRequest", "ToolOutcome"});
    add(post, "/api/tools/select", tool_user, select_tools, {"selectTools", "Tools", "The tools of the caller that are nearest to a question", "SelectTools", "SelectedTools"});
    add(post, "/api/tools/reload", Access::permission("tools:manage"), reload_tools, {"reloadTools", "Tools", "Read the tool files and the tools of MCP servers again", {}, "ToolReload"});

    // Flows: of the caller
    using flows::FlowType;
    const auto flow_reader = Access::permission("flows:read");
    const auto flow_manager = Access::permission("flows:manage");
    const std::vector<std::string_view> flow_filters{"search", "category", "tags", "is_active", "sort_by", "sort_order", "page", "page_size"};
    const auto add_flows = [&](http::Method method, std::string_view pattern, Access access, auto make_handler, std::optional<FlowType> type, Doc doc) {
        add(method, pattern, access, [=](const ApiParts& made) { return make_handler(made, type); }, std::move(doc));
    };
    auto all_filters = flow_filters;
    all_filters.push_back("flow_type");
    add_flows(get, "/api/agent-builder/flows", flow_reader, list_flows, std::nullopt, {"listFlows", "Flows", "The caller's flows, without their documents", {}, "FlowPage", 200, "application/json", all_filters});
    add_flows(get, "/api/agent-builder/flows/{id}", flow_reader, get_flow, std::nullopt, Doc{"getFlow", "Flows", "One flow with its newest document; the ETag is for If-Match", {}, "Flow"}.gives({"ETag"}));
    add_flows(put, "/api/agent-builder/flows/{id}", flow_manager, update_flow, std::nullopt, Doc{"updateFlow", "Flows", "A new version, where each key sent takes the place of the flow's own; with If-Match only over the version of that ETag", "FlowChanges", "Flow"}.gives({"ETag"}).guarded());
    add_flows(delete_, "/api/agent-builder/flows/{id}", flow_manager, delete_flow, std::nullopt, Doc{"deleteFlow", "Flows", "Delete a flow; its history stays in the event store", {}, {}, 204}.guarded());
    add(post, "/api/agent-builder/agentflows", flow_manager, [](const ApiParts& made) { return create_flow(made, FlowType::agentflow); }, Doc{"createAgentflow", "Flows", "Make an agentflow, of its settings alone or of a whole document", "FlowDocument", "Flow", 201}.gives({"Location", "ETag"}));
    add_flows(get, "/api/agent-builder/agentflows", flow_reader, list_flows, FlowType::agentflow, {"listAgentflows", "Flows", "The caller's agentflows", {}, "FlowPage", 200, "application/json", flow_filters});
    add_flows(get, "/api/agent-builder/agentflows/{id}", flow_reader, get_flow, FlowType::agentflow, Doc{"getAgentflow", "Flows", "One agentflow", {}, "Flow"}.gives({"ETag"}));
    add_flows(put, "/api/agent-builder/agentflows/{id}", flow_manager, update_flow, FlowType::agentflow, Doc{"updateAgentflow", "Flows", "A new version of an agentflow", "FlowChanges", "Flow"}.gives({"ETag"}).guarded());
    add_flows(delete_, "/api/agent-builder/agentflows/{id}", flow_manager, delete_flow, FlowType::agentflow, Doc{"deleteAgentflow", "Flows", "Delete an agentflow", {}, {}, 204}.guarded());
    add(post, "/api/agent-builder/chatflows", flow_manager, [](const ApiParts& made) { return create_flow(made, FlowType::chatflow); }, Doc{"createChatflow", "Flows", "Make a chatflow, of its settings alone or of a whole document", "FlowDocument", "Flow", 201}.gives({"Location", "ETag"}));
    add_flows(get, "/api/agent-builder/chatflows", flow_reader, list_flows, FlowType::chatflow, {"listChatflows", "Flows", "The caller's chatflows", {}, "FlowPage", 200, "application/json", flow_filters});
    add_flows(get, "/api/agent-builder/chatflows/{id}", flow_reader, get_flow, FlowType::chatflow, Doc{"getChatflow", "Flows", "One chatflow", {}, "Flow"}.gives({"ETag"}));
    add_flows(put, "/api/agent-builder/chatflows/{id}", flow_manager, update_flow, FlowType::chatflow, Doc{"updateChatflow", "Flows", "A new version of a chatflow", "FlowChanges", "Flow"}.gives({"ETag"}).guarded());
    add_flows(delete_, "/api/agent-builder/chatflows/{id}", flow_manager, delete_flow, FlowType::chatflow, Doc{"deleteChatflow", "Flows", "Delete a chatflow", {}, {}, 204}.guarded());
    add(post, "/api/agent-builder/flows/validate", flow_reader, validate_flow, {"validateFlow", "Flows", "Every problem of a document; nothing is stored", "FlowDocumentOfType", "FlowValidation"});
    add(post, "/api/agent-builder/flows/save", flow_manager, save_flow, Doc{"saveFlow", "Flows", "A new version of the caller's flow of this name, or a new flow; also written to a file", "SaveFlow", "SavedFlow"}.gives({"ETag"}));
    add(post, "/flows/save", flow_manager, save_flow, Doc{"saveFlowByName", "Flows", "The same as /api/agent-builder/flows/save", "SaveFlow", "SavedFlow"}.gives({"ETag"}));
    add(get, "/api/agent-builder/flows/{id}/versions", flow_reader, list_flow_versions, {"listFlowVersions", "Flows", "The versions of a flow, newest first", {}, "FlowVersionPage", 200, "application/json", {"page", "page_size"}});
    add(get, "/api/agent-builder/flows/{id}/versions/{n}", flow_reader, get_flow_version, {"getFlowVersion", "Flows", "The flow with the document of one version", {}, "Flow"});
    add(get, "/api/agent-builder/flows/{id}/versions/{a}/diff/{b}", flow_reader, diff_flow_versions, {"diffFlowVersions", "Flows", "What differs from version a to version b", {}, "FlowDiff"});
    add(post, "/api/agent-builder/flows/{id}/versions/{n}/restore", flow_manager, restore_flow_version, Doc{"restoreFlowVersion", "Flows", "A new version with the document of an old one", {}, "Flow"}.gives({"ETag"}).guarded());
    add(post, "/api/agent-builder/flows/{id}/publish", flow_manager, publish_flow, Doc{"publishFlow", "Flows", "Make the newest version, or the one named, what flow:<slug> runs", "PublishFlow", "FlowPublication"}.may_lack_body().gives({"ETag"}).guarded());
    add(post, "/api/agent-builder/flows/{id}/unpublish", flow_manager, unpublish_flow, Doc{"unpublishFlow", "Flows", "Take the publication away", {}, "FlowPublication"}.gives({"ETag"}).guarded());

    // Executions: of the caller
    const auto runner = Access::permission("flows:execute");
    const std::vector<std::string_view> execution_pages{"status", "page", "page_size"};
    add(post, "/api/agent-builder/flows/{id}/execute", runner, execute_flow, Doc{"executeFlow", "Executions", "Run a flow by its id or slug; Accept: text/event-stream gives its log, Idempotency-Key starts it once", "ExecuteFlow", "Execution", 202, "application/json", {"wait", "timeout"}}.may_lack_body().takes({"Idempotency-Key"}).gives({"Location", "Idempotent-Replayed"}).or_answers({200, "It has ended, or waits for a person (wait=true)", "Execution", "application/json", {"Location", "Idempotent-Replayed"}}).or_answers({200, "Its log (Accept: text/event-stream)", "EventStream", "text/event-stream"}));
    add_bounded(get, "/api/agent-builder/flows/{id}/executions", Access::any(), list_flow_executions, {"listFlowExecutions", "Executions", "Executions of one flow, newest first", {}, "ExecutionPage", 200, "application/json", execution_pages});
    add_bounded(get, "/api/executions", Access::any(), list_executions, {"listExecutions", "Executions", "The caller's executions, newest first", {}, "ExecutionPage", 200, "application/json", {"status", "flow_id", "page", "page_size"}});
    add_bounded(get, "/api/executions/{id}", Access::any(), get_execution, {"getExecution", "Executions", "One execution with its steps", {}, "Execution"});
    add(post, "/api/executions/{id}/cancel", runner, cancel_execution, {"cancelExecution", "Executions", "End it; a running one ends soon", {}, "Execution", 202});
    add(post, "/api/executions/{id}/resume", runner, resume_execution, {"resumeExecution", "Executions", "Answer a question it waits for", "ResumeExecution", "Execution", 202});
    add(post, "/api/executions/{id}/retry", runner, retry_execution, {"retryExecution", "Executions", "Go on from the failed nodes", {}, "Execution", 202});
    add(post, "/api/executions/{id}/fork", runner, fork_execution, {"forkExecution", "Executions", "A new execution that has what was done before a step, patched; the step runs again", "ForkExecution", "Execution", 202});
    add(get, "/api/executions/{id}/stream", Access::any(), stream_execution, Doc{"streamExecution", "Executions", "Its log as server-sent events with their numbers as ids, then event end; Last-Event-ID is honoured", {}, "EventStream", 200, "text/event-stream", {"modes", "after"}}.takes({"Last-Event-ID"}));
    add(get, "/ws/executions/{id}", Access::any().over_socket(), watch_execution, {"watchExecution", "Executions", "The same log over a WebSocket, which takes cancel and resume", {}, {}, 101, "application/json", {"after", "modes", "ticket"}});
    add(post, "/ws/ticket", Access::any(), create_ticket, {"createTicket", "Executions", "A ticket for one WebSocket of a browser, good for half a minute", {}, "Ticket"});

    // Events: of what the caller owns, or everybody's with events:read
    add_bounded(get, "/api/events/aggregate/{id}", Access::any(), get_aggregate_events, {"getAggregateEvents", "Events", "What happened to one aggregate, oldest first; next is the from_version of the next page", {}, "EventPage", 200, "application/json", {"aggregate_type", "from_version", "limit", "page_size"}});
    add_bounded(get, "/api/events/replay/{id}", Access::any(), replay_aggregate, {"replayAggregate", "Events", "An aggregate's state as it was", {}, "ReplayedState", 200, "application/json", {"aggregate_type", "to_version", "at"}}, AnswerOf::whole);
    add_bounded(get, "/api/events/audit", Access::any(), audit_events, {"auditEvents", "Events", "The audit log, newest first", {}, "AuditPage", 200, "application/json", {"user_id", "event_type", "from_date", "to_date", "limit", "page_size", "cursor"}});
    add(get, "/api/events/stream", Access::any(), stream_events, Doc{"streamEvents", "Events", "Events as they happen, as server-sent events; their ids are positions, Last-Event-ID is honoured", {}, "EventStream", 200, "text/event-stream", {"after", "aggregate_id"}}.takes({"Last-Event-ID"}));

    // Models
    add(post, "/api/models/reload", Access::permission("models:manage"), reload_models, {"reloadModels", "Models", "Read providers and models of the configuration anew, as SIGHUP does", {}, "ReloadedModels"});

    // System
    add(get, "/", open, root, {"root", "System", "Name, version and links", {}, "Root"});
    add(get, "/healthz", probe, health, {"health", "System", "The process lives", {}, "Health"});
    add(get, "/readyz", probe, ready, {"ready", "System", "The process can do its work", {}, "Health"});
    add(get, "/metrics", metrics_reader, metrics_text, {"metrics", "System", "Prometheus metrics", {}, "Text", 200, "text/plain"});
    add(get, "/openapi.json", open, openapi_json, {"openapi", "System", "This document", {}, "Any"});
    // clang-format on
    return table;
}

}  // namespace dure::api
