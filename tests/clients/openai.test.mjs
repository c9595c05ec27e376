// The official OpenAI SDK against the real server: once with the agent, once with a proxied model behind a scripted
// upstream. What both must do alike stands in shared(); the rest below it.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import OpenAI from "openai";
import { Server } from "./support/server.mjs";
import { lastUser, Upstream } from "./support/upstream.mjs";

const proxied = "vendor/scripted:1";
const agent = "coe-agent-v1";
const korean = "안녕하세요, 두레는 서로 돕는 마을의 풍습입니다 👩‍👩‍👧‍👦🎉";
const user = (content) => [{ role: "user", content }];
const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

let upstream, server, client;

async function startWorld() {
  upstream = await Upstream.start();
  const models = [{ id: proxied, target: "scripted-1" }];
  for (const name of ["tools", "broken", "agent-brain"]) models.push({ id: name, target: name });
  server = await Server.start({ upstream, models, agentModel: "agent-brain" });
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: server.key, maxRetries: 0, timeout: 30_000 });
}
async function stopWorld() {
  await server?.stop();
  await upstream?.stop();
}

// One word every 20 ms, far longer than any test waits.
async function slow(exchange) {
  exchange.startStream();
  await exchange.event(exchange.chunk({ role: "assistant", content: "" }));
  for (let i = 0; i < 500 && !exchange.left; ++i) await exchange.event(exchange.chunk({ content: ` word${i}` }), { delay: 20 });
}

// The agent's model says `text` whenever it is not asked for JSON.
const brain = (handler) => upstream.script("agent-brain", handler);

function shared(model, upstreamModel) {
  const script = (handler) => upstream.script(upstreamModel, handler);

  test("create answers a whole completion with usage", async () => {
    script((it) => it.answer("Hello from the model."));
    const { data, response } = await client.chat.completions.create({ model, messages: user("Hello") }).withResponse();
    assert.equal(data.object, "chat.completion");
    assert.equal(data.model, model);
    assert.equal(data.choices.length, 1);
    assert.equal(data.choices[0].message.role, "assistant");
    assert.match(data.choices[0].message.content, /Hello from the model\./);
    assert.equal(data.choices[0].finish_reason, "stop");
    assert.equal(data.usage.total_tokens, data.usage.prompt_tokens + data.usage.completion_tokens);
    assert.ok(data.usage.completion_tokens > 0);
    assert.ok(Number.isInteger(data.created));
    assert.ok(response.headers.get("x-request-id"));
    assert.equal("error" in data, false);
  });

  test("a stream begins with the role, finishes once and reports usage once when asked", async () => {
    script((it) => it.answer("one two three"));
    const stream = await client.chat.completions.create({
      model, messages: user("count"), stream: true, stream_options: { include_usage: true },
    });
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    assert.equal(chunks[0].choices[0].delta.role, "assistant");
    const text = chunks.map((chunk) => chunk.choices[0]?.delta?.content ?? "").join("");
    assert.match(text, /one two three/);
    assert.equal(chunks.filter((chunk) => chunk.choices[0]?.finish_reason).length, 1);
    const withUsage = chunks.filter((chunk) => chunk.usage);
    assert.equal(withUsage.length, 1);
    assert.deepEqual(withUsage[0].choices, []);
    assert.equal(withUsage[0], chunks.at(-1));
    assert.equal(new Set(chunks.map((chunk) => chunk.id)).size, 1);
    assert.ok(chunks.every((chunk) => chunk.model === model && chunk.object === "chat.completion.chunk"));
  });

  test("a stream carries no usage unless asked", async () => {
    script((it) => it.answer("short"));
    const stream = await client.chat.completions.create({ model, messages: user("x"), stream: true });
    for await (const chunk of stream) {
      assert.equal(chunk.usage ?? null, null);
      assert.equal(chunk.choices.length, 1);
    }
  });

  test("the SDK's stream helper puts the message together", async () => {
    script((it) => it.answer("helped along"));
    const runner = client.chat.completions.stream({ model, messages: user("x") });
    const final = await runner.finalChatCompletion();
    assert.match(final.choices[0].message.content, /helped along/);
  });

  test("Korean and emoji arrive whole although the upstream cuts inside characters", async () => {
    script((it) => it.answer(korean, it.body.stream ? { bytes: 1 } : {}));
    const stream = await client.chat.completions.create({ model, messages: user(korean), stream: true });
    let text = "";
    for await (const chunk of stream) {
      const piece = chunk.choices[0]?.delta?.content ?? "";
      assert.equal(piece.includes("\uFFFD"), false);
      text += piece;
    }
    assert.ok(text.includes(korean), text);
    const whole = await client.chat.completions.create({ model, messages: user(korean) });
    assert.ok(whole.choices[0].message.content.includes(korean));
    assert.ok(JSON.stringify(upstream.requests.at(-1).body).includes(korean), "the prompt reached the upstream unharmed");
  });

  test("32 streams at once each get their own answer", async () => {
    script((it) => it.answer(`reply to ${lastUser(it.body)} end`, { delay: 2 }));
    const texts = await Promise.all(Array.from({ length: 32 }, async (_, i) => {
      const stream = await client.chat.completions.create({ model, messages: user(`caller-${i}-`), stream: true });
      let text = "";
      for await (const chunk of stream) text += chunk.choices[0]?.delta?.content ?? "";
      return text;
    }));
    texts.forEach((text, i) => assert.match(text, new RegExp(`reply to .*caller-${i}-.* end`, "s")));
  });

  test("leaving a stream closes the upstream call within 100 ms", async () => {
    script(slow);
    const delays = [];
    for (let i = 0; i < 5; ++i) {
      const stream = await client.chat.completions.create({ model, messages: user("go on"), stream: true });
      let seen = 0;
      let left = 0;
      for await (const chunk of stream) {
        if (!chunk.choices[0]?.delta?.content || ++seen < 3) continue;
        left = performance.now();
        stream.controller.abort();
        break;
      }
      delays.push(await upstream.departureAfter(left, upstreamModel));
    }
    assert.ok(median(delays) <= 100, `upstream calls closed after ${delays.map(Math.round)} ms`);
  });

  test("leaving before the first token closes the upstream call within 100 ms", async () => {
    for (const stream of [true, false]) {
      const delays = [];
      for (let i = 0; i < 3; ++i) {
        let arrived;
        const waiting = new Promise((resolve) => (arrived = resolve));
        script(() => arrived());
        const abort = new AbortController();
        const call = client.chat.completions
          .create({ model, messages: user("x"), stream }, { signal: abort.signal })
          .then(async (answer) => { for await (const chunk of answer) void chunk; });
        const ended = call.catch(() => {});
        await waiting;
        const left = performance.now();
        abort.abort();
        delays.push(await upstream.departureAfter(left, upstreamModel));
        await ended;
      }
      assert.ok(median(delays) <= 100, `stream ${stream}: closed after ${delays.map(Math.round)} ms`);
    }
  });

  const refused = [
    ["401 a wrong key", {}, OpenAI.AuthenticationError, { code: "invalid_api_key", type: "invalid_request_error" }, "dk_wrong"],
    ["404 an unknown model", { model: "no-such-model" }, OpenAI.NotFoundError, { code: "model_not_found" }],
    ["400 a temperature out of range", { temperature: 9 }, OpenAI.BadRequestError, { param: "temperature" }],
    ["400 no messages", { messages: [] }, OpenAI.BadRequestError, { param: "messages" }],
    ["400 messages of a wrong type", { messages: "hi" }, OpenAI.BadRequestError, { param: "messages" }],
    ["400 stream of a wrong type", { stream: "yes" }, OpenAI.BadRequestError, { param: "stream" }],
  ];
  for (const [name, change, errorClass, fields, key] of refused) {
    test(`${name} is the SDK's ${errorClass.name}`, async () => {
      const caller = key ? client.withOptions({ apiKey: key }) : client;
      await assert.rejects(caller.chat.completions.create({ model, messages: user("x"), ...change }), (error) => {
        assert.ok(error instanceof errorClass, `${error.constructor.name}: ${error.message}`);
        for (const [field, value] of Object.entries(fields)) assert.equal(error[field], value);
        assert.ok(error.error.message.length > 0);
        assert.ok(error.requestID);
        return true;
      });
    });
  }

  const upstreamTrouble = [
    ["429", (it) => it.error(429, { type: "rate_limit_error", code: "rate_limit_exceeded" }, { "retry-after": "30" }), OpenAI.RateLimitError, 429],
    ["500", (it) => it.error(500), OpenAI.InternalServerError, 502],
    ["401 of our key there", (it) => it.error(401, { type: "authentication_error" }), OpenAI.InternalServerError, 502],
    ["an answer that is not JSON", (it) => { it.response.writeHead(200, { "content-type": "text/html" }); it.response.end("<html>"); }, OpenAI.InternalServerError, 502],
  ];
  for (const stream of [false, true])
    for (const [name, handler, errorClass, status] of upstreamTrouble) {
      test(`upstream ${name} becomes ${errorClass.name}${stream ? " of a stream" : ""}`, async () => {
        // Own server: a failing key or target is remembered, which must not reach the other tests.
        const lonely = await Server.start({
          upstream, agentModel: "failing", models: [{ id: "failing", target: "failing" }],
        });
        try {
          upstream.script("failing", handler);
          const caller = new OpenAI({ baseURL: `${lonely.url}/v1`, apiKey: lonely.key, maxRetries: 0, timeout: 30_000 });
          const asked = model === agent ? agent : "failing";
          await assert.rejects(
            async () => {
              const answer = await caller.chat.completions.create({ model: asked, messages: user("x"), stream });
              if (stream) for await (const chunk of answer) void chunk;
            },
            (error) => {
              // An agent's stream has its head out before the model is asked: there the error comes as a frame.
              if (stream && model === agent) assert.ok(error instanceof OpenAI.APIError, String(error));
              else {
                assert.ok(error instanceof errorClass, `${error.constructor.name} ${error.status}: ${error.message}`);
                assert.equal(error.status, status);
              }
              return true;
            },
          );
        } finally {
          await lonely.stop();
        }
      });
    }
}

describe("the proxied model", () => {
  before(startWorld);
  after(stopWorld);
  shared(proxied, "scripted-1");

  test("what the client sends passes through unharmed, unknown fields too", async () => {
    upstream.script("scripted-1", (it) => it.answer("ok"));
    const extras = {
      top_p: 0.5, seed: 7, stop: ["END"], logprobs: true, response_format: { type: "json_object" },
      vendor_option: { nested: [1, 2.5, "셋"] },
      messages: [{ role: "user", content: [{ type: "text", text: "see" }, { type: "image_url", image_url: { url: "data:image/png;base64,AA==" } }] }],
    };
    await client.chat.completions.create({ model: proxied, ...extras });
    const { body, headers } = upstream.requests.at(-1);
    for (const [name, value] of Object.entries(extras)) assert.deepEqual(body[name], value, name);
    assert.equal(body.model, "scripted-1");
    assert.equal(headers.authorization, "Bearer upstream-key");
  });

  for (const stream of [false, true])
    test(`runTools calls the client's function and goes on${stream ? ", streamed" : ""}`, async () => {
      upstream.script("tools", async (it) => {
        const result = it.body.messages.at(-1);
        if (result.role === "tool") await it.answer(`the sum is ${result.content}`);
        else await it.callTool("add", { a: 19, b: 23 });
      });
      const calls = [];
      const runner = client.chat.completions.runTools({
        model: "tools", stream, messages: user("add 19 and 23"),
        tools: [{
          type: "function",
          function: {
            name: "add", description: "Adds", parse: JSON.parse,
            parameters: { type: "object", properties: { a: { type: "number" }, b: { type: "number" } }, required: ["a", "b"] },
            function: ({ a, b }) => { calls.push([a, b]); return String(a + b); },
          },
        }],
      });
      assert.equal(await runner.finalContent(), "the sum is 42");
      assert.deepEqual(calls, [[19, 23]]);
    });

  test("a stream the upstream cuts ends with an error, not as a whole answer", async () => {
    upstream.script("broken", async (it) => {
      it.startStream();
      await it.event(it.chunk({ role: "assistant", content: "" }));
      await it.event(it.chunk({ content: "half" }), { delay: 20 });
      it.cut();
    });
    const stream = await client.chat.completions.create({ model: "broken", messages: user("x"), stream: true });
    let text = "";
    await assert.rejects(async () => {
      for await (const chunk of stream) text += chunk.choices[0]?.delta?.content ?? "";
    }, (error) => error instanceof OpenAI.APIError && error.error?.code === "stream_interrupted");
    assert.equal(text, "half");
  });

  test("embeddings of the built-in embedder come as the floats the SDK decodes from base64", async () => {
    const answer = await client.embeddings.create({ model: "local", input: ["서울의 날씨", "weather in Seoul"] });
    assert.equal(answer.data.length, 2);
    assert.deepEqual(answer.data.map((one) => one.index), [0, 1]);
    for (const { embedding } of answer.data) {
      const norm = Math.hypot(...embedding);
      assert.ok(Math.abs(norm - 1) < 1e-3, `norm ${norm}`);
    }
    const floats = await client.embeddings.create({ model: "local", input: "서울의 날씨", encoding_format: "float" });
    floats.data[0].embedding.forEach((value, i) => assert.ok(Math.abs(value - answer.data[0].embedding[i]) < 1e-5));
  });
});

describe("the agent", () => {
  before(startWorld);
  after(stopWorld);
  shared(agent, "agent-brain");

  test("models lists the agent first, then the configured models, and retrieve takes ids with / and :", async () => {
    const ids = [];
    for await (const model of client.models.list()) {
      ids.push(model.id);
      assert.equal(model.object, "model");
      assert.ok(Number.isInteger(model.created));
      assert.equal(typeof model.owned_by, "string");
    }
    assert.equal(ids[0], agent);
    assert.ok(ids.includes(proxied));
    assert.equal(new Set(ids).size, ids.length);
    assert.equal((await client.models.retrieve(proxied)).id, proxied);
    assert.equal((await client.models.retrieve(agent)).id, agent);
    const plain = await server.get(`/v1/models/${proxied}`);
    assert.equal(plain.json.id, proxied);
    await assert.rejects(client.models.retrieve("no/such:model"), OpenAI.NotFoundError);
  });

  for (const stream of [false, true])
    test(`the agent runs its own calculator, never the client's unknown tool${stream ? ", streamed" : ""}`, async () => {
      brain(async (it) => {
        const result = it.body.messages.findLast((message) => message.role === "tool");
        const offered = (it.body.tools ?? []).map((tool) => tool.function.name);
        if (result) await it.answer(`It is ${result.content}.`);
        else if (offered.includes("calculator")) await it.callTool("calculator", { expression: "12 * (3 + 4)" });
        else await it.answer("no tools");
      });
      const calls = [];
      const runner = client.chat.completions.runTools({
        model: agent, stream, messages: user("What is 12 * (3 + 4)?"),
        tools: [{
          type: "function",
          function: {
            name: "open_window", description: "Opens a window", parse: JSON.parse,
            parameters: { type: "object", properties: {} }, function: () => { calls.push("open_window"); return "opened"; },
          },
        }],
      });
      assert.match(await runner.finalContent(), /84/);
      assert.deepEqual(calls, []);
    });
});

describe("the agent on the built-in model", () => {
  let offline, sdk;
  before(async () => {
    offline = await Server.start();
    sdk = new OpenAI({ baseURL: `${offline.url}/v1`, apiKey: offline.key, maxRetries: 0, timeout: 30_000 });
  });
  after(() => offline?.stop());

  const questions = ["서울에서 12 * (3 + 4)를 계산해 줘", "Please calculate 12 * (3 + 4) in Seoul"];
  for (const question of questions)
    for (const stream of [false, true])
      test(`"${question}" gets the calculator's true result${stream ? ", streamed" : ""}`, async () => {
        const answer = await sdk.chat.completions.create({ model: agent, messages: user(question), stream });
        let text = "";
        if (!stream) text = answer.choices[0].message.content;
        else for await (const chunk of answer) text += chunk.choices[0]?.delta?.content ?? "";
        assert.match(text, /\b84(?!\d)/);
      });

  test("runTools with the mock asks for the client's tool by its name", async () => {
    const seen = [];
    const runner = sdk.chat.completions.runTools({
      model: "mock", messages: user("calculate 6 * 7"),
      tools: [{
        type: "function",
        function: {
          name: "calculator", description: "Calculates an arithmetic expression", parse: JSON.parse,
          parameters: { type: "object", properties: { expression: { type: "string" } }, required: ["expression"] },
          function: ({ expression }) => { seen.push(expression); return "42"; },
        },
      }],
    });
    assert.match(await runner.finalContent(), /42/);
    assert.equal(seen.length, 1);
    assert.equal(seen[0].replaceAll(" ", ""), "6*7");
  });
});
