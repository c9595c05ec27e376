// Tools that both scripted MCP servers offer.
import { z } from "zod";

const text = (value) => ({ content: [{ type: "text", text: value }] });

export function addTools(server, say) {
  server.registerTool("echo", { description: "되돌려 말하기", inputSchema: { message: z.string(), times: z.number().int().min(1).max(9).optional() } },
    ({ message, times }) => text(Array(times ?? 1).fill(message).join(" ")));
  server.registerTool("structured", { description: "an object", outputSchema: { sum: z.number() }, inputSchema: { a: z.number(), b: z.number() } },
    ({ a, b }) => ({ ...text("ignored"), structuredContent: { sum: a + b } }));
  server.registerTool("picture", { description: "an image" },
    () => ({ content: [{ type: "text", text: "here" }, { type: "image", data: "AAAA".repeat(1000), mimeType: "image/png" }] }));
  server.registerTool("fails", { description: "says isError" }, () => ({ ...text("it is broken"), isError: true }));
  server.registerTool("slow", { description: "never ends by itself" }, (extra) => new Promise((resolve) => {
    extra.signal.addEventListener("abort", () => { say("cancelled"); resolve(text("cancelled")); });
  }));
  server.registerTool("large", { description: "more than a model can read" }, () => text("x".repeat(300 * 1024)));
  server.registerTool("destroys", { description: "says that it destroys", annotations: { destructiveHint: true } }, () => text("destroyed"));
  server.registerTool("secret.admin", { description: "has a dot in its name" }, () => text("dotted"));
}
