// Starts the real server in an empty folder: writes its configuration, waits for its start-up line, reads the key it
// prints once, and takes it down with SIGTERM.
//   const server = await Server.start({ upstream, agentModel: "scripted-agent" });
//   await fetch(`${server.url}/v1/models`, { headers: server.auth });
//   await server.stop();
// A page of the documentation starts it by a script of its own, in a folder that it is given (see documents.mjs).
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { binary, root } from "./documents.mjs";
import { plainEnvironment } from "./shell.mjs";

const startLimit = 60_000;
const stopLimit = 25_000;

const modelTable = ({ id, target }) => `
[[model]]
id = ${JSON.stringify(id)}
targets = [${JSON.stringify(`up/${target}`)}]
prices = { input = "2.50", output = "10.00" }
`;

export function configuration({ upstream, models = [], agentModel = "", mockDelay = "0ms", sections = "", limits = "" }) {
  const provider = upstream
    ? `
[[providers]]
name = "up"
dialect = "openai"
base_url = "${upstream.url}/v1"
keys_env = ["SCRIPTED_UPSTREAM_KEY"]
`
    : "";
  return `
[log]
level = "warn"
[models]
default = "mock"
mock_delay = "${mockDelay}"
[agent]
model = "${agentModel}"
prompts = ${JSON.stringify(path.join(root, "config/prompts"))}
[server]
cors_origins = ["https://chat.example"]
[limits.admin]
chat_per_minute = 1000000
requests_per_minute = 1000000
streams = 10000
${limits}
[breaker]
failures = 0
${sections}
${provider}
${models.map(modelTable).join("")}`;
}

export class Server {
  static async start(options = {}) {
    const folder = await mkdtemp(path.join(tmpdir(), "dure-clients-"));
    await writeFile(path.join(folder, "dure.toml"), configuration(options));
    const server = new Server(folder, [binary, "serve", "--port", "0", "--config", "dure.toml"]);
    await server.#launch({ SCRIPTED_UPSTREAM_KEY: "upstream-key" });
    server.key = await server.#waitFor(() => server.stdout.match(/API key:\s*(dk_\w+)/)?.[1], "the first key");
    server.auth = { authorization: `Bearer ${server.key}` };
    return server;
  }

  // `prints`: what its standard output must have, as {key: /API key: (\S+)/}; each becomes a member. The folder stays.
  static async startByScript({ folder, script, env = {}, prints = {} }) {
    const server = new Server(folder, ["bash", "-euo", "pipefail", "-c", script], true);
    await server.#launch(env);
    for (const [name, pattern] of Object.entries(prints))
      server[name] = await server.#waitFor(() => server.stdout.match(pattern)?.[1], name);
    if (server.key) server.auth = { authorization: `Bearer ${server.key}` };
    return server;
  }

  constructor(folder, command, keepsFolder = false) {
    this.folder = folder;
    this.command = command;
    this.keepsFolder = keepsFolder;
    this.stdout = "";
    this.stderr = "";
  }

  async #launch(env) {
    const [program, ...args] = this.command;
    this.child = spawn(program, args, { cwd: this.folder, env: plainEnvironment(env), stdio: ["ignore", "pipe", "pipe"] });
    this.exited = once(this.child, "exit");
    this.child.stdout.setEncoding("utf8").on("data", (text) => (this.stdout += text));
    this.child.stderr.setEncoding("utf8").on("data", (text) => (this.stderr += text));
    this.url = await this.#waitFor(() => this.stderr.match(/listening on (http:\/\/\S+)/)?.[1], "the start-up line");
  }

  async #waitFor(find, what) {
    const end = Date.now() + startLimit;
    for (;;) {
      const found = find();
      if (found) return found;
      if (this.child.exitCode !== null || Date.now() > end) {
        this.child.kill(this.keepsFolder ? "SIGTERM" : "SIGKILL");   // a script stops what it started
        throw new Error(`no ${what} from ${this.command.join(" ")}\n${this.stdout}\n${this.stderr}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  // Fails the test when the server does not end by itself, or not well (a sanitizer's report ends it badly).
  async stop() {
    this.child.kill("SIGTERM");
    const timer = setTimeout(() => this.child.kill("SIGKILL"), stopLimit);
    const [code, signal] = await this.exited;
    clearTimeout(timer);
    if (!this.keepsFolder) await rm(this.folder, { recursive: true, force: true });
    if (code !== 0) throw new Error(`the server ended with ${code ?? signal}\n${this.stderr}`);
  }

  async request(method, target, { body, headers = {} } = {}) {
    const response = await fetch(this.url + target, {
      method,
      headers: { ...this.auth, ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    const type = response.headers.get("content-type") ?? "";
    return { status: response.status, headers: response.headers, text, json: type.includes("json") ? JSON.parse(text) : undefined };
  }
  get(target, options) { return this.request("GET", target, options); }
  post(target, body, options = {}) { return this.request("POST", target, { body, ...options }); }
}
