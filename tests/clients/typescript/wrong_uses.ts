// What the server would refuse must not compile: tsc complains of a line below that does.
import type { Schemas } from "./client.js";
import type { makeExecutionsAPI } from "./executions.js";
import type { makeFlowsAPI } from "./flows.js";

export async function wrong(flows: ReturnType<typeof makeFlowsAPI>, executions: ReturnType<typeof makeExecutionsAPI>) {
  // @ts-expect-error a flow has a name
  await flows.createAgentflow({ orchestration_type: "sequential" });
  // @ts-expect-error there is no such orchestration
  await flows.createAgentflow({ name: "x", orchestration_type: "hierarchial" });
  // @ts-expect-error an unknown setting
  await flows.createChatflow({ name: "x", chat_config: { model: "mock" } });
  // @ts-expect-error a mistyped field of a node's config
  await flows.createAgentflow({ name: "x", nodes: [{ id: "a", type: "llm", data: { config: { promt: "x" } } }] });
  // @ts-expect-error a template has a text
  await flows.createAgentflow({ name: "x", nodes: [{ id: "a", type: "template" }] });
  // @ts-expect-error there is no such kind
  await flows.createAgentflow({ name: "x", nodes: [{ id: "a", type: "code" }] });
  // @ts-expect-error an unknown filter
  await flows.getFlows({ owner: "me" });
  // @ts-expect-error a number
  await flows.getFlows({ page: "2" });
  // @ts-expect-error an unknown member
  await flows.executeFlow("x", { text: "hello" });
  // @ts-expect-error a fork says from where
  await executions.fork("x", {});
  // @ts-expect-error a word of a status
  await executions.list({ status: "done" });
  const execution = await executions.get("x");
  // @ts-expect-error it may not have an output yet
  execution.output.text;
  // @ts-expect-error steps are not in lists
  execution.steps.length;
  const page = await flows.getFlows();
  // @ts-expect-error a list entry has no document
  page.flows.map((flow) => flow.nodes);
  const status: Schemas["ExecutionStatus"] = execution.status;
  return status;
}
