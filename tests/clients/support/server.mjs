// Starts the real server in an empty folder: writes its configuration, waits for its start-up line, reads the key it
// prints once, and takes it down with SIGTERM.
//   const server = await Server.start({ upstream, agentModel: "scripted-agent" });
//   await fetch(`${server.url}/v1/models`, { headers: server.auth });
//   await server.stop();
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../..");
const binary = path.resolve(process.env.DURE_BINARY ?? path.join(root, "build/release/dure"));
const startLimit = 20_000;
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
    const server = new Server(folder);
    await server.#launch();
    return server;
  }

  constructor(folder) {
    this.folder = folder;
    this.stdout = "";
    this.stderr = "";
  }

  async #launch() {
    const env = { ...process.env, SCRIPTED_UPSTREAM_KEY: "upstream-key" };
    for (const name of Object.keys(env))
      if (/^DURE_(?!BINARY)|_API_KEY$|^(DATABASE|REDIS)_URL$/.test(name)) delete env[name];
    this.child = spawn(binary, ["serve", "--port", "0", "--config", "dure.toml"], {
      cwd: this.folder, env, stdio: ["ignore", "pipe", "pipe"],
    });
    this.exited = once(this.child, "exit");
    this.child.stdout.setEncoding("utf8").on("data", (text) => (this.stdout += text));
    this.child.stderr.setEncoding("utf8").on("data", (text) => (this.stderr += text));
    this.url = await this.#waitFor(() => this.stderr.match(/listening on (http:\/\/\S+)/)?.[1], "the start-up line");
    this.key = await this.#waitFor(() => this.stdout.match(/API key:\s*(dk_\w+)/)?.[1], "the first key");
    this.auth = { authorization: `Bearer ${this.key}` };
  }

  async #waitFor(find, what) {
    const end = Date.now() + startLimit;
    for (;;) {
      const found = find();
      if (found) return found;
      if (this.child.exitCode !== null || Date.now() > end) {
        this.child.kill("SIGKILL");
        throw new Error(`no ${what} from ${binary}\n${this.stdout}\n${this.stderr}`);
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
    await rm(this.folder, { recursive: true, force: true });
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
