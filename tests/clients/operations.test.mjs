// docs/operations.md holds: its back-ups bring a server back on both kinds of databases, its list of metrics is the one
// that servers show, and the files for containers fit the program.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { access, mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import yaml from "js-yaml";
import { binary, blocksOf, readPage, root } from "./support/documents.mjs";
import { Page } from "./support/page.mjs";
import { Services } from "./support/services.mjs";
import { plainEnvironment } from "./support/shell.mjs";

const run = promisify(execFile);
const operations = await readPage("docs/operations.md");
const block = (mark) => blocksOf(operations).find((one) => one.mark === mark);

const login = async (server, email, password) => {
  const response = await fetch(`${server.url}/auth/jwt/login`, { method: "POST", body: new URLSearchParams({ username: email, password }) });
  return (await response.json()).access_token;
};

describe("back-up and restore", () => {
  // A turn before the back-up is there after it was restored, one behind it is not; sign-in tokens live on, turns go on.
  async function comesBack(page, { start, backup, restore, email, password }) {
    let server = await start();
    const token = await login(server, email, password ?? server.password);
    const authorization = { headers: { authorization: `Bearer ${token}` } };
    const say = async (message, session) => {
      const { status, json } = await server.post("/api/chat/message", { message, session_id: session }, authorization);
      assert.equal(status, 200, JSON.stringify(json));
      return json;
    };
    const { session_id: session } = await say("내 이름은 철수야");
    await page.paste(backup);
    await say("이것은 사라진다", session);
    await page.stopServer();
    await page.paste(restore);
    server = await start({});
    const history = await server.get(`/api/chat/history/${session}`, authorization);
    assert.equal(history.status, 200, history.text);
    assert.ok(history.text.includes("내 이름은 철수야"));
    assert.ok(!history.text.includes("이것은 사라진다"));
    assert.equal((await say("다시", session)).turn, 2);
    const events = await server.get(`/api/events/aggregate/${session}?aggregate_type=Session`, authorization);
    const versions = events.json.events.map(({ version }) => version);
    assert.deepEqual(versions, versions.map((_, index) => index + 1));
  }

  test("SQLite", async () => {
    const page = await new Page().open();
    try {
      const start = (expected) => page.startServer(undefined, expected);
      await comesBack(page, { start, backup: block("backup"), restore: block("restore"), email: "admin@localhost" });
    } finally {
      await page.close();
    }
  });

  test("PostgreSQL with Redis", async () => {
    const services = await Services.start();
    const admin = { ADMIN_EMAIL: "you@example.org", ADMIN_PASSWORD: "a-long-enough-phrase" };
    const secrets = { SECRET_KEY: "7c1f0f2f9d4b4f0e8a57d1c2b3a49586", DATABASE_URL: services.postgres, REDIS_URL: services.redis };
    const page = await new Page().open({ ...admin, ...secrets });
    try {
      await comesBack(page, {
        start: () => page.startServer({ text: "build/release/dure serve\n" }),
        backup: block("backup of PostgreSQL"), restore: block("restore of PostgreSQL"), email: admin.ADMIN_EMAIL, password: admin.ADMIN_PASSWORD,
      });
      await everyShownMetricIsListed(await page.startServer({ text: "build/release/dure serve\n" }), admin);
    } finally {
      await page.close();
      await services.stop();
    }
  });
});

// name -> labels of the table under "Metrics"; names in one row share their labels.
function listedMetrics() {
  const section = operations.split("## Metrics")[1].split("\n## ")[0];
  const listed = new Map();
  for (const [, names, labels] of section.matchAll(/^\|([^|]*`[^|]*)\|([^|]*)\|/gm))
    for (const [, name] of names.matchAll(/`([a-z_]+)`/g)) listed.set(name, [...labels.matchAll(/`([a-z_]+)`/g)].map(([, label]) => label).sort());
  return listed;
}

async function everyShownMetricIsListed(server, { ADMIN_EMAIL, ADMIN_PASSWORD }) {
  const listed = listedMetrics();
  const authorization = { headers: { authorization: `Bearer ${await login(server, ADMIN_EMAIL, ADMIN_PASSWORD)}` } };
  const asked = { model: "mock", messages: [{ role: "user", content: "안녕" }] };
  assert.equal((await server.post("/v1/chat/completions", asked, authorization)).status, 200);
  const { text } = await server.get("/metrics", authorization);
  assert.match(text, /dure_redis_available 1/);
  for (const [, name, labels] of text.matchAll(/^([a-z_]+?)(?:_bucket|_sum|_count)?(?:\{(.*)\})? \S+$/gm)) {
    assert.ok(listed.has(name), `${name} is not in docs/operations.md`);
    const shown = [...(labels ?? "").matchAll(/(\w+)="/g)].map(([, label]) => label).filter((label) => label !== "le").sort();
    assert.deepEqual(shown, listed.get(name), name);
  }
}

test("the list of metrics has every one that the code makes, and no other", async () => {
  const making = /(?:counter|gauge|histogram)\(\s*"([a-z]+_[a-z_]+)",|\badd\(\s*"(process_[a-z_]+)",/g;
  const made = new Set();
  for (const file of await readdir(path.join(root, "src"), { recursive: true }))
    if (/\.[ch]pp$/.test(file))
      for (const [, name, ofProcess] of (await readFile(path.join(root, "src", file), "utf8")).matchAll(making)) made.add(name ?? ofProcess);
  assert.ok(made.size > 20);
  assert.deepEqual([...listedMetrics().keys()].sort(), [...made].sort());
});

describe("containers", () => {
  const readText = (name) => readFile(path.join(root, name), "utf8");
  const checked = async (env) => {
    const folder = await mkdtemp(path.join(tmpdir(), "dure-container-"));
    try {
      return (await run(binary, ["config", "check"], { cwd: folder, env: plainEnvironment(env) })).stdout;
    } finally {
      await rm(folder, { recursive: true });
    }
  };

  test("docker-compose.yml gives the server a configuration that it takes, and services that are there", async () => {
    const { services, volumes } = yaml.load(await readText("docker-compose.yml"));
    const reader = { POSTGRES_PASSWORD: "p4ssw0rd", SECRET_KEY: "0123456789abcdef0123456789abcdef" };
    const filled = (text) => String(text).replace(/\$\{(\w+)(?::[-?][^}]*)?\}/g, (_, name) => reader[name] ?? "");
    const env = Object.fromEntries(Object.entries(services.dure.environment).map(([name, value]) => [name, filled(value)]));
    await checked(env);
    const database = new URL(env.DURE_DATABASE__URL);
    const { environment } = services[database.hostname];
    assert.deepEqual([database.username, database.password, database.pathname], [environment.POSTGRES_USER, filled(environment.POSTGRES_PASSWORD), `/${environment.POSTGRES_DB}`]);
    assert.ok(services[new URL(env.REDIS_URL).hostname]);
    for (const service of Object.values(services)) {
      for (const needed of Object.keys(service.depends_on ?? {})) assert.ok(services[needed]?.healthcheck, needed);
      for (const mount of service.volumes ?? []) assert.ok(mount.split(":")[0] in volumes, mount);
    }
    const port = (await readText("config/dure.example.toml")).match(/^port = (\d+)/m)[1];
    assert.deepEqual(services.dure.ports.map((mapping) => mapping.split(":").at(-1)), [port]);
    assert.match(await readText("Dockerfile"), new RegExp(`^EXPOSE ${port}$`, "m"));
  });

  test("the Dockerfile copies what is there, sets what is known and installs the libraries of the program", async () => {
    const dockerfile = (await readText("Dockerfile")).replaceAll("\\\n", " ");
    for (const [, sources] of dockerfile.matchAll(/^COPY (?!--from)(.*) \S+$/gm))
      for (const source of sources.split(/\s+/)) await access(path.join(root, source));
    const env = Object.fromEntries(dockerfile.match(/^ENV (.*)$/m)[1].split(/\s+/).map((pair) => pair.split(/=(.*)/s)));
    await checked(env);
    const copied = dockerfile.match(/^COPY config\/ (\S+)$/m)[1];
    assert.equal(env.DURE_AGENT__PROMPTS, `${copied}prompts`);
    const installed = new Set(["debconf", ...dockerfile.match(/--no-install-recommends (.*?) &&/)[1].trim().split(/\s+/)]);
    const { stdout } = await run("dpkg-query", ["-W", "-f", "${Package}\t${Depends}\n"], { maxBuffer: 1 << 26 });
    const depends = new Map(stdout.trim().split("\n").map((line) => line.split("\t")));
    for (const name of installed)   // the set grows while it is walked
      for (const one of (depends.get(name) ?? "").split(",")) for (const choice of one.split("|")) installed.add(choice.trim().split(/[ (:]/)[0]);
    const { stdout: libraries } = await run("ldd", [binary]);
    const needed = [...libraries.matchAll(/ => (?:\/usr)?(\/lib\/\S+)/g)].map(([, file]) => file);
    const files = needed.flatMap((file) => [file, `/usr${file}`]);   // dpkg knows it by one of the two
    const owners = await run("dpkg-query", ["-S", ...files]).catch((error) => error);
    const owned = new Set(owners.stdout.split("\n").filter((line) => installed.has(line.split(":")[0])).map((line) => path.basename(line)));
    assert.ok(needed.length > 8);
    assert.deepEqual(needed.filter((file) => !owned.has(path.basename(file))), []);
  });
});
