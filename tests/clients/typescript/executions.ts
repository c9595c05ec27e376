// Executions: read, answered, repeated; their log as an async iterable over server-sent events, or over a WebSocket.
import type { Client, Schemas } from "./client.js";

export type Execution = Schemas["Execution"];
export type LogEntry = Schemas["ExecutionLogEntry"] & { seq: number | undefined };

// What a browser's WebSocket and that of a package have in common.
export interface Socket {
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: (() => void) | null;
  onerror: ((event: unknown) => void) | null;
  send(text: string): void;
  close(): void;
}

export const hasEnded = (execution: Execution) => ["succeeded", "failed", "cancelled"].includes(execution.status);

export const makeExecutionsAPI = (client: Client) => ({
  get: async (id: string) => (await client.request("get", "/api/executions/{id}", { path: { id } })).body,
  list: async (query: { flow_id?: string; status?: Schemas["ExecutionStatus"]; page?: number; page_size?: number } = {}) =>
    (await client.request("get", "/api/executions", { query })).body,
  cancel: async (id: string) => (await client.request("post", "/api/executions/{id}/cancel", { path: { id } })).body,
  resume: async (id: string, body: Schemas["ResumeExecution"]) =>
    (await client.request("post", "/api/executions/{id}/resume", { path: { id }, body })).body,
  retry: async (id: string) => (await client.request("post", "/api/executions/{id}/retry", { path: { id } })).body,
  fork: async (id: string, body: Schemas["ForkExecution"]) =>
    (await client.request("post", "/api/executions/{id}/fork", { path: { id }, body })).body,

  async poll(id: string, until: (execution: Execution) => boolean = hasEnded, limit = 20_000): Promise<Execution> {
    for (const end = Date.now() + limit; ;) {
      const execution = await this.get(id);
      if (until(execution)) return execution;
      if (Date.now() > end) throw new Error(`execution ${id} is still ${execution.status}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  },

  async *stream(id: string, after = 0): AsyncGenerator<LogEntry> {
    const response = await client.send("get", "/api/executions/{id}/stream",
      { path: { id }, headers: { "Last-Event-ID": String(after) } }, "text/event-stream");
    yield* entriesOf(response);
  },

  async *executeStreaming(flow: string, body: Schemas["ExecuteFlow"]): AsyncGenerator<LogEntry> {
    const response = await client.send("post", "/api/agent-builder/flows/{id}/execute", { path: { id: flow }, body }, "text/event-stream");
    yield* entriesOf(response);
  },

  // Shows itself by a ticket, as a browser must.
  async watch(id: string, open: (url: string) => Socket, heard: (frame: Schemas["ExecutionSocketFrame"], say: (command: Schemas["ExecutionSocketCommand"]) => void) => void) {
    const { ticket } = (await client.request("post", "/ws/ticket")).body;
    const socket = open(`${client.baseUrl.replace(/^http/, "ws")}/ws/executions/${id}?ticket=${encodeURIComponent(ticket)}`);
    await new Promise<void>((resolve, reject) => {
      socket.onmessage = ({ data }) => heard(JSON.parse(String(data)), (command) => socket.send(JSON.stringify(command)));
      socket.onerror = reject;
      socket.onclose = resolve;
    });
  },
});

async function* entriesOf(response: Response): AsyncGenerator<LogEntry> {
  if (!response.body) throw new Error("the answer has no body");
  let rest = "";
  for await (const text of response.body.pipeThrough(new TextDecoderStream()) as unknown as AsyncIterable<string>) {
    rest += text;
    for (let at; (at = rest.indexOf("\n\n")) >= 0; rest = rest.slice(at + 2)) {
      const fields = new Map(rest.slice(0, at).split("\n").filter((line) => !line.startsWith(":") && line.includes(": "))
        .map((line) => [line.slice(0, line.indexOf(": ")), line.slice(line.indexOf(": ") + 2)]));
      const event = fields.get("event"), data = fields.get("data"), seq = fields.get("id");
      if (event !== undefined && data !== undefined && event !== "execution")
        yield { event, data: JSON.parse(data), seq: seq === undefined ? undefined : Number(seq) } as LogEntry;
    }
  }
}
