// A page's commands being followed: one folder that looks like a checkout, the server that the page starts, and one shell
// for all blocks behind the same server.
//   const page = await new Page().open();
//   await page.startServer(block);      // without a block: ./scripts/run
//   const said = await page.paste(block);
//   await page.close();
import { execFile } from "node:child_process";
import { rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { binary, checkout, withoutComments } from "./documents.mjs";
import { Server } from "./server.mjs";
import { Services } from "./services.mjs";
import { Shell, plainEnvironment } from "./shell.mjs";

const run = promisify(execFile);
const prints = { key: /API key:\s*(dk_\w+)/, password: /admin password:\s*(\S+)/ };

// The last command starts the server; the other of the two commands of a README is what runs this test.
function startScript(text) {
  const lines = withoutComments(text).trim().split("\n").filter((line) => line !== "./scripts/test");
  const last = lines.pop().replace(/ --port \d+/, "");
  return [...lines, `exec ${last} --port 0`].join("\n");
}

function printedBy(text) {
  if (text.includes("--services")) return { password: prints.password };
  return text.includes("scripts/run") ? prints : {};
}

export class Page {
  async open(env = {}) {
    this.folder = await checkout();
    await writeFile(path.join(this.folder, "quiet.toml"), '[log]\nlevel = "warn"\n');
    this.env = {
      DURE_CONFIG: path.join(this.folder, "quiet.toml"), DURE_BINARY: binary,
      PATH: `${path.join(this.folder, "build/release")}:${process.env.PATH}`, ...env,
    };
    return this;
  }

  // `expected`: what its standard output has to have; at a first start an administrator and a key.
  async startServer({ text } = { text: "./scripts/run" }, expected = printedBy(text)) {
    await this.stopServer();
    if (/DATABASE_URL=/.test(text)) this.services ??= await Services.start();
    this.server = await Server.startByScript({
      folder: this.folder, env: this.env, prints: expected, script: this.#filledIn(startScript(text)),
    });
    return this.server;
  }

  async paste({ text }) {
    this.shell ??= new Shell({ cwd: this.folder, env: this.env });
    return this.shell.paste(this.#filledIn(text));
  }

  async runProgram({ text, line }) {
    const file = path.join(this.folder, `line-${line}.mjs`);
    await writeFile(file, this.#filledIn(text));
    const { stdout } = await run(process.execPath, [file], { cwd: this.folder, env: plainEnvironment({ KEY: this.server.key }) });
    return stdout;
  }

  async stopServer() {
    const { server, shell } = this;
    this.server = this.shell = undefined;
    await shell?.close();
    await server?.stop();
  }

  async close() {
    await this.stopServer();
    await this.services?.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  // What a reader puts in himself: his key, password and addresses.
  #filledIn(text) {
    const known = {
      "http://127.0.0.1:8000": this.server?.url, "dk_…": this.server?.key, "PASSWORD=…": `PASSWORD=${this.server?.password}`,
      "postgresql://dure@127.0.0.1:5432/dure": this.services?.postgres, "redis://127.0.0.1:6379": this.services?.redis,
    };
    return Object.entries(known).reduce((filled, [from, to]) => (to ? filled.replaceAll(from, to) : filled), text);
  }
}
