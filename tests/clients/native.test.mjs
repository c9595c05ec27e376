// The native chat API (N1 to N4): sessions, a turn as JSON, a turn as events, the history, and whose they are.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Server } from "./support/server.mjs";
import { parseEvents } from "./support/sse.mjs";
import { lastUser, Upstream } from "./support/upstream.mjs";

const uuid7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
let upstream, server;

async function stream(body) {
  const answer = await server.post("/api/chat/message/stream", body);
  const events = answer.status === 200 ? parseEvents(answer.text).map((one) => ({ ...one, data: JSON.parse(one.data) })) : [];
  return { answer, events, names: events.map((one) => one.name) };
}
const textOf = (events) => events.filter((one) => one.name === "message").map((one) => one.data.content).join("");
const newSession = async (body = {}) => (await server.post("/api/chat/session", body)).json.session_id;
const history = async (id) => (await server.get(`/api/chat/history/${id}`)).json;

describe("the native chat API", () => {
  before(async () => {
    upstream = await Upstream.start();
    server = await Server.start({ upstream, models: [{ id: "scripted", target: "scripted" }, { id: "broken", target: "broken" }] });
  });
  after(async () => {
    await server?.stop();
    await upstream?.stop();
  });

  test("N1: a session is made and named by a UUIDv7", async () => {
    const answer = await server.post("/api/chat/session", { title: "첫 대화" });
    assert.equal(answer.status, 201);
    assert.match(answer.json.session_id, uuid7);
    assert.match(answer.json.created_at, rfc3339);
    assert.match(answer.json.expires_at, rfc3339);
    const found = await server.get(`/api/chat/sessions/${answer.json.session_id}`);
    assert.equal(found.json.title, "첫 대화");
    assert.equal(found.json.conversation_turns, 0);
  });

  test("N2: a message is answered as JSON; a second one is the second turn and the model sees the first", async () => {
    upstream.script("scripted", (it) => it.answer(`echo: ${lastUser(it.body)}`));
    const id = await newSession({ model: "scripted" });
    const first = await server.post("/api/chat/message", { message: "내 이름은 철수야", session_id: id, use_tools: false });
    assert.equal(first.status, 200, first.text);
    assert.equal(first.json.session_id, id);
    assert.equal(first.json.response, "echo: 내 이름은 철수야");
    assert.equal(first.json.model, "scripted");
    assert.deepEqual(first.json.tools_used, []);
    assert.equal(first.json.turn, 1);
    assert.equal(first.json.usage.total_tokens, 18);
    const second = await server.post("/api/chat/message", { message: "내 이름이 뭐지?", session_id: id, use_tools: false });
    assert.equal(second.json.turn, 2);
    const prompt = upstream.requests.at(-1).body.messages.filter((one) => one.role !== "system").map((one) => [one.role, one.content]);
    assert.deepEqual(prompt, [
      ["user", "내 이름은 철수야"], ["assistant", "echo: 내 이름은 철수야"], ["user", "내 이름이 뭐지?"],
    ]);
  });

  test("N2: without a session one is made; the agent's tools are named", async () => {
    const answer = await server.post("/api/chat/message", { message: "12 * (3 + 4)를 계산해 줘" });
    assert.equal(answer.status, 200, answer.text);
    assert.match(answer.json.session_id, uuid7);
    assert.match(answer.json.response, /84(?!\d)/);
    assert.equal(answer.json.tools_used.length, 1);
    assert.equal(answer.json.tools_used[0].name, "calculator");
  });

  test("N3: metadata first, then message events, then exactly one done, no [DONE]", async () => {
    const { answer, events, names } = await stream({ message: "안녕하세요" });
    assert.equal(answer.status, 200);
    assert.match(answer.headers.get("content-type"), /^text\/event-stream/);
    assert.equal(names[0], "metadata");
    assert.equal(events[0].data.agent, "coe-agent-v1");
    assert.equal(typeof events[0].data.model, "string");
    assert.equal(names.at(-1), "done");
    assert.equal(events.at(-1).data.status, "completed");
    assert.ok(names.slice(1, -1).every((name) => name === "message"));
    assert.ok(names.length > 3, "the answer comes in pieces");
    assert.equal(answer.text.includes("[DONE]"), false);
    assert.ok(textOf(events).length > 0);
  });

  test("N3: a tool shows between metadata and the answer", async () => {
    const { events, names } = await stream({ message: "Please calculate 12 * (3 + 4)" });
    assert.ok(names.includes("tool"), names.join());
    assert.match(textOf(events), /84(?!\d)/);
    assert.equal(names.filter((name) => name === "done" || name === "error").length, 1);
  });

  test("N3: a model that breaks off ends the stream with one error; the half answer is stored and marked", async () => {
    upstream.script("broken", async (it) => {
      it.startStream();
      await it.event(it.chunk({ role: "assistant", content: "" }));
      await it.event(it.chunk({ content: "반쪽" }), { delay: 30 });
      it.cut();
    });
    const id = await newSession({ model: "broken" });
    const { events, names } = await stream({ message: "x", session_id: id, model: "broken" });
    assert.equal(names.at(-1), "error");
    assert.equal(events.at(-1).data.code, "stream_interrupted");
    assert.ok(events.at(-1).data.message.length > 0);
    assert.equal(names.includes("done"), false);
    const { messages } = await history(id);
    assert.deepEqual(messages.map((one) => [one.role, one.content]), [["user", "x"], ["assistant", "반쪽"]]);
    assert.equal(messages[1].metadata.status, "cut");
  });

  test("N4: the history has both sides of every turn; a deleted session is gone", async () => {
    const id = await newSession();
    await server.post("/api/chat/message", { message: "하나", session_id: id });
    await server.post("/api/chat/message", { message: "둘", session_id: id });
    const { session_id, messages, summaries } = await history(id);
    assert.equal(session_id, id);
    assert.deepEqual(messages.map((one) => [one.role, one.turn]), [["user", 1], ["assistant", 1], ["user", 2], ["assistant", 2]]);
    assert.deepEqual([messages[0].content, messages[2].content], ["하나", "둘"]);
    assert.ok(messages.every((one) => rfc3339.test(one.created_at)));
    assert.equal(messages[1].metadata.status, "complete");
    assert.deepEqual(summaries, []);
    const listed = await server.get("/api/chat/sessions");
    assert.ok(listed.json.sessions.some((one) => one.session_id === id));
    assert.equal((await server.request("DELETE", `/api/chat/sessions/${id}`)).status, 204);
    assert.equal((await server.get(`/api/chat/history/${id}`)).status, 404);
    assert.equal((await server.get(`/api/chat/sessions/${id}`)).status, 404);
  });

  test("S3: the turn that reaches the limit is summarised and the conversation goes on from the summary", async () => {
    const id = await newSession();
    for (let turn = 1; turn <= 4; ++turn) {
      const answer = await server.post("/api/chat/message", { message: `질문 ${turn}`, session_id: id });
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.json.turn, turn);
    }
    const { summaries, messages } = await history(id);
    assert.equal(summaries.length, 1);
    assert.ok(summaries[0].content.length > 0);
    assert.equal(messages.length, 8);
  });

  const wrong = [
    ["no message", {}, "message"],
    ["an empty message", { message: "" }, "message"],
    ["a temperature out of range", { message: "x", temperature: 2.1 }, "temperature"],
    ["too many tokens", { message: "x", max_tokens: 4001 }, "max_tokens"],
    ["no tokens", { message: "x", max_tokens: 0 }, "max_tokens"],
    ["a wrong type", { message: "x", use_tools: "yes" }, "use_tools"],
    ["an unknown field", { message: "x", mesage: "y" }, "mesage"],
  ];
  for (const [name, body, field] of wrong)
    for (const target of ["/api/chat/message", "/api/chat/message/stream"])
      test(`${target}: ${name} is 422 and names ${field}`, async () => {
        const answer = await server.post(target, body);
        assert.equal(answer.status, 422, answer.text);
        assert.match(answer.headers.get("content-type"), /^application\/problem\+json/);
        assert.equal(typeof answer.json.detail, "string");
        assert.ok(answer.json.errors.some((one) => one.loc.includes(field)), answer.text);
        assert.ok(answer.json.request_id);
      });

  test("a strategy that is not there is named beside what else is wrong", async () => {
    for (const target of ["/api/chat/message", "/api/chat/message/stream"]) {
      const answer = await server.post(target, { message: "", strategy: "none", max_tokens: 0 });
      assert.equal(answer.status, 422, answer.text);
      assert.deepEqual(answer.json.errors.map((one) => one.loc.at(-1)).sort(), ["max_tokens", "message", "strategy"]);
    }
  });

  test("an unknown session and an unknown model are 404", async () => {
    const unknown = "01900000-0000-7000-8000-000000000000";
    assert.equal((await server.post("/api/chat/message", { message: "x", session_id: unknown })).status, 404);
    assert.equal((await server.post("/api/chat/message", { message: "x", model: "no-such" })).status, 404);
    assert.equal((await stream({ message: "x", session_id: unknown })).answer.status, 404);
  });

  test("without a key every native route is 401 as a problem document", async () => {
    for (const target of ["/api/chat/sessions", "/api/chat/history/01900000-0000-7000-8000-000000000000"]) {
      const answer = await server.get(target, { headers: { authorization: "" } });
      assert.equal(answer.status, 401);
      assert.match(answer.headers.get("content-type"), /^application\/problem\+json/);
    }
  });
});
