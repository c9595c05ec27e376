// A scripted OpenAI-compatible model server. What it answers depends on the model's name (script()), else it echoes the
// last user message. It records requests and the moments at which callers left before their answer was whole.
import http from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

const created = 1_732_147_200;

export const lastUser = (body) => {
  const content = body.messages.findLast((message) => message.role === "user")?.content ?? "";
  return typeof content === "string" ? content : content.map((part) => part.text ?? "").join("");
};

export const usage = (prompt, completion) => ({
  prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion,
});

// Pieces of a text as a model would send them: words with their leading blank.
export const words = (text) => text.match(/\s*\S+/g) ?? [];

class Exchange {
  constructor(upstream, request, response, body) {
    Object.assign(this, { upstream, request, response, body, left: false });
    response.on("close", () => {
      if (response.writableFinished) return;
      this.left = true;
      upstream.departures.push({ model: body?.model, at: performance.now() });
    });
  }

  json(status, body, headers = {}) {
    this.response.writeHead(status, { "content-type": "application/json", ...headers });
    this.response.end(JSON.stringify(body));
  }

  error(status, { message = "scripted failure", type = "server_error", param = null, code = null } = {}, headers = {}) {
    this.json(status, { error: { message, type, param, code } }, headers);
  }

  completion(message, finish = "stop") {
    this.json(200, {
      id: "chatcmpl-scripted", object: "chat.completion", created, model: this.body.model,
      choices: [{ index: 0, message: { role: "assistant", content: null, ...message }, logprobs: null, finish_reason: finish }],
      usage: usage(11, 7),
    });
  }

  chunk(delta, finish = null, extra = {}) {
    return {
      id: "chatcmpl-scripted", object: "chat.completion.chunk", created, model: this.body.model,
      choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }], ...extra,
    };
  }

  startStream() {
    this.response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
    this.response.flushHeaders();
  }

  // Writes one event; `bytes` cuts it into pieces of that size, each an HTTP chunk and a segment of its own.
  async event(payload, { bytes = 0, delay = 0 } = {}) {
    if (this.left) return;
    const data = Buffer.from(`data: ${typeof payload === "string" ? payload : JSON.stringify(payload)}\n\n`);
    if (bytes === 0) this.response.write(data);
    for (let at = 0; bytes > 0 && at < data.length && !this.left; at += bytes) {
      this.response.write(data.subarray(at, at + bytes));
      await sleep(0);
    }
    if (delay > 0) await sleep(delay);
  }

  async text(pieces, options = {}) {
    this.startStream();
    await this.event(this.chunk({ role: "assistant", content: "" }), options);
    for (const piece of pieces) await this.event(this.chunk({ content: piece }), options);
    await this.finish("stop", options);
  }

  async finish(reason, options = {}) {
    await this.event(this.chunk({}, reason), options);
    if (this.body.stream_options?.include_usage)
      await this.event({ ...this.chunk({}), choices: [], usage: usage(11, 7) }, options);
    await this.event("[DONE]", options);
    this.response.end();
  }

  // The whole answer, in the form that was asked for.
  async answer(text, options = {}) {
    if (this.body.stream) await this.text(words(text), options);
    else this.completion({ content: text });
  }

  async callTool(name, args, id = "call_scripted_1") {
    const call = { id, type: "function", function: { name, arguments: JSON.stringify(args) } };
    if (!this.body.stream) return this.completion({ tool_calls: [call] }, "tool_calls");
    this.startStream();
    await this.event(this.chunk({ role: "assistant", content: null, tool_calls: [{ index: 0, ...call, function: { name, arguments: "" } }] }));
    for (const part of call.function.arguments.match(/.{1,4}/gs))
      await this.event(this.chunk({ tool_calls: [{ index: 0, function: { arguments: part } }] }));
    await this.finish("tool_calls");
  }

  cut() { this.response.socket.destroy(); }
}

export class Upstream {
  static async start() {
    const upstream = new Upstream();
    await new Promise((resolve) => upstream.server.listen(0, "127.0.0.1", resolve));
    upstream.url = `http://127.0.0.1:${upstream.server.address().port}`;
    return upstream;
  }

  constructor() {
    this.requests = [];
    this.departures = [];
    this.scripts = new Map();
    this.server = http.createServer((request, response) => this.#serve(request, response));
    this.server.keepAliveTimeout = 60_000;
    this.server.on("connection", (socket) => socket.setNoDelay(true));
  }

  // handler(exchange): what the model of that name does from now on.
  script(model, handler) { this.scripts.set(model, handler); }

  async #serve(request, response) {
    const parts = [];
    for await (const part of request) parts.push(part);
    const body = parts.length ? JSON.parse(Buffer.concat(parts).toString("utf8")) : undefined;
    this.requests.push({ target: request.url, headers: request.headers, body });
    const exchange = new Exchange(this, request, response, body);
    if (request.url !== "/v1/chat/completions") return exchange.error(404, { message: "unknown path" });
    const handler = this.scripts.get(body.model) ?? ((it) => it.answer(`echo: ${lastUser(it.body)}`));
    try {
      await handler(exchange);
    } catch (error) {
      if (!exchange.left) throw error;
    }
  }

  // How long after `since` the next caller of `model` left, in milliseconds; fails after `limit`.
  async departureAfter(since, model, limit = 5000) {
    const end = performance.now() + limit;
    for (;;) {
      const found = this.departures.find((one) => one.model === model && one.at >= since);
      if (found) return found.at - since;
      if (performance.now() > end) throw new Error(`nobody left ${model} within ${limit} ms`);
      await sleep(2);
    }
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
