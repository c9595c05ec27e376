// A TypeScript client on the types of /openapi.json (openapi-typescript, tsc --strict) runs the founders' examples against the
// real server; and their curl example, pasted.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { WebSocket } from "ws";
import { Server } from "./support/server.mjs";
import { buildClient } from "./support/typescript.mjs";
import { Upstream } from "./support/upstream.mjs";

const drawn = (text) => ({
  nodes: [{ id: "start", type: "start" }, { id: "out", type: "reply", data: { config: { text } } }],
  edges: [{ source: "start", target: "out" }],
});
const approval = {
  name: "승인",
  nodes: [
    { id: "start", type: "start" }, { id: "ask", type: "human_input", data: { config: { prompt: "보낼까요?" } } },
    { id: "yes", type: "reply", data: { config: { text: "sent" } } }, { id: "no", type: "reply", data: { config: { text: "kept" } } },
  ],
  edges: [
    { source: "start", target: "ask" }, { source: "ask", sourceHandle: "approve", target: "yes" },
    { source: "ask", sourceHandle: "reject", target: "no" },
  ],
};

describe("the TypeScript client made from /openapi.json", () => {
  let upstream, server, built, apis, founders, ApiError;
  before(async () => {
    upstream = await Upstream.start();
    server = await Server.start({ upstream, models: [{ id: "scripted", target: "scripted" }] });
    built = await buildClient(server);
    founders = built.modules.founders;
    ({ ApiError } = built.modules.client);
    apis = founders.connect(server.url, server.key);
  });
  after(async () => {
    await built?.remove();
    await server?.stop();
    await upstream?.stop();
  });
  const refused = (status) => (error) => error instanceof ApiError && error.status === status;

  test("the founders' agentflow is made, with a warning for the model this server does not have", async () => {
    const agentflow = await founders.createAgentflow(apis);
    assert.equal(agentflow.name, "Customer Support Agent");
    assert.equal(agentflow.flow_type, "agentflow");
    assert.equal(agentflow.supervisor_config.max_iterations, 10);
    assert.deepEqual(agentflow.tags, ["customer-support", "production"]);
    assert.ok(agentflow.warnings.some((one) => one.code === "model_unknown"), JSON.stringify(agentflow.warnings));
  });

  test("the founders' chatflow is made", async () => {
    const chatflow = await founders.createChatflow(apis);
    assert.equal(chatflow.flow_type, "chatflow");
    assert.equal(chatflow.chat_config.system_prompt, "You are a helpful FAQ assistant.");
    assert.deepEqual(chatflow.rag_config.knowledgebase_ids, ["kb-123"]);
    assert.deepEqual((await apis.flowsAPI.getFlow(chatflow.id)).memory_config, { type: "buffer", max_messages: 10 });
  });

  test("a flow is executed, polled and listed in its history", async () => {
    const flow = await apis.flowsAPI.createChatflow({ name: "FAQ", chat_config: { llm_model: "scripted" } });
    upstream.script("scripted", (it) => it.answer("Click on 'forgot'."));
    const execution = await founders.executeFlow(apis, flow.id);
    assert.match(execution.id, /^[0-9a-f-]{36}$/);
    assert.ok(["queued", "running", "succeeded"].includes(execution.status), execution.status);
    const ended = await apis.executionsAPI.poll(execution.id);
    assert.equal(ended.status, "succeeded");
    assert.equal(ended.output.text, "Click on 'forgot'.");
    assert.equal(ended.user_id, "user-456");
    const { executions, total } = await apis.flowsAPI.getExecutions(flow.id);
    assert.equal(total, 1);
    assert.equal(executions[0].id, execution.id);
    assert.deepEqual((await apis.flowsAPI.getExecutions(flow.id, { status: "failed" })).executions, []);
    assert.ok((await apis.executionsAPI.list({ flow_id: flow.id })).executions.length === 1);
  });

  test("a flow list is shown and a new flow is in it at once", async () => {
    const { cards, created } = await founders.flowList(apis);
    assert.ok(cards.length >= 2);
    const again = await apis.flowsAPI.getFlows({ is_active: true, search: "new agent", flow_type: "agentflow", page_size: 5 });
    assert.deepEqual(again.flows.map((flow) => flow.id), [created.id]);
    assert.deepEqual([again.total, again.page, again.page_size], [1, 1, 5]);
    await apis.flowsAPI.deleteFlow(created.id);
    await assert.rejects(apis.flowsAPI.getFlow(created.id), refused(404));
  });

  test("the event store shows a flow's events, its state at a version and the audit log", async () => {
    const flow = await apis.flowsAPI.createAgentflow({ name: "past", ...drawn("one") });
    for (let i = 2; i <= 11; ++i) await apis.flowsAPI.updateFlow(flow.id, { description: `edit ${i}` });
    const { events, historicalEvents, auditLog } = await founders.eventStore(apis, flow.id, flow.owner);
    assert.deepEqual(events.map((one) => one.version), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    assert.equal(events[0].event_type, "WorkflowCreated");
    assert.equal(historicalEvents.version, 10);
    assert.equal(historicalEvents.state.description, "edit 10");
    assert.ok(auditLog.events.length > 1);
    assert.ok(auditLog.events.every((one) => one.event_type === "WorkflowCreated"));
  });

  test("edits carry the ETag; a version is compared and restored; saving by name; publishing", async () => {
    const flow = await apis.flowsAPI.createAgentflow({ name: "versions", ...drawn("one") });
    const second = await apis.flowsAPI.updateFlow(flow.id, drawn("two"), flow.etag);
    assert.equal(second.version, 2);
    await assert.rejects(apis.flowsAPI.updateFlow(flow.id, { name: "late" }, flow.etag),
      (error) => refused(412)(error) && error.etag === second.etag);
    const diff = await apis.flowsAPI.compareVersions(flow.id, 1, 2);
    assert.deepEqual(diff.nodes.changed, [{ id: "out", paths: ["/data/config/text"] }]);
    assert.equal((await apis.flowsAPI.restoreVersion(flow.id, 1)).nodes[1].data.config.text, "one");
    assert.equal((await apis.flowsAPI.getVersions(flow.id)).total, 3);
    const saved = await apis.flowsAPI.saveFlow({ name: "saved", flow_data: drawn("x") });
    assert.equal(saved.status, "success");
    assert.equal((await apis.flowsAPI.publishFlow(saved.flow_id)).model, "flow:saved");
    const checked = await apis.flowsAPI.validateFlow({ flow_type: "agentflow", name: "x", nodes: [{ id: "a", type: "start" }, { id: "a", type: "start" }] });
    assert.equal(checked.valid, false);
    assert.ok(checked.problems.some((one) => one.code === "id_duplicate" && one.node_id === "a"));
  });

  test("a run is streamed, and read again behind any event", async () => {
    const flow = await apis.flowsAPI.createChatflow({ name: "stream", chat_config: { llm_model: "scripted" } });
    upstream.script("scripted", (it) => it.answer("하나 둘 셋"));
    const entries = [];
    for await (const entry of apis.executionsAPI.executeStreaming(flow.id, { message: "x" })) entries.push(entry);
    const told = entries.filter((one) => one.event === "messages").map((one) => one.data[0]);
    assert.equal(told.filter((one) => !one.reply).map((one) => one.content).join(""), "하나 둘 셋");
    assert.deepEqual(told.filter((one) => one.reply).map((one) => one.content), ["하나 둘 셋"]);
    const end = entries.at(-1);
    assert.equal(end.event, "end");
    assert.equal(end.data.status, "succeeded");
    const numbers = entries.slice(0, -1).map((one) => one.seq);
    assert.deepEqual(numbers, [...numbers].sort((a, b) => a - b));
    const rest = [];
    for await (const entry of apis.executionsAPI.stream(end.data.id, numbers[1])) rest.push(entry);
    assert.deepEqual(rest.slice(0, -1).map((one) => one.seq), numbers.slice(2));
  });

  test("a person answers over the WebSocket, which a ticket opens", async () => {
    const flow = await apis.flowsAPI.createAgentflow(approval);
    const execution = await apis.flowsAPI.executeFlow(flow.id, {}, { wait: true });
    assert.equal(execution.status, "waiting");
    assert.equal(execution.waiting[0].node_id, "ask");
    const frames = [];
    await apis.executionsAPI.watch(execution.id, (url) => new WebSocket(url), (frame, say) => {
      frames.push(frame);
      const asks = frame.type === "execution_update" && frame.data.event === "updates" && frame.data.data.__interrupt__;
      if (asks) say({ type: "resume", node_id: "ask", action: "approve" });
    });
    assert.ok(frames.every((one) => one.type === "execution_update"), JSON.stringify(frames.at(-1)));
    assert.equal(frames.at(-1).data.event, "end");
    assert.equal(frames.at(-1).data.data.output.text, "sent");
  });

  test("an execution is cancelled, retried and forked with a patch", async () => {
    const flow = await apis.flowsAPI.createAgentflow({
      name: "fork", nodes: [
        { id: "start", type: "start" }, { id: "t", type: "template", data: { config: { text: "{{start.message}}" } } },
        { id: "out", type: "reply", data: { config: { text: "{{nodes.t.text}}" } } }],
      edges: [{ source: "start", target: "t" }, { source: "t", target: "out" }],
    });
    const first = await apis.flowsAPI.executeFlow(flow.id, { message: "a" }, { wait: true, timeout: 20, idempotencyKey: "once" });
    assert.equal(first.output.text, "a");
    assert.equal((await apis.flowsAPI.executeFlow(flow.id, { message: "a" }, { idempotencyKey: "once" })).id, first.id);
    const reply = first.steps.find((one) => one.node_id === "out");
    const fork = await apis.executionsAPI.fork(first.id, { step: reply.step, patch: { nodes: { t: { text: "b" } } } });
    assert.equal(fork.forked_from, first.id);
    assert.equal((await apis.executionsAPI.poll(fork.id)).output.text, "b");
    await assert.rejects(apis.executionsAPI.retry(first.id), refused(409));
    const asking = await apis.flowsAPI.executeFlow((await apis.flowsAPI.createAgentflow(approval)).id, {}, { wait: true });
    assert.equal((await apis.executionsAPI.cancel(asking.id)).status, "cancelled");
    await assert.rejects(apis.executionsAPI.resume(asking.id, { action: "approve" }), refused(409));
  });

  test("the founders' curl example works when pasted", async () => {
    const script = (await readFile(new URL("founders/agentflow.sh", import.meta.url), "utf8")).replace("http://localhost:8000", server.url);
    const shell = spawn("bash", ["-eu"], { env: { ...process.env, TOKEN: server.key } });
    let output = "";
    shell.stdout.setEncoding("utf8").on("data", (text) => (output += text));
    shell.stdin.end(script);
    assert.equal(await new Promise((resolve) => shell.on("close", resolve)), 0);
    assert.equal(JSON.parse(output).orchestration_type, "hierarchical");
  });
});
