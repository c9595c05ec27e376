// A real MCP server over Streamable HTTP, built with the official SDK, on a port of choice (0: a free one).
//   node mcp_http_server.mjs PORT [json]     json: answers as JSON instead of event streams
// It prints its port, one line per request it gets ("POST initialize", "DELETE"), and "cancelled" when a call was.
// POST /add-tool makes it add a tool and say so to its clients.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { isInitializeRequest } from "@modelcontextprotocol/sdk/types.js";
import { addTools } from "./mcp_tools.mjs";

const [port = "0", mode = ""] = process.argv.slice(2);
const sessions = new Map();
const say = (line) => process.stdout.write(line + "\n");

async function newSession() {
  const server = new McpServer({ name: "scripted-http", version: "1.0.0" });
  addTools(server, say);
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: () => randomUUID(),
    enableJsonResponse: mode === "json",
    onsessioninitialized: (id) => sessions.set(id, { server, transport }),
    onsessionclosed: (id) => sessions.delete(id),
  });
  await server.connect(transport);
  return transport;
}

const body = async (request) => {
  let text = "";
  for await (const part of request) text += part;
  return text ? JSON.parse(text) : undefined;
};

const http = createServer(async (request, response) => {
  const content = request.method === "POST" ? await body(request) : undefined;
  if (request.url === "/add-tool") {
    for (const { server } of sessions.values())
      server.registerTool("late", { description: "came later" }, () => ({ content: [{ type: "text", text: "late" }] }));
    return response.end();
  }
  say(`${request.method} ${content?.method ?? ""} key=${request.headers["x-key"] ?? ""} version=${request.headers["mcp-protocol-version"] ?? ""}`);
  if (request.url === "/mcp") {   // it lives at "/mcp/"
    response.writeHead(307, { location: "/mcp/" });
    return response.end();
  }
  const known = sessions.get(request.headers["mcp-session-id"]);
  if (known) return known.transport.handleRequest(request, response, content);
  if (request.method === "POST" && isInitializeRequest(content)) return (await newSession()).handleRequest(request, response, content);
  response.writeHead(request.headers["mcp-session-id"] ? 404 : 400, { "content-type": "application/json" });
  response.end(JSON.stringify({ jsonrpc: "2.0", error: { code: -32000, message: "no such session" }, id: null }));
});
http.listen(Number(port), "127.0.0.1", () => say(`port ${http.address().port}`));
