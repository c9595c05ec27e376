// What clients make of limits. The official OpenAI SDK of those on tokens: a RateLimitError with its headers, and no repeat where
// none would help. WebSockets of those on connections: 429 instead of the handshake.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import OpenAI from "openai";
import { WebSocket } from "ws";
import { Server } from "./support/server.mjs";

const messages = [{ role: "user", content: "Tell me a long story about a river." }];

describe("limits on tokens", () => {
  let server, client, requests;
  before(async () => {
    server = await Server.start({ limits: "tokens_per_day = 100\n" });
    requests = 0;
    const counted = (...request) => (requests++, fetch(...request));
    client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: server.key, maxRetries: 2, timeout: 10_000, fetch: counted });
  });
  after(async () => server?.stop());

  for (const stream of [false, true])
    test(`refuse with a RateLimitError that is not tried again, stream ${stream}`, async () => {
      const asked = client.chat.completions.create({ model: "mock", messages, stream, max_tokens: 5000 });
      const error = await asked.then(() => null, (thrown) => thrown);
      assert.ok(error instanceof OpenAI.RateLimitError, String(error));
      assert.equal(error.status, 429);
      assert.equal(error.code, "budget_exceeded");
      assert.equal(error.type, "rate_limit_error");
      assert.match(error.message, /100 tokens a day/);
      assert.equal(error.headers.get("x-ratelimit-limit-tokens"), "100");
      assert.equal(error.headers.get("x-ratelimit-remaining-tokens"), "100");
      assert.match(error.headers.get("x-ratelimit-reset-tokens"), /^\d+s$/);
      assert.ok(Number(error.headers.get("retry-after")) > 0);
    });

  test("ask the server once for each of them", () => assert.equal(requests, 2));

  test("take nothing for what was refused", async () => {
    const answer = await client.chat.completions.create({ model: "mock", messages, max_tokens: 5 });
    assert.ok(answer.usage.total_tokens > 0);
  });
});

describe("limits on WebSockets", () => {
  let server;
  before(async () => (server = await Server.start()));
  after(async () => server?.stop());

  // Resolves to the socket when it is open, or to the status that refused it.
  const open = (id) =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(`${server.url.replace(/^http/, "ws")}/ws/executions/${id}`, { headers: server.auth });
      socket.on("open", () => resolve(socket));
      socket.on("unexpected-response", (_, response) => resolve(response.statusCode));
      socket.on("error", reject);
    });

  test("a user has twenty, and another when one of them is closed", async () => {
    const drawn = {
      name: "waits",
      nodes: [{ id: "start", type: "start" }, { id: "ask", type: "human_input", data: { config: { prompt: "?" } } }],
      edges: [{ source: "start", target: "ask" }],
    };
    const { json: flow } = await server.post("/api/agent-builder/agentflows", drawn);
    const { json: waiting } = await server.post(`/api/agent-builder/flows/${flow.id}/execute?wait=true`, {});
    assert.equal(waiting.status, "waiting", JSON.stringify(waiting));   // its sockets stay open
    const sockets = [];
    for (let i = 0; i < 20; ++i) sockets.push(await open(waiting.id));
    for (const socket of sockets) assert.ok(socket instanceof WebSocket, String(socket));
    assert.equal(await open(waiting.id), 429);
    sockets.pop().close();
    const end = Date.now() + 10_000;
    let next = 429;
    while (next === 429 && Date.now() < end) next = await open(waiting.id);
    assert.ok(next instanceof WebSocket, String(next));
    for (const socket of [...sockets, next]) socket.terminate();
  });
});
