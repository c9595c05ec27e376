// Every route of flows and executions against /openapi.json: what the server takes and answers, refusals included, is what the
// document says; each declared answer is seen at least once.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Contract } from "./support/contract.mjs";
import { Server } from "./support/server.mjs";
import { parseEvents } from "./support/sse.mjs";
import { Upstream } from "./support/upstream.mjs";

const builder = "/api/agent-builder";
const nobody = "01900000-0000-7000-8000-000000000000";
const node = (id, type, config) => ({ id, type, position: { x: 0, y: 0 }, data: { label: id, ...(config ? { config } : {}) } });
const edge = (source, target, sourceHandle) => ({ source, target, ...(sourceHandle ? { sourceHandle } : {}) });
const echo = (name = "메아리") => ({
  name, category: "support", tags: ["ko", "x"],
  nodes: [node("start", "start"), node("t", "template", { text: "{{start.message}}" }), node("out", "reply", { text: "{{nodes.t.text}}" })],
  edges: [edge("start", "t"), edge("t", "out")],
});
const approval = () => ({
  name: "승인", state: [{ name: "notes", type: "list<text>", reducer: "append", default: [] }],
  nodes: [node("start", "start"), node("ask", "human_input", { prompt: "보낼까요?", actions: [{ id: "yes", label: "예" }, { id: "no" }] }),
    node("out", "reply", { text: "{{nodes.ask.action}}" })],
  edges: [edge("start", "ask"), edge("ask", "out", "yes"), edge("ask", "out", "no")],
});
const failing = () => ({
  name: "fails", nodes: [node("start", "start"), node("t", "template", { text: "{{state.gone}}" }), node("out", "end", { outputs: { x: "{{nodes.t.text}}" } })],
  state: [{ name: "gone", type: "text" }], edges: [edge("start", "t"), edge("t", "out")],
});

describe("flows and executions as /openapi.json describes them", () => {
  let upstream, server, api, flow, asking;
  const create = async (body, type = "agentflows") => (await api.send("POST", `${builder}/${type}`, { body })).json;
  const run = async (id, body, query = "?wait=true") => (await api.send("POST", `${builder}/flows/${id}/execute${query}`, { body })).json;
  before(async () => {
    upstream = await Upstream.start();
    server = await Server.start({ upstream, models: [{ id: "scripted", target: "scripted" }] });
    api = await Contract.of(server);
    flow = await create(echo());
    asking = await create(approval());
  });
  after(async () => {
    await server?.stop();
    await upstream?.stop();
  });

  for (const [type, body] of [["agentflows", echo("agent")], ["chatflows", { name: "talk", chat_config: { llm_model: "scripted", temperature: 0.5 } }]])
    test(`${type}: made, listed, read, changed, deleted, refused`, async () => {
      const made = await create(body, type);
      assert.equal((await api.send("GET", `${builder}/${type}?search=${made.name}&page=1&page_size=5&sort_by=name&sort_order=desc&is_active=true`)).json.total, 1);
      for (const path of [type, "flows"]) {
        await api.send("GET", `${builder}/${path}/${made.id}`);
        const current = (await api.send("PUT", `${builder}/${path}/${made.id}`, { body: { description: path, category: null } })).json;
        assert.equal((await api.send("PUT", `${builder}/${path}/${made.id}`, { body: { name: "x" }, headers: { "if-match": '"0"' } })).status, 412);
        assert.equal((await api.send("DELETE", `${builder}/${path}/${made.id}`, { headers: { "if-match": '"0"' } })).status, 412);
        await api.send("PUT", `${builder}/${path}/${made.id}`, { body: { limits: { max_steps: 10 } }, headers: { "if-match": current.etag } });
        for (const method of ["GET", "PUT", "DELETE"])
          assert.equal((await api.send(method, `${builder}/${path}/${nobody}`, method === "PUT" ? { body: {} } : {})).status, 404);
      }
      assert.equal((await api.send("POST", `${builder}/${type}`, { body: {} })).status, 422);
      assert.equal((await api.send("GET", `${builder}/${type}?colour=red`)).status, 422);
      await api.send("DELETE", `${builder}/flows/${made.id}`);
      await api.send("DELETE", `${builder}/${type}/${(await create(body, type)).id}`);
    });

  test("the list of all flows with each filter", async () => {
    assert.equal((await api.send("GET", `${builder}/flows?flow_type=agentflow&category=support&tags=ko&tags=x`)).json.total, 1);
    assert.equal((await api.send("GET", `${builder}/flows?page_size=101`)).status, 422);
  });

  test("validation and saving by name", async () => {
    await api.send("POST", `${builder}/flows/validate`, { body: { flow_type: "agentflow", ...echo() } });
    const wrong = await api.send("POST", `${builder}/flows/validate`, { body: { flow_type: "agentflow", name: "x", nodes: [node("a", "start"), node("a", "start")] } });
    assert.equal(wrong.json.valid, false);
    assert.equal((await api.send("POST", `${builder}/flows/validate`, { body: {}, headers: { "content-type": "text/plain" } })).status, 415);
    for (const path of [`${builder}/flows/save`, "/flows/save"]) {
      await api.send("POST", path, { body: { name: "저장", description: "d", flow_data: { nodes: [node("start", "start")], edges: [] } } });
      assert.equal((await api.send("POST", path, { body: { name: "저장" } })).status, 422);
    }
  });

  test("versions, their difference, a restored one, publication", async () => {
    const { id } = await create(echo("versions"));
    await api.send("PUT", `${builder}/flows/${id}`, { body: { nodes: [node("start", "start"), node("new", "reply", { text: "x" })], edges: [edge("start", "new")] } });
    await api.send("GET", `${builder}/flows/${id}/versions?page=1&page_size=1`);
    await api.send("GET", `${builder}/flows/${id}/versions/1`);
    const diff = (await api.send("GET", `${builder}/flows/${id}/versions/1/diff/2`)).json;
    assert.deepEqual(diff.nodes.added, ["new"]);
    await api.send("POST", `${builder}/flows/${id}/versions/1/restore`);
    await api.send("POST", `${builder}/flows/${id}/publish`);
    await api.send("POST", `${builder}/flows/${id}/publish`, { body: { version: 1 } });
    await api.send("POST", `${builder}/flows/${id}/unpublish`);
    for (const rest of ["versions/1/restore", "publish", "unpublish"]) {
      assert.equal((await api.send("POST", `${builder}/flows/${id}/${rest}`, { headers: { "if-match": '"0"' } })).status, 412);
      assert.equal((await api.send("POST", `${builder}/flows/${nobody}/${rest}`)).status, 404);
    }
    for (const rest of ["versions", "versions/1", "versions/1/diff/2"])
      assert.equal((await api.send("GET", `${builder}/flows/${nobody}/${rest}`)).status, 404);
  });

  test("a run: acknowledged, waited for, as its log, once by its key; listed; read", async () => {
    assert.equal((await run(flow.id, { message: "안녕" })).output.text, "안녕");
    assert.ok((await run(flow.id, { message: "a", inputs: { x: 1 }, user_id: "u", version: "draft" }, "?wait=true&timeout=20")).steps.length > 0);
    assert.equal((await run(asking.id, {}, "?wait=true&timeout=0")).output, null);
    await run(flow.id, undefined, "");
    const once = { body: { message: "b" }, headers: { "idempotency-key": "k1" } };
    const first = await api.send("POST", `${builder}/flows/${flow.id}/execute`, once);
    const again = await api.send("POST", `${builder}/flows/${flow.id}/execute`, once);
    assert.equal(again.headers.get("idempotent-replayed"), "true");
    assert.equal(again.json.id, first.json.id);
    assert.equal((await api.send("POST", `${builder}/flows/${flow.id}/execute`, { ...once, body: { message: "c" } })).status, 409);
    assert.equal((await api.send("POST", `${builder}/flows/${nobody}/execute`, { body: {} })).status, 404);
    const log = await api.send("POST", `${builder}/flows/${flow.id}/execute`, { body: { message: "d" }, headers: { accept: "text/event-stream" } });
    const events = parseEvents(log.text).filter((one) => one.data !== "");
    assert.equal(events[0].name, "execution");
    api.fitsComponent("Execution", JSON.parse(events[0].data));
    for (const one of events.slice(1)) api.fitsComponent("ExecutionLogEntry", { event: one.name, data: JSON.parse(one.data) });
    await api.send("GET", `${builder}/flows/${flow.id}/executions?status=succeeded&page=1&page_size=2`);
    assert.equal((await api.send("GET", `${builder}/flows/${nobody}/executions`)).status, 404);
    assert.ok((await api.send("GET", `/api/executions?flow_id=${flow.id}&status=succeeded&page=1&page_size=2`)).json.total >= 2);
    assert.equal((await api.send("GET", "/api/executions?state=done")).status, 422);
    await api.send("GET", `/api/executions/${first.json.id}`);
    assert.equal((await api.send("GET", `/api/executions/${nobody}`)).status, 404);
  });

  test("the log of a model's run, told in pieces, by stream and by WebSocket", async () => {
    upstream.script("scripted", (it) => it.answer("하나 둘"));
    const talk = await create({ name: "talk", chat_config: { llm_model: "scripted" } }, "chatflows");
    const { id } = await run(talk.id, { message: "x" });
    const log = await api.send("GET", `/api/executions/${id}/stream?modes=messages,tasks,updates,status,custom&after=0`, { headers: { "last-event-id": "0" } });
    const events = parseEvents(log.text).filter((one) => one.data !== "");
    for (const one of events) api.fitsComponent("ExecutionLogEntry", { event: one.name, data: JSON.parse(one.data) });
    assert.deepEqual([...new Set(events.map((one) => one.name))].sort(), ["end", "messages", "status", "tasks", "updates"]);
    assert.equal((await api.send("GET", `/api/executions/${id}/stream?modes=x`)).status, 422);
    const frames = await api.watch(id, () => undefined, "?after=0&modes=tasks");
    assert.equal(frames.at(-1).data.event, "end");
    assert.equal((await api.send("GET", `/ws/executions/${id}`)).status, 400, "without an upgrade");
    await api.send("POST", "/ws/ticket");
    assert.equal((await api.send("POST", "/ws/ticket", { headers: { authorization: "Bearer no" } })).status, 401);
  });

  test("answers, cancelling, retrying, forking, and when they are refused", async () => {
    const waiting = await run(asking.id, { message: "x" });
    assert.equal(waiting.status, "waiting");
    const path = `/api/executions/${waiting.id}`;
    assert.equal((await api.send("POST", `${path}/resume`, { body: { action: "maybe" } })).status, 422);
    await api.send("POST", `${path}/resume`, { body: { node_id: "ask", action: "yes" } });
    const other = await run(asking.id, {});
    const frames = await api.watch(other.id, (frame) => frame.type !== "error" && frame.data.event === "updates"
      ? (frame.data.data.__interrupt__ ? { type: "resume", action: "maybe" } : undefined)
      : frame.type === "error" ? { type: "cancel" } : undefined);
    assert.equal(frames.find((one) => one.type === "error").data.code, "answer_invalid");
    assert.equal(frames.at(-1).data.data.status, "cancelled");
    assert.equal((await api.send("POST", `/api/executions/${other.id}/cancel`)).status, 202);
    const broken = await create(failing());
    const failed = await run(broken.id, {});
    assert.equal(failed.status, "failed");
    assert.deepEqual([failed.error.node_id, failed.error.code], ["t", "expression_unresolved"]);
    assert.match(failed.error.message, /^Node 't' failed: .*state\.gone/, "its own name and words, not the engine's");
    const inside = await run((await create({ ...failing(), nodes: [node("start", "start"), node("l", "loop", { max_rounds: 2 }),
      { ...node("t", "template", { text: "{{state.gone}}" }), parentId: "l" }, node("out", "reply", { text: "x" })],
      edges: [edge("start", "l"), edge("l", "out")] })).id, {});
    assert.deepEqual([inside.error.node_id, inside.error.code], ["t", "expression_unresolved"]);
    assert.equal(JSON.stringify(inside.error).includes("n.t"), false);
    const lost = await create({ name: "lost", nodes: [node("start", "start"), node("sub", "subflow", { flow: "nowhere" }), node("out", "reply", { text: "x" })],
      edges: [edge("start", "sub"), edge("sub", "out")] });
    const unknown = await api.send("POST", `${builder}/flows/${lost.id}/execute`, { body: {} });
    assert.deepEqual([unknown.status, unknown.json.code, unknown.json.errors[0].loc[1]], [422, "flow_unknown", "sub"]);
    const fork = { step: failed.steps.find((one) => one.node_id === "t").step, patch: { state: { gone: "here" } } };
    const forked = await api.send("POST", `/api/executions/${failed.id}/fork`, { body: fork });
    assert.equal(forked.json.forked_from, failed.id);
    await api.send("POST", `/api/executions/${failed.id}/retry`);
    const misplaced = await api.send("POST", `/api/executions/${failed.id}/fork`, { body: { ...fork, patch: { nodes: { gone: {} } } } });
    assert.deepEqual([misplaced.status, misplaced.json.errors?.[0].loc], [422, ["body", "patch", "nodes", "gone"]]);
    for (const [rest, body] of [["cancel"], ["retry"], ["resume", { action: "yes" }], ["fork", { step: 1 }]])
      assert.equal((await api.send("POST", `/api/executions/${nobody}/${rest}`, { body })).status, 404);
  });

  test("every answer the document names was seen", () => {
    assert.deepEqual(api.unseen("Flows", "Executions"), []);
  });
});
