// A real MCP server over standard input and output, built with the official SDK. Besides the common tools it tells its
// environment, and dies when it is asked to.
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { addTools } from "./mcp_tools.mjs";

const server = new McpServer({ name: "scripted-stdio", version: "1.0.0" });
addTools(server, (line) => process.stderr.write(line + "\n"));
server.registerTool("environment", { description: "names and values of its variables" }, () => ({
  content: [{ type: "text", text: JSON.stringify(process.env) }],
}));
server.registerTool("pid", { description: "its process" }, () => ({ content: [{ type: "text", text: String(process.pid) }] }));
server.registerTool("die", { description: "ends the process" }, () => process.exit(3));
server.registerTool("huge", { description: "more than one message may hold" }, () => ({ content: [{ type: "text", text: "x".repeat(5 << 20) }] }));
server.registerTool("add_tool", { description: "adds a tool" }, () => {
  server.registerTool("late", { description: "came later" }, () => ({ content: [{ type: "text", text: "late" }] }));
  return { content: [{ type: "text", text: "added" }] };
});
await server.connect(new StdioServerTransport());
