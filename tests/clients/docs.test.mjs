// Every command of every page works: shell blocks are pasted in order into one shell per page, against the server that
// the page itself starts or, where it starts none, a fresh one; programs run; configurations are read; JSON is parsed.
// What cannot be run here says why (support/documents.mjs has the marks), and a block that is neither fails. The commands
// for back-ups are run by operations.test.mjs, those of containers by container.test.mjs.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { access, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { binary, blocksOf, checkout, documentNames, readPage, root, withoutComments } from "./support/documents.mjs";
import { Page } from "./support/page.mjs";
import { Server } from "./support/server.mjs";
import { plainEnvironment } from "./support/shell.mjs";

const run = promisify(execFile);
const marks = {
  sh: ["", "server", "skip", "container", "backup", "restore", "backup of PostgreSQL", "restore of PostgreSQL"],
  js: [""], toml: ["", "tools"], json: ["headers"], cpp: ["skip"],
};
const isPasted = ({ language, mark }) => language === "js" || (language === "sh" && ["", "server"].includes(mark));
const pages = [];
for (const name of await documentNames()) {
  const text = await readPage(name);
  pages.push({ name, text, blocks: blocksOf(text) });
}
const pageOf = (name) => pages.find((page) => page.name === name);

describe("the documentation", () => {
  test("each block is of a kind that is tested, or says why it is only shown", () => {
    for (const { name, blocks } of pages)
      for (const { language, mark, reason, line } of blocks) {
        assert.ok(marks[language]?.includes(mark), `${name}:${line}: nothing tests a block "${language} ${mark}"`);
        if (mark === "skip") assert.ok(reason?.length >= 20, `${name}:${line}: no reason`);
      }
  });

  for (const { name, blocks } of pages.filter(({ name, blocks }) => name !== "README.ko.md" && blocks.some(isPasted)))
    test(`the commands of ${name} work when pasted`, async () => {
      const page = await new Page().open();
      let said = "";
      try {
        for (const block of blocks) {
          if (block.language === "js") said += await page.runProgram(block);
          else if (block.language === "sh" && block.mark === "server") await page.startServer(block);
          else if (isPasted(block)) {
            if (!page.server) await page.startServer();
            said += await page.paste(block);
          }
        }
      } finally {
        await page.close();
      }
      if (!["README.md", "docs/api.md"].includes(name)) return;
      const streamed = [...said.matchAll(/"delta":\{"content":"([^"]*)"/g)].map(([, text]) => text).join("");
      assert.match(streamed, /84/, "the agent's true result");
      assert.match(said, /data: \[DONE\]/);
    });

  test("every configuration is read without a complaint", async () => {
    for (const { name, blocks } of pages)
      for (const block of blocks.filter(({ language, mark }) => language === "toml" && mark === "")) {
        const folder = await checkout();
        await writeFile(path.join(folder, "page.toml"), block.text);
        const named = [...block.text.matchAll(/= ?"([A-Z][A-Z0-9]*_[A-Z0-9_]+)"/g)].map(([, variable]) => [variable, "value"]);
        await run(binary, ["config", "check", "--config", "page.toml"], { cwd: folder, env: plainEnvironment(Object.fromEntries(named)) })
          .catch((error) => assert.fail(`${name}:${block.line}: ${error.stderr}`));
        await rm(folder, { recursive: true });
      }
  });

  test("the programs and options that texts and skipped blocks name are there", async () => {
    let checked = 0;
    for (const { name, text, blocks } of pages) {
      const spans = [...text.matchAll(/`([^`\n]+)`/g)].map(([, span]) => span);
      const skipped = blocks.filter(({ mark }) => mark === "skip").flatMap((block) => withoutComments(block.text).split(/\n|&&/));
      for (const command of [...spans, ...skipped].map((one) => one.trim())) {
        const script = command.match(/^(?:\.\/)?((?:scripts|bench)\/[\w-]+)(?:\s|$)/);
        if (script) await access(path.join(root, script[1])).catch(() => assert.fail(`${name}: there is no ${script[1]}`));
        const called = command.match(/^(?:build\/release\/)?dure ([a-z].*)$/);
        for (const one of called?.[1].split(" / ") ?? []) await commandIsThere(one, `${name}: ${command}`);
        checked += script || called ? 1 : 0;
      }
    }
    assert.ok(checked > 20);
  });

  test("docs/api.md has a command for every group of routes", async () => {
    const { paths } = JSON.parse((await run(binary, ["openapi"], { maxBuffer: 1 << 24 })).stdout);
    const pasted = pageOf("docs/api.md").blocks.filter(isPasted).map(({ text }) => text).join("\n");
    const groups = new Set(Object.keys(paths).map((target) => target.split("/").slice(1, target.startsWith("/api/") ? 3 : 2).join("/")));
    assert.ok(groups.size > 15);
    for (const group of groups) assert.ok(pasted.includes(`http://127.0.0.1:8000/${group}`), `no command for /${group}`);
  });

  test("README.ko.md has the commands of README.md", () => {
    const commands = (name) => pageOf(name).blocks.map(({ language, mark, text }) => ({ language, mark, text: withoutComments(text) }));
    assert.deepEqual(commands("README.ko.md"), commands("README.md"));
  });

  test("both READMEs' tables name the same settings, and each is one", async () => {
    const example = await readFile(path.join(root, "config/dure.example.toml"), "utf8");
    const settings = (name) => [...pageOf(name).text.matchAll(/^\|[^|]*\|([^|]*)\|.*\|$/gm)].flatMap(([, cell]) => [...cell.matchAll(/`([a-z_.]+|\[+[a-z._]+\]+)`/g)].map(([, key]) => key)).filter((key) => /^\[|\w\.\w/.test(key));
    const [english, korean] = [settings("README.md"), settings("README.ko.md")];
    assert.ok(english.length > 20);
    assert.deepEqual(korean, english);
    for (const key of english) {
      const [, section, last] = key.startsWith("[") ? [, key, ""] : key.match(/^(.*)\.(\w+)$/);
      const header = section.startsWith("[") ? section : `[${section}]`;
      const at = example.search(new RegExp(`^(# )?${header.replace(/[[\].]/g, "\\$&")}$`, "m"));
      assert.ok(at >= 0, `${key} is no section`);
      const body = example.slice(at + header.length).split(/^(?:# )?\[/m)[0];
      assert.ok(last === "" || new RegExp(`^(# )?${last} = `, "m").test(body), `${key} is no key`);
    }
  });

  test("the headers for Open WebUI are those whose use is tested", async () => {
    const tested = await readFile(path.join(root, "tests/clients/support/openwebui.mjs"), "utf8");
    const [block] = pageOf("README.md").blocks.filter(({ mark }) => mark === "headers");
    for (const header of Object.keys(JSON.parse(block.text))) assert.ok(tested.includes(`"${header}"`), header);
  });

  test("the tool files of docs/tools.md give tools", async () => {
    const files = pageOf("docs/tools.md").blocks.filter(({ mark }) => mark === "tools");
    const server = await Server.start({});
    try {
      const folder = path.join(server.folder, "config/tools");
      await mkdir(folder, { recursive: true });
      for (const { text, line } of files) await writeFile(path.join(folder, `line-${line}.toml`), text);
      await writeFile(path.join(folder, "petstore.json"), JSON.stringify(petstore));
      const { status, json } = await server.post("/api/tools/reload");
      assert.equal(status, 200);
      assert.deepEqual(json.failed, []);
      const { json: list } = await server.get("/api/tools");
      for (const tool of ["exchange_rate", "pets_getPet", "pets_listPets"]) assert.ok(JSON.stringify(list).includes(`"${tool}"`), tool);
      assert.ok(!JSON.stringify(list).includes("pets_deletePet"));
    } finally {
      await server.stop();
    }
  });
});

const helpPages = new Map();
async function commandIsThere(line, where) {
  const words = line.replace(/["'].*?["']/g, "").split(/\s+/);
  const names = [];
  while (/^[a-z]+$/.test(words[0] ?? "")) names.push(words.shift());
  const key = names.join(" ");
  if (!helpPages.has(key))
    helpPages.set(key, run(binary, [...names, "--help"]).then(({ stdout }) => stdout, ({ stderr }) => ({ stderr })));
  const help = await helpPages.get(key);
  assert.equal(typeof help, "string", `${where}: ${help.stderr}`);
  assert.ok(help.includes(`Usage: dure ${key}`), where);
  for (const option of line.match(/--[a-z-]+/g) ?? []) assert.ok(help.includes(option), `${where}: no ${option}`);
}

const operation = (operationId) => ({ operationId, description: operationId, responses: { 200: { description: "done" } } });
const petstore = {
  openapi: "3.0.3", info: { title: "Pets", version: "1" }, servers: [{ url: "https://petstore.example/v1" }],
  paths: { "/pets": { get: operation("listPets") }, "/pets/{id}": {
    parameters: [{ name: "id", in: "path", required: true, schema: { type: "string" } }], get: operation("getPet"), delete: operation("deletePet") } },
};
