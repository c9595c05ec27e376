// A bash that a page's commands are pasted into: one process for the whole page, so that variables live on, each block
// with its own outcome.
//   const shell = new Shell({ cwd, env });
//   const output = await shell.paste("curl …");   // throws when a command fails
//   await shell.close();
import { spawn } from "node:child_process";
import { once } from "node:events";

export const plainEnvironment = (more = {}) => {
  const env = { ...process.env, ...more };
  for (const name of Object.keys(env))
    if (!(name in more) && /^DURE_(?!BINARY)|_API_KEY$|^(DATABASE|REDIS)_URL$|^SECRET_KEY$|^ADMIN_/.test(name)) delete env[name];
  return env;
};

export class Shell {
  #count = 0;
  #output = "";

  constructor({ cwd, env = {} }) {
    this.child = spawn("bash", ["-euo", "pipefail"], { cwd, env: plainEnvironment(env), stdio: ["pipe", "pipe", "pipe"] });
    this.ended = once(this.child, "exit");
    this.child.stdin.on("error", () => {});   // it ended; paste() says why
    for (const stream of [this.child.stdout, this.child.stderr])
      stream.setEncoding("utf8").on("data", (text) => (this.#output += text));
  }

  // The output of the block, both streams. Commands behind a failed one are not run.
  async paste(block, limit = 60_000) {
    const mark = `--- end of block ${++this.#count} ---`;
    const begin = this.#output.length;
    this.child.stdin.write(`${block}\necho; echo '${mark}'\n`);
    const end = Date.now() + limit;
    for (;;) {
      const said = this.#output.slice(begin);
      const at = said.indexOf(`\n${mark}\n`);
      if (at >= 0) return said.slice(0, at);
      if (this.child.exitCode !== null || this.child.signalCode !== null)
        throw new Error(`a command of this block failed:\n${block}\nThe shell said at its end:\n${said.slice(-2000)}`);
      if (Date.now() > end) {
        await this.close();
        throw new Error(`this block did not end within ${limit / 1000} s:\n${block}\nIt said:\n${said.slice(-2000)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async close() {
    this.child.stdin.end();
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const timer = setTimeout(() => this.child.kill("SIGKILL"), 15_000);
      await this.ended;
      clearTimeout(timer);
    }
  }
}
