// The literal requests of Open WebUI: verify and list, a chat with its headers and its built-in tools, and every background
// task before, during and after the first chat. Background tasks must leave sessions and their turns alone.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { builtinTools, cutJson, headers, origin, taskRequest, tasks } from "./support/openwebui.mjs";
import { Server } from "./support/server.mjs";
import { parseEvents } from "./support/sse.mjs";
import { Upstream } from "./support/upstream.mjs";

const agent = "coe-agent-v1";
const ask = (content) => [{ role: "user", content }];
let server;

const sessions = async () => (await server.get("/api/chat/sessions")).json.sessions;
const sessionOf = async (chat) => (await sessions()).find((one) => one.client_chat_id === chat);

// A chat request of the UI; the stream's text and chunks.
async function chat(messages, ids, extra = {}) {
  const answer = await server.post("/v1/chat/completions", { model: agent, messages, stream: true, tools: builtinTools, ...extra }, { headers: headers(ids) });
  assert.equal(answer.status, 200, answer.text);
  assert.match(answer.headers.get("content-type"), /^text\/event-stream/);
  const events = parseEvents(answer.text);
  assert.equal(events.at(-1).data, "[DONE]");
  const chunks = events.slice(0, -1).map((event) => JSON.parse(event.data));
  return { chunks, text: chunks.map((chunk) => chunk.choices[0]?.delta?.content ?? "").join("") };
}

async function background(name, ids, { marked = true, messages = ask("안녕하세요") } = {}) {
  const answer = await server.post("/v1/chat/completions", taskRequest(name, agent, messages), { headers: headers({ ...ids, task: marked ? name : "" }) });
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.json.choices.length, 1);
  return answer.json.choices[0].message.content;
}

function checkTask(name, content) {
  assert.equal(typeof content, "string");
  const { reads } = tasks[name];
  if (!reads) {
    assert.match(content.trim(), /\p{Extended_Pictographic}/u);
    return;
  }
  const value = cutJson(content)[reads];
  if (reads === "title" || reads === "text") assert.ok(typeof value === "string" && value.length > 0, content);
  else assert.ok(Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === "string"), content);
}

describe("Open WebUI", () => {
  before(async () => { server = await Server.start({ mockDelay: "20ms" }); });
  after(() => server?.stop());

  test("verify connection: the model list is quick, JSON and without an error key", async () => {
    const begin = performance.now();
    const answer = await server.get("/v1/models", { headers: { ...origin, "content-type": "application/json" } });
    assert.ok(performance.now() - begin < 1000);
    assert.equal(answer.status, 200);
    assert.match(answer.headers.get("content-type"), /^application\/json/);
    assert.equal(answer.json.object, "list");
    assert.equal("error" in answer.json, false);
    const entry = answer.json.data.find((one) => one.id === agent);
    assert.ok(entry);
    assert.equal("pipeline" in entry, false);
    assert.notEqual(entry.name, null);
  });

  test("verify connection with a wrong key shows the server's own message", async () => {
    const answer = await server.get("/v1/models", { headers: { authorization: "Bearer wrong" } });
    assert.equal(answer.status, 401);
    assert.ok(answer.json.error.message.length > 0);
  });

  test("a chat with the built-in tools answers in text, as one turn of a session of its own", async () => {
    const { chunks, text } = await chat(ask("안녕하세요"), { chat: "chat-1", message: "m-1", userMessage: "u-1" });
    assert.ok(text.length > 0);
    assert.equal(chunks[0].choices[0].delta.role, "assistant");
    assert.deepEqual(chunks.flatMap((chunk) => chunk.choices[0]?.finish_reason ?? []), ["stop"]);
    assert.ok(chunks.every((chunk) => Array.isArray(chunk.choices) && !("error" in chunk)));
    assert.ok(chunks.every((chunk) => !chunk.choices[0]?.delta?.tool_calls), "no tool the client would have to run");
    assert.equal((await sessionOf("chat-1")).conversation_turns, 1);
  });

  test("a calculation runs our calculator, not the client's tools", async () => {
    const { text } = await chat(ask("서울에서 12 * (3 + 4)를 계산해 줘"), { chat: "chat-calc", message: "m", userMessage: "u" });
    assert.match(text, /84(?!\d)/);
  });

  test("an empty tool list and an empty task header are an ordinary chat", async () => {
    const { text } = await chat(ask("hello"), { chat: "chat-empty", message: "m", userMessage: "u" }, { tools: [] });
    assert.ok(text.length > 0);
    assert.equal((await sessionOf("chat-empty")).conversation_turns, 1);
  });

  test("the second turn of a chat brings its history and counts once", async () => {
    const first = await chat(ask("first"), { chat: "chat-two", message: "m-1", userMessage: "u-1" });
    const messages = [...ask("first"), { role: "assistant", content: first.text }, ...ask("second")];
    await chat(messages, { chat: "chat-two", message: "m-2", userMessage: "u-2", parent: "m-1" });
    assert.equal((await sessionOf("chat-two")).conversation_turns, 2);
  });

  for (const named of [true, false])
    test(`the answer to an earlier question made anew ${named ? "with the messages' ids" : "without ids"} is that turn again, and an edit is a new one`, async () => {
      const id = `chat-anew-${named}`;
      const ids = (one) => (named ? { chat: id, ...one } : { chat: id });
      const first = ask("first");
      const second = [...first, { role: "assistant", content: "one" }, ...ask("second")];
      const edited = [...first, { role: "assistant", content: "one" }, ...ask("second, edited")];
      await chat(first, ids({ message: "m-1", userMessage: "u-1" }));
      await chat(second, ids({ message: "m-2", userMessage: "u-2", parent: "m-1" }));
      await chat(first, ids({ message: "m-3", userMessage: "u-1" }));
      await chat(second, ids({ message: "m-4", userMessage: "u-2", parent: "m-1" }));
      assert.equal((await sessionOf(id)).conversation_turns, 2);
      await chat(edited, ids({ message: "m-5", userMessage: "u-3", parent: "m-1" }));
      await chat(second, ids({ message: "m-6", userMessage: "u-2", parent: "m-1" }));
      const session = await sessionOf(id);
      assert.equal(session.conversation_turns, 3);
      const { messages } = (await server.get(`/api/chat/history/${session.session_id}`)).json;
      assert.deepEqual(messages.filter((one) => one.role === "user").map((one) => one.content), ["first", "second", "second, edited"]);
      assert.deepEqual(messages.filter((one) => one.role === "assistant").map((one) => one.turn), [1, 2, 1, 2, 3, 2]);
    });

  test("a conversation id belongs to its key's owner, and no id means no session", async () => {
    const count = (await sessions()).length;
    const answer = await server.post("/v1/chat/completions", { model: agent, messages: ask("stateless"), stream: false });
    assert.equal(answer.status, 200);
    assert.equal((await sessions()).length, count);
  });

  for (const marked of [true, false])
    for (const name of Object.keys(tasks))
      test(`${name} ${marked ? "by header" : "by its template"}, before, during and after the first chat, counts no turn`, async () => {
        const ids = { chat: `chat-${name}-${marked}`, message: "m-1", userMessage: "u-1" };
        checkTask(name, await background(name, ids, { marked }));
        assert.equal(await sessionOf(ids.chat), undefined, "a task makes no session");
        const [during] = await Promise.all([background(name, ids, { marked }), chat(ask("여러 단어로 된 질문을 하나 해 봅니다"), ids)]);
        checkTask(name, during);
        assert.equal((await sessionOf(ids.chat)).conversation_turns, 1);
        const content = await background(name, ids, { marked, messages: [...ask("질문"), { role: "assistant", content: "답" }] });
        checkTask(name, content);
        const session = await sessionOf(ids.chat);
        assert.equal(session.conversation_turns, 1);
        const history = await server.get(`/api/chat/history/${session.session_id}`);
        assert.deepEqual(history.json.messages.map((one) => one.role), ["user", "assistant"]);
      });

  test("\"Continue response\" (the last message is the assistant's) is answered", async () => {
    const messages = [...ask("Tell me a story"), { role: "assistant", content: "Once upon a time" }];
    const { text } = await chat(messages, { chat: "chat-continue", message: "m", userMessage: "u" });
    assert.ok(text.length > 0);
  });

  test("images of the history are accepted by size beyond a megabyte", async () => {
    const url = `data:image/png;base64,${"A".repeat(2_000_000)}`;
    const messages = [{ role: "user", content: [{ type: "text", text: "그림을 보세요" }, { type: "image_url", image_url: { url } }] }];
    const answer = await server.post("/v1/chat/completions", { model: "mock", messages, stream: true }, { headers: origin });
    assert.notEqual(answer.status, 413);
  });

  test("audio, images and responses routes are absent in the form it can show", async () => {
    for (const target of ["/v1/responses", "/v1/audio/speech", "/v1/images/generations"]) {
      const answer = await server.post(target, { model: agent });
      assert.equal(answer.status, 404, target);
      assert.ok(answer.json.error.message.length > 0);
    }
  });

  test("a browser's preflight is answered without a key, with the names it asked for", async () => {
    const answer = await fetch(`${server.url}/v1/chat/completions`, {
      method: "OPTIONS",
      headers: {
        origin: "https://chat.example", "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,x-stainless-lang",
      },
    });
    assert.ok([200, 204].includes(answer.status));
    assert.equal(answer.headers.get("access-control-allow-origin"), "https://chat.example");
    const allowed = answer.headers.get("access-control-allow-headers").toLowerCase();
    for (const name of ["authorization", "content-type", "x-stainless-lang"]) assert.ok(allowed.includes(name), allowed);
  });
});

// It appends every status and shows the last one over the answer, in motion until one is done (openai-clients §10).
describe("The line over an answer", () => {
  let upstream, scripted;
  before(async () => {
    upstream = await Upstream.start();
    scripted = await Server.start({ upstream, models: [{ id: "brain", target: "brain" }], agentModel: "brain" });
  });
  after(async () => {
    await scripted?.stop();
    await upstream?.stop();
  });

  // In their order: {description, done[, hidden]} of a status, and once for all pieces of one after another "…" (words), "thought",
  // "call" (of a client's tool), "error".
  async function shown(question, fields = headers({ chat: "" }), extra = {}) {
    const body = { model: agent, messages: ask(question), stream: true, ...extra };
    const answer = await scripted.post("/v1/chat/completions", body, { headers: fields });
    const all = [];
    for (const { data } of parseEvents(answer.text)) {
      const chunk = data === "[DONE]" ? {} : JSON.parse(data);
      const delta = chunk.choices?.[0]?.delta ?? {};
      const piece = delta.content ? "…" : delta.reasoning_content ? "thought" : delta.tool_calls ? "call" : chunk.error ? "error" : "";
      if (chunk.event) assert.equal(chunk.event.type, "status");
      if (chunk.event) all.push(chunk.event.data);
      else if (piece && all.at(-1) !== piece) all.push(piece);
    }
    return all;
  }
  const step = (description) => ({ description, done: false });
  const rest = (description) => ({ description, done: true });
  const hidden = (description) => ({ description, done: true, hidden: true });
  const toolRan = (it) => it.body.messages.some((message) => message.role === "tool");
  const calculation = [{ expression: "12 * 7" }, "call_1"];

  test("is one a step, and rests on the tools that were used before the words come", async () => {
    upstream.script("brain", (it) => (toolRan(it) ? it.answer("Eighty four it is.") : it.callTool("calculator", ...calculation)));
    assert.deepEqual(await shown("12 * 7을 계산해 줘"), [
      step("도구 고르는 중"), step("다음 단계 결정 중"), step("도구 실행 중"), step("calculator 실행 중"), step("답변 작성 중"),
      rest("calculator 사용"), "…",
    ]);
    assert.equal((await shown("Calculate 12 * 7")).at(-2).description, "Used calculator");
    assert.deepEqual(await shown("12 * 7을 계산해 줘", origin), ["…"], "not for a caller that is not Open WebUI");
  });

  test("is gone before the words of an answer that needed no tool, and stays gone", async () => {
    upstream.script("brain", (it) => it.answer("Nothing to calculate here."));
    assert.deepEqual(await shown("Hello"), [
      step("Choosing tools"), step("Deciding the next step"), hidden("Deciding the next step"), "…",
    ]);
  });

  test("comes again for tools behind words, and the last one names them", async () => {
    upstream.script("brain", async (it) => {
      if (toolRan(it)) return it.answer("Eighty four it is.");
      it.startStream();
      const call = { index: 0, id: "call_1", type: "function", function: { name: "calculator", arguments: JSON.stringify(calculation[0]) } };
      for (const word of ["Let me", " calculate", " that", " for you."]) await it.event(it.chunk({ content: word }), { delay: 20 });
      await it.event(it.chunk({ tool_calls: [call] }));
      await it.finish("tool_calls");
    });
    const lines = await shown("Calculate 12 * 7");
    assert.deepEqual(lines, [
      step("Choosing tools"), step("Deciding the next step"), hidden("Deciding the next step"), "…",
      step("calculator is running"), step("Writing the answer"), rest("Used calculator"), "…",
    ]);
  });

  test("stays over a model's thoughts, and is gone before its words or a call of the client's tool", async () => {
    const thinking = [step("Choosing tools"), step("Deciding the next step"), "thought"];
    upstream.script("brain", async (it) => {
      it.startStream();
      await it.event(it.chunk({ reasoning_content: "hm" }), { delay: 20 });
      for (const word of ["It", " is", " noon", " now."]) await it.event(it.chunk({ content: word }), { delay: 20 });
      await it.finish("stop");
    });
    assert.deepEqual(await shown("Hello"), [...thinking, hidden("Deciding the next step"), "…"]);
    upstream.script("brain", async (it) => {
      it.startStream();
      await it.event(it.chunk({ reasoning_content: "hm" }), { delay: 20 });
      const call = { index: 0, id: "call_1", type: "function", function: { name: "search_chats", arguments: '{"query":"x"}' } };
      await it.event(it.chunk({ tool_calls: [call] }));
      await it.finish("tool_calls");
    });
    const called = await shown("Hello", undefined, { tools: builtinTools });
    assert.deepEqual(called.slice(0, 3), thinking);
    assert.deepEqual([called.at(-2).hidden, called.at(-1)], [true, "call"]);
  });

  test("rests before an error", async () => {
    upstream.script("brain", (it) => it.error(400, { message: "no", type: "invalid_request_error" }));
    assert.deepEqual(await shown("Hello"), [
      step("Choosing tools"), step("Deciding the next step"), hidden("Deciding the next step"), "error",
    ]);
  });
});
