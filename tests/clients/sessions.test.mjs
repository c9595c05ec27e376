// What sessions keep and hand on: all of a conversation in its summary, a refusal as what was said, nothing of a request
// that is refused.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Server } from "./support/server.mjs";
import { lastUser, Upstream } from "./support/upstream.mjs";

let upstream, server;
const newSession = async (body = {}) => (await server.post("/api/chat/session", body)).json.session_id;
const history = async (id) => (await server.get(`/api/chat/history/${id}`)).json;
const promptOf = (request) => request.body.messages.map((one) => one.content).join("\n");

describe("what sessions keep", () => {
  before(async () => {
    upstream = await Upstream.start();
    server = await Server.start({
      upstream,
      models: [{ id: "scripted", target: "scripted" }, { id: "declines", target: "declines" }],
      sections: "[sessions]\nkeep_messages = 4\nmax_turns = 5\n",
    });
  });
  after(async () => {
    await server?.stop();
    await upstream?.stop();
  });

  test("S3: a summary is made of every turn behind the last one, also of those no longer given to the model", async () => {
    upstream.script("scripted", (it) => it.answer(promptOf(it).startsWith("Summarize") ? "in short" : `echo: ${lastUser(it.body)}`));
    const id = await newSession({ model: "scripted" });
    const from = upstream.requests.length;
    for (let turn = 1; turn <= 10; ++turn)
      assert.equal((await server.post("/api/chat/message", { session_id: id, message: `fact ${turn}.` })).status, 200);
    assert.deepEqual((await history(id)).summaries.map((one) => one.up_to_turn), [5, 10]);
    const asked = upstream.requests.slice(from).map(promptOf).filter((prompt) => prompt.startsWith("Summarize"));
    assert.equal(asked.length, 2);
    for (let turn = 1; turn <= 10; ++turn) {
      assert.equal(asked[0].includes(`user: fact ${turn}.`), turn <= 5, `fact ${turn}`);
      assert.equal(asked[1].includes(`user: fact ${turn}.`), turn > 5, `fact ${turn}`);
    }
    assert.ok(asked[1].includes("Earlier summary: in short"));
  });

  test("S3: of what a model has no room for the oldest is left out", async () => {
    upstream.script("scripted", (it) => it.answer(promptOf(it).startsWith("Summarize") ? "in short" : "fine"));
    const id = await newSession({ model: "scripted" });
    const from = upstream.requests.length;
    for (let turn = 1; turn <= 5; ++turn)
      await server.post("/api/chat/message", { session_id: id, message: `fact ${turn}. ${"long ".repeat(turn === 2 ? 100_000 : 1)}` });
    await history(id);
    const asked = upstream.requests.slice(from).map(promptOf).find((prompt) => prompt.startsWith("Summarize"));
    assert.ok(asked.length < 100_000, `${asked.length} characters`);
    for (const turn of [3, 4, 5]) assert.ok(asked.includes(`fact ${turn}.`), `fact ${turn}`);
  });

  test("a refusal of the model is what it said: in the answer, in the history", async () => {
    upstream.script("declines", async (it) => {
      it.startStream();
      await it.event(it.chunk({ role: "assistant", refusal: "그것은 " }));
      await it.event(it.chunk({ refusal: "못 합니다." }));
      await it.finish("stop");
    });
    const id = await newSession({ model: "declines" });
    const answer = await server.post("/api/chat/message", { session_id: id, message: "부탁" });
    assert.equal(answer.json.response, "그것은 못 합니다.", answer.text);
    assert.deepEqual((await history(id)).messages.map((one) => one.content), ["부탁", "그것은 못 합니다."]);
  });

  test("a key that may not use the model makes no session by asking", async () => {
    const login = new URLSearchParams({ username: "admin@localhost", password: server.stdout.match(/password:\s*(\S+)/)[1] });
    const { access_token: token } = await (await fetch(`${server.url}/auth/jwt/login`, { method: "POST", body: login })).json();
    const person = { headers: { authorization: `Bearer ${token}` } };
    const { json: made } = await server.post("/api/keys", { name: "bound", models: ["scripted"] }, person);
    const sessions = async () => (await server.get("/api/chat/sessions?limit=100")).json.sessions.length;
    const before = await sessions();
    for (const target of ["/api/chat/message", "/api/chat/message/stream"]) {
      const answer = await server.post(target, { message: "x" }, { headers: { authorization: `Bearer ${made.key}` } });
      assert.equal(answer.status, 404, answer.text);
    }
    assert.equal(await sessions(), before);
  });
});
