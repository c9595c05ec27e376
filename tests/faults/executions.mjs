// See the script `executions` beside this file. One server process at a time, killed and started again on the same database; a far
// side in this process that is never killed, so that what reached it is the truth.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const driver = process.argv[2];
const number = (name, otherwise) => Number(process.env[name] ?? otherwise);
const rounds = number("ROUNDS", 100);
const executions = number("EXECUTIONS", 1000);
const kills = number("KILLS", 2);
const lease = process.env.LEASE ?? "15s";
const seed = number("SEED", Date.now() % 2 ** 31);
const limit = 30_000; // from the last restart to the last end
const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const nodes = ["h1", "h2", "h3", "h4"];
const password = "a-long-enough-password";
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// xorshift: the same seed kills at the same places.
let state = seed | 1;
function random() {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) / 2 ** 32;
}

// Answers after up to 8 ms; keeps what came, in its order.
class FarSide {
  calls = []; // {execution, node, key}
  async start() {
    this.server = http.createServer((request, response) => {
      const [, execution, node] = new URL(request.url, "http://far").pathname.split("/");
      this.calls.push({ execution, node, key: request.headers["idempotency-key"] });
      request.resume();
      setTimeout(() => response.writeHead(200, { "Content-Type": "application/json" }).end(`{"did":"${node}"}`), random() * 8);
    });
    this.server.keepAliveTimeout = 60_000;
    this.server.listen(0, "127.0.0.1");
    await once(this.server, "listening");
    this.port = this.server.address().port;
  }
  stop() {
    this.server.closeAllConnections();
    this.server.close();
  }
}

class Server {
  port = 0;
  constructor(folder) {
    this.folder = folder;
  }
  async start() {
    this.err = "";
    this.child = spawn(process.env.DURE_BINARY, ["serve", "--config", "dure.toml", "--port", String(this.port)], {
      cwd: this.folder,
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, ADMIN_EMAIL: "admin@localhost", ADMIN_PASSWORD: password, SECRET_KEY: "only-for-this-test-0123456789abcdef" },
    });
    this.exited = once(this.child, "exit");
    this.child.stderr.setEncoding("utf8").on("data", (text) => (this.err += text));
    const end = Date.now() + 20_000;
    for (;;) {
      const found = this.err.match(/listening on http:\/\/[^ ]*:(\d+)/);
      if (found) return (this.port = Number(found[1]));
      assert.ok(this.child.exitCode === null && Date.now() < end, `the server did not start:\n${this.err}`);
      await pause(5);
    }
  }
  async kill() {
    this.child.kill("SIGKILL");
    await this.exited;
  }
  async log_in() {
    this.token = "";
    const login = await this.ask("POST", "/auth/jwt/login", `username=admin@localhost&password=${password}`,
      { "Content-Type": "application/x-www-form-urlencoded" });
    this.token = login.json.access_token;
  }
  // A request that reached nobody is sent again until the server is back.
  async ask(method, target, body, headers = {}) {
    const end = Date.now() + 60_000;
    for (;;) {
      try {
        const answer = await fetch(`http://127.0.0.1:${this.port}${target}`, {
          method,
          headers: { ...(this.token && { Authorization: `Bearer ${this.token}` }), ...(body && { "Content-Type": "application/json" }), ...headers },
          body: typeof body === "string" ? body : body && JSON.stringify(body),
          signal: AbortSignal.timeout(20_000),
        });
        const text = await answer.text();
        if (answer.status === 401 && this.token) {
          await this.log_in(); // an access token lasts an hour
          continue;
        }
        if (answer.status !== 429 && answer.status !== 503) return { status: answer.status, json: text ? JSON.parse(text) : null };
      } catch (error) {
        if (Date.now() > end) throw error;
      }
      assert.ok(Date.now() < end, `${method} ${target} was not answered`);
      await pause(10 + 20 * Math.random());
    }
  }
}

async function inParallel(count, how_many, work) {
  let next = 0;
  const one = async () => {
    for (let i = next++; i < count; i = next++) await work(i);
  };
  await Promise.all(Array.from({ length: how_many }, one));
}

function flow(port) {
  const place = (id, type, config) => ({ id, type, position: { x: 0, y: 0 }, data: { config } });
  const chain = ["start", ...nodes, "out"];
  return {
    name: "effects",
    nodes: [
      place("start", "start", {}),
      ...nodes.map((id) => place(id, "http", { method: "POST", url: `http://127.0.0.1:${port}/{{run.id}}/${id}` })),
      place("out", "reply", { text: "{{start.message}} {{nodes.h4.body.did}}" }),
    ],
    edges: chain.slice(1).map((target, i) => ({ id: target, source: chain[i], target })),
  };
}

function check_effects(calls, ids) {
  const newest = new Map(), keys = new Map(), owners = new Map();
  let repeats = 0;
  for (const { execution, node, key } of calls) {
    const place = nodes.indexOf(node), known = newest.get(execution) ?? -1;
    assert.ok(ids.has(execution), `an effect of ${execution}, which nobody was told of`);
    assert.ok(place === known || place === known + 1, `${execution}: ${node} after ${nodes[known]}: a finished node ran again`);
    newest.set(execution, place);
    const what = `${execution}/${node}`;
    if (keys.has(what)) repeats += 1;
    assert.equal(keys.get(what) ?? key, key, `${what}: a repeat with another key`);
    keys.set(what, key);
    assert.equal(owners.get(key) ?? what, what, `one key for two nodes`);
    owners.set(key, what);
  }
  assert.equal(keys.size, ids.size * nodes.length, "each node reached the far side");
  return repeats;
}

async function round(server, far, flow_id, name) {
  far.calls.length = 0;
  const total = executions * nodes.length;
  const moments = Array.from({ length: kills }, () => Math.floor(1 + random() * 0.9 * total)).sort((a, b) => a - b);
  const ids = new Map();
  const starting = inParallel(executions, 32, async (i) => {
    const begun = await server.ask("POST", `/api/agent-builder/flows/${flow_id}/execute`, { message: String(i) }, { "Idempotency-Key": `${name}-${i}` });
    assert.equal(begun.status, 202, JSON.stringify(begun.json));
    ids.set(begun.json.id, i);
  });
  let restarted = Date.now();
  for (const moment of moments) {
    while (far.calls.length < moment) await pause(1);
    await server.kill();
    await server.start();
    restarted = Date.now();
  }
  await starting;
  assert.equal(ids.size, executions);
  const open = async (status) => (await server.ask("GET", `/api/executions?status=${status}&page_size=1`)).json.total;
  let late = 0; // still open at the limit: waited for, to tell slow ones from lost ones
  for (let left; (left = (await open("queued")) + (await open("running"))) > 0; await pause(20)) {
    const since = Date.now() - restarted;
    if (since > limit) late ||= left;
    assert.ok(since < 4 * limit, `${left} have not ended ${(4 * limit) / 1000} s after the last restart: lost`);
  }
  const took = Date.now() - restarted;
  const repeats = check_effects(far.calls, ids);
  await inParallel(executions, 16, async (i) => {
    const [id, message] = [...ids][i];
    const { json } = await server.ask("GET", `/api/executions/${id}`);
    assert.equal(json.status, "succeeded", JSON.stringify(json.error));
    assert.equal(json.output.text, `${message} h4`);
    assert.deepEqual(json.steps.map((step) => `${step.node_id} ${step.visit} ${step.status}`).sort(),
      ["start", ...nodes, "out"].map((node) => `${node} 1 succeeded`).sort());
  });
  assert.equal(late, 0, `${late} were open ${limit / 1000} s after the last restart; all had ended, none lost or doubled, after ${(took / 1000).toFixed(1)} s`);
  return { repeats, took };
}

async function main() {
  const folder = await mkdtemp(path.join(tmpdir(), "dure-faults-"));
  const far = new FarSide();
  await far.start();
  await writeFile(path.join(folder, "dure.toml"), `
[log]
level = "error"
[agent]
prompts = ${JSON.stringify(path.join(root, "config/prompts"))}
[egress]
allow = ["127.0.0.1:${far.port}"]
[executions]
lease = "${lease}"
[limits.anonymous]
requests_per_minute = 10000000
[limits.admin]
requests_per_minute = 10000000
runs = 64
`);
  const server = new Server(folder);
  console.log(`== ${driver}: ${rounds} rounds of ${executions} executions, ${kills} kills each, lease ${lease}, seed ${seed}`);
  try {
    await server.start();
    await server.log_in();
    const made = await server.ask("POST", "/api/agent-builder/agentflows", flow(far.port));
    assert.equal(made.status, 201, JSON.stringify(made.json));
    let longest = 0, repeated = 0;
    for (let i = 1; i <= rounds; ++i) {
      const { repeats, took } = await round(server, far, made.json.id, `${seed}-${i}`);
      longest = Math.max(longest, took);
      repeated += repeats;
      console.log(`round ${i}: ${repeats} cut nodes ran again with their key; all had ended ${(took / 1000).toFixed(1)} s after the last restart`);
    }
    console.log(`${driver}: ${rounds * executions} executions, ${rounds * kills} kills: none lost, none doubled; ${repeated} cut nodes repeated; longest ${(longest / 1000).toFixed(1)} s`);
  } finally {
    await server.kill();
    far.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

await main();
