// Dure's MCP client against real servers built with the official SDK, over Streamable HTTP (event streams and JSON) and
// over standard input and output.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Server } from "./support/server.mjs";

const support = path.join(path.dirname(fileURLToPath(import.meta.url)), "support");
const limit = 15_000;

async function until(holds, what) {
  const end = Date.now() + limit;
  for (;;) {
    const found = await holds();
    if (found) return found;
    if (Date.now() > end) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

class McpProcess {
  static async start(port = 0, mode = "") {
    const made = new McpProcess();
    made.out = "";
    made.child = spawn(process.execPath, [path.join(support, "mcp_http_server.mjs"), String(port), mode], { stdio: ["ignore", "pipe", "inherit"] });
    made.child.stdout.setEncoding("utf8").on("data", (text) => (made.out += text));
    made.port = Number(await until(() => made.out.match(/^port (\d+)$/m)?.[1], "the MCP server's port"));
    return made;
  }
  async kill() {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill("SIGKILL");
    await once(this.child, "exit");
  }
}

const call = (server, name, args = {}, options = {}) => server.post(`/api/tools/${name}/execute`, { arguments: args }, options);
const result = async (server, name, args) => {
  const answer = await call(server, name, args);
  assert.equal(answer.status, 200, answer.text);
  return answer.json;
};
const toolNames = async (server) => (await server.get("/api/tools")).json.tools.map((one) => one.name);

function commonBehaviour(at) {
  test("its tools are listed with schema and source", async () => {
    const tool = (await at().get("/api/tools/echo")).json;
    assert.equal(tool.description, "되돌려 말하기");
    assert.equal(tool.source, "mcp:real");
    assert.equal(tool.available, true);
    assert.equal(tool.schema.properties.message.type, "string");
    assert.ok((await toolNames(at())).includes("secret_admin"), "a legal name is made");
  });
  test("calls answer with text, structures, and without picture data", async () => {
    assert.equal((await result(at(), "echo", { message: "안녕", times: 2 })).result, "안녕 안녕");
    assert.deepEqual((await result(at(), "structured", { a: 1, b: 2 })).result, { sum: 3 });
    assert.ok(!JSON.stringify((await result(at(), "picture")).result).includes("AAAAAAAA"));
    assert.equal((await result(at(), "secret_admin")).result, "dotted");
  });
  test("arguments are checked here, failures are outcomes", async () => {
    const wrong = await result(at(), "echo", { message: 1 });
    assert.equal(wrong.success, false);
    assert.match(wrong.error, /message/);
    const failed = await result(at(), "fails");
    assert.deepEqual([failed.success, failed.error], [false, "it is broken"]);
  });
  test("large results are cut and say so", async () => {
    const { success, result: text } = await result(at(), "large");
    assert.equal(success, true);
    assert.match(text, /\[cut: .*307200 bytes/);
  });
  test("calls run at the same time", async () => {
    const all = await Promise.all(Array.from({ length: 50 }, (_, i) => result(at(), "echo", { message: `m${i}` })));
    all.forEach((one, i) => assert.equal(one.result, `m${i}`));
  });
  test("a destructive tool is not offered, but a person may call it", async () => {
    assert.equal((await at().get("/api/tools/destroys")).json.needs_approval, true);
    assert.equal((await result(at(), "destroys")).result, "destroyed");
  });
}

for (const mode of ["", "json"])
  describe(`MCP over Streamable HTTP${mode ? " with JSON answers" : ""}`, () => {
    let mcp, server;
    before(async () => {
      mcp = await McpProcess.start(0, mode);
      process.env.MCP_TEST_KEY = "header-secret";
      server = await Server.start({ sections: `
[tools]
timeout = "2s"
[egress]
allow = ["127.0.0.1:${mcp.port}"]
[[tools.mcp]]
name = "real"
transport = "http"
url = "http://127.0.0.1:${mcp.port}/mcp"
headers_env = { X-Key = "MCP_TEST_KEY" }
` });
    });
    after(async () => {
      await server?.stop();
      if (mcp) assert.match(mcp.out, /^DELETE /m, "the session was ended");
      await mcp?.kill();
    });

    commonBehaviour(() => server);

    test("headers: the credential from the environment, the version that was agreed on", async () => {
      assert.match(mcp.out, /^POST initialize key=header-secret version=$/m);
      assert.match(mcp.out, /^POST tools\/list key=header-secret version=2025-06-18$/m);
    });
    test("a call that takes too long is given up and cancelled", async () => {
      const answer = await result(server, "slow");
      assert.equal(answer.success, false);
      assert.match(answer.error, /in time/);
      await until(() => /^cancelled$/m.test(mcp.out), "the cancellation");
    });
    test("a change of the list is followed", async () => {
      await until(() => /^GET /m.test(mcp.out), "the stream of notifications");
      await fetch(`http://127.0.0.1:${mcp.port}/add-tool`, { method: "POST" });
      await until(async () => (await toolNames(server)).includes("late"), "the new tool");
    });
    test("a restarted server is found again, on a new session", async () => {
      await mcp.kill();
      mcp = await McpProcess.start(mcp.port, mode);
      const answer = await until(async () => {
        const one = await result(server, "echo", { message: "again" });
        return one.success && one;
      }, "an answer after the restart");
      assert.equal(answer.result, "again");
      const report = await server.post("/api/tools/reload", {});
      assert.equal(report.status, 200);
      assert.deepEqual(report.json.failed, []);
      assert.ok(!(await toolNames(server)).includes("late"));
    });
  });

describe("MCP over Streamable HTTP that is not allowed", () => {
  test("a private address without an exception is refused", async () => {
    const mcp = await McpProcess.start();
    const server = await Server.start({ sections: `
[[tools.mcp]]
name = "real"
transport = "http"
url = "http://127.0.0.1:${mcp.port}/mcp"
` });
    try {
      assert.equal((await server.get("/api/tools/echo")).status, 404);
      const report = await server.post("/api/tools/reload", {});
      assert.equal(report.json.failed[0].source, "mcp:real");
      assert.ok(!/POST/.test(mcp.out), "nothing was sent");
    } finally {
      await server.stop();
      await mcp.kill();
    }
  });
});

test("an MCP server that leads to another server is not followed", async () => {
  const asked = [];
  const listen = async (handler) => {
    const http = createServer((request, response) => {
      asked.push(request.url);
      handler(response);
    }).listen(0, "127.0.0.1");
    await once(http, "listening");
    return http;
  };
  const elsewhere = await listen((response) => response.end());
  const leads = await listen((response) => response.writeHead(307, { location: `http://127.0.0.1:${elsewhere.address().port}/elsewhere` }).end());
  const server = await Server.start({ sections: `
[egress]
allow = ["127.0.0.1:${leads.address().port}", "127.0.0.1:${elsewhere.address().port}"]
[[tools.mcp]]
name = "leads"
transport = "http"
url = "http://127.0.0.1:${leads.address().port}/mcp"
` });
  try {
    const { failed } = (await server.post("/api/tools/reload", {})).json;
    assert.match(failed[0].error, /status 307/);
    assert.deepEqual([...new Set(asked)], ["/mcp"]);
  } finally {
    await server.stop();
    for (const http of [leads, elsewhere]) http.close();
  }
});

test("an answer behind another's in one event stream is waited for", async () => {
  const http = createServer(async (request, response) => {
    let text = "";
    for await (const piece of request) text += piece;
    const { id, method } = text ? JSON.parse(text) : {};
    if (id === undefined) return response.writeHead(request.method === "POST" ? 202 : 405).end();
    const event = (id, result) => `data: ${JSON.stringify({ jsonrpc: "2.0", id, result })}\n\n`;
    const answers = {
      initialize: { protocolVersion: "2025-06-18", capabilities: { tools: {} }, serverInfo: { name: "slow", version: "1" } },
      "tools/list": { tools: [{ name: "behind", inputSchema: { type: "object" } }] },
      "tools/call": { content: [{ type: "text", text: "mine" }] },
    };
    response.writeHead(200, { "content-type": "text/event-stream" });
    if (method !== "tools/call") return response.end(event(id, answers[method]));
    response.write(event(id + 1000, { content: [{ type: "text", text: "another's" }] }));
    setTimeout(() => response.end(event(id, answers[method])), 1500);
  }).listen(0, "127.0.0.1");
  await once(http, "listening");
  const { port } = http.address();
  const server = await Server.start({ sections: `
[egress]
allow = ["127.0.0.1:${port}"]
[[tools.mcp]]
name = "slow"
transport = "http"
url = "http://127.0.0.1:${port}/mcp"
` });
  try {
    assert.equal((await result(server, "behind")).result, "mine");
  } finally {
    await server.stop();
    http.close();
  }
});

describe("an MCP server of resources alone", () => {
  // It knows no tools/list, and writes a line into a file each time it starts.
  const program = `
    require("fs").appendFileSync(process.env.STARTS, "start\\n");
    require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
      const { id, method, params } = JSON.parse(line);
      if (id === undefined) return;
      const result = { protocolVersion: params.protocolVersion, capabilities: { resources: {} }, serverInfo: { name: "r", version: "1" } };
      const answer = method === "initialize" ? { result } : { error: { code: -32601, message: "Method not found" } };
      console.log(JSON.stringify({ jsonrpc: "2.0", id, ...answer }));
    });`;
  test("stays connected and is told to have no tools", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "dure-mcp-"));
    const starts = path.join(folder, "starts");
    const server = await Server.start({ sections: `
[[tools.mcp]]
name = "papers"
transport = "stdio"
command = [${JSON.stringify(process.execPath)}, "-e", ${JSON.stringify(program)}]
env = { STARTS = ${JSON.stringify(starts)} }
` });
    try {
      const report = await server.post("/api/tools/reload", {});
      assert.deepEqual(report.json.failed, [{ source: "mcp:papers", name: null, error: "the server has no tools" }]);
      assert.equal(await readFile(starts, "utf8"), "start\n");
    } finally {
      await server.stop();
      await rm(folder, { recursive: true });
    }
  });
});

describe("MCP over standard input and output", () => {
  let server;
  before(async () => {
    process.env.MCP_TEST_KEY = "stdio-secret";
    process.env.MCP_TEST_OTHER = "not for children";
    server = await Server.start({ sections: `
[tools]
timeout = "2s"
[[tools.mcp]]
name = "real"
transport = "stdio"
command = [${JSON.stringify(process.execPath)}, ${JSON.stringify(path.join(support, "mcp_stdio_server.mjs"))}]
env = { PLAIN = "plain" }
secrets_env = { TOKEN = "MCP_TEST_KEY" }
[[tools.mcp]]
name = "some"
transport = "stdio"
command = [${JSON.stringify(process.execPath)}, ${JSON.stringify(path.join(support, "mcp_stdio_server.mjs"))}]
allow = ["echo", "pi*"]
[[tools.mcp]]
name = "broken"
transport = "stdio"
command = ["/no/such/program"]
` });
  });
  after(async () => server?.stop());

  commonBehaviour(() => server);

  test("the process inherits nothing but what it is given", async () => {
    const environment = JSON.parse((await result(server, "environment")).result);
    assert.equal(environment.PLAIN, "plain");
    assert.equal(environment.TOKEN, "stdio-secret");
    for (const name of ["MCP_TEST_OTHER", "MCP_TEST_KEY", "SCRIPTED_UPSTREAM_KEY", "SECRET_KEY"]) assert.equal(environment[name], undefined, name);
  });
  test("only allowed tools are taken, and names that are taken get the server's in front", async () => {
    const names = await toolNames(server);
    const ofSome = (await server.get("/api/tools")).json.tools.filter((one) => one.source === "mcp:some").map((one) => one.name).sort();
    assert.equal(ofSome.length, 3);
    assert.equal(new Set(names).size, names.length);
    assert.equal((await result(server, ofSome.find((one) => one.endsWith("echo")), { message: "two" })).result, "two");
  });
  test("a change of the list is followed", async () => {
    assert.equal((await result(server, "add_tool")).result, "added");
    await until(async () => (await toolNames(server)).includes("late"), "the new tool");
  });
  test("a call that takes too long is given up, the server goes on", async () => {
    const before_ = (await result(server, "pid")).result;
    assert.match((await result(server, "slow")).error, /in time/);
    assert.equal((await result(server, "pid")).result, before_);
  });
  test("an answer too large for one message fails its call, the server goes on", async () => {
    const before_ = (await result(server, "pid")).result;
    assert.match((await result(server, "huge")).error, /4 MiB/);
    assert.equal((await result(server, "pid")).result, before_);
  });
  test("a process that dies is started again, and calls wait for it", async () => {
    const old = (await result(server, "pid")).result;
    assert.equal((await result(server, "die")).success, false);
    const fresh = await result(server, "pid");
    assert.equal(fresh.success, true, fresh.error);
    assert.notEqual(fresh.result, old);
  });
  test("a program that cannot be started is listed", async () => {
    const report = await server.post("/api/tools/reload", {});
    assert.deepEqual(report.json.failed.map((one) => one.source), ["mcp:broken"]);
  });
});
