// The commands of docs/api.md, pasted: every ```sh block against a fresh server, in order, in one shell.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { Server } from "./support/server.mjs";

const page = (name) => readFile(new URL(`../../docs/${name}`, import.meta.url), "utf8");
// Blocks marked "sh skip" are not meant for a test: they name things only the reader has.
const blocks = (text) => [...text.matchAll(/```sh\n([\s\S]*?)```/g)].map((found) => found[1]);

function paste(script, env) {
  return new Promise((resolve) => {
    const shell = spawn("bash", ["-euo", "pipefail", "-x"], { env: { ...process.env, ...env } });
    let output = "";
    shell.stdout.setEncoding("utf8").on("data", (text) => (output += text));
    shell.stderr.setEncoding("utf8").on("data", (text) => (output += text));
    shell.on("close", (code) => resolve({ code, output }));
    shell.stdin.end(script);
  });
}

describe("the documentation", () => {
  let server;
  before(async () => (server = await Server.start({})));
  after(async () => server?.stop());

  test("every command of the API guide works when pasted", async () => {
    const found = blocks(await page("api.md"));
    assert.ok(found.length >= 6);
    const script = found.join("\n").replaceAll("http://127.0.0.1:8000", server.url);
    const password = server.stdout.match(/admin password:\s*(\S+)/)[1];
    const { code, output } = await paste(script, { KEY: server.key, PASSWORD: password });
    assert.equal(code, 0, output.split("\n").slice(-12).join("\n"));
    assert.match(output, /84/);
    assert.match(output, /data: \[DONE\]/);
  });
});
