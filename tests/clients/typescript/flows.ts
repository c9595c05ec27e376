// flowsAPI as the founders' frontend calls it.
import type { Client, Schemas } from "./client.js";
import type { operations } from "./openapi.js";

export type Flow = Schemas["Flow"];
export type FlowFilter = Exclude<operations["listFlows"]["parameters"]["query"], undefined>;
export type ExecutionFilter = Exclude<operations["listFlowExecutions"]["parameters"]["query"], undefined>;
export interface ExecuteOptions {
  wait?: boolean;
  timeout?: number;
  idempotencyKey?: string;
}

export const makeFlowsAPI = (client: Client) => ({
  getFlows: async (filter: FlowFilter = {}) =>
    (await client.request("get", "/api/agent-builder/flows", { query: filter })).body,
  getFlow: async (id: string) =>
    (await client.request("get", "/api/agent-builder/flows/{id}", { path: { id } })).body,
  createAgentflow: async (flow: Schemas["FlowDocument"]) =>
    (await client.request("post", "/api/agent-builder/agentflows", { body: flow })).body,
  createChatflow: async (flow: Schemas["FlowDocument"]) =>
    (await client.request("post", "/api/agent-builder/chatflows", { body: flow })).body,
  // With an ETag only over that one.
  updateFlow: async (id: string, changes: Schemas["FlowChanges"], etag?: string) =>
    (await client.request("put", "/api/agent-builder/flows/{id}", {
      path: { id }, body: changes, ...(etag === undefined ? {} : { headers: { "If-Match": etag } }),
    })).body,
  deleteFlow: async (id: string) => {
    await client.request("delete", "/api/agent-builder/flows/{id}", { path: { id } });
  },
  validateFlow: async (flow: Schemas["FlowDocumentOfType"]) =>
    (await client.request("post", "/api/agent-builder/flows/validate", { body: flow })).body,
  saveFlow: async (flow: Schemas["SaveFlow"]) =>
    (await client.request("post", "/flows/save", { body: flow })).body,
  publishFlow: async (id: string) =>
    (await client.request("post", "/api/agent-builder/flows/{id}/publish", { path: { id } })).body,
  getVersions: async (id: string) =>
    (await client.request("get", "/api/agent-builder/flows/{id}/versions", { path: { id } })).body,
  compareVersions: async (id: string, a: number, b: number) =>
    (await client.request("get", "/api/agent-builder/flows/{id}/versions/{a}/diff/{b}", { path: { id, a, b } })).body,
  restoreVersion: async (id: string, n: number) =>
    (await client.request("post", "/api/agent-builder/flows/{id}/versions/{n}/restore", { path: { id, n } })).body,
  executeFlow: async (id: string, input: Schemas["ExecuteFlow"], { idempotencyKey, ...query }: ExecuteOptions = {}) =>
    (await client.request("post", "/api/agent-builder/flows/{id}/execute", {
      path: { id }, query, body: input, ...(idempotencyKey === undefined ? {} : { headers: { "Idempotency-Key": idempotencyKey } }),
    })).body,
  getExecutions: async (id: string, filter: ExecutionFilter = {}) =>
    (await client.request("get", "/api/agent-builder/flows/{id}/executions", { path: { id }, query: filter })).body,
});
