// The project's pages as tests read them: every fenced block with its language, its mark and its line.
// What a block is, its info string says (only the first word is shown by renderers):
//   ```sh                 pasted into the page's shell, in order
//   ```sh server          starts the server that the blocks behind it talk to
//   ```sh skip: reason    only shown, and why
//   ```js                 a program of its own
//   ```toml               configuration; `toml tools`: a tool file
//   ```sh container       run by container.test.mjs
//   ```json headers       other marks are named where the page is tested
// Blocks without a language, and mermaid, are drawings.
import { mkdtemp, mkdir, readFile, readdir, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../..");
export const binary = path.resolve(process.env.DURE_BINARY ?? path.join(root, "build/release/dure"));

const drawings = new Set(["", "mermaid"]);

export async function documentNames() {
  const pages = (await readdir(path.join(root, "docs"))).filter((name) => name.endsWith(".md"));
  return ["README.md", "README.ko.md", "CONTRIBUTING.md", "bench/README.md", "examples/flows/README.md", ...pages.map((name) => `docs/${name}`)].sort();
}

export const withoutComments = (text) => text.replace(/(^|\s)#.*$/gm, "").replace(/\s+$/gm, "");

export const readPage = (name) => readFile(path.join(root, name), "utf8");

// [{language, mark, reason, text, line}] without drawings; a block inside of a list loses its indentation.
export function blocksOf(page) {
  const found = [];
  let block;
  page.split("\n").forEach((line, index) => {
    const fence = line.match(/^( *)```(.*)$/);
    if (!fence) return void block?.lines.push(line.slice(block.indent));
    if (block) {
      found.push(block);
      block = undefined;
      return;
    }
    const [, language, rest] = fence[2].trim().match(/^(\S*)\s*(.*)$/);
    const [mark, reason] = rest.split(/:\s*(.*)/s);
    block = { language, mark, reason, lines: [], line: index + 1, indent: fence[1].length };
  });
  if (block) throw new Error(`the block of line ${block.line} has no end`);
  return found.filter(({ language }) => !drawings.has(language)).map(({ lines, indent, ...rest }) => ({ ...rest, text: lines.join("\n") + "\n" }));
}

// A folder that looks like a checkout in which the server was built: links to what is in the project, data of its own.
export async function checkout() {
  const folder = await mkdtemp(path.join(tmpdir(), "dure-docs-"));
  for (const name of ["config", "docs", "examples", "migrations", "scripts", "tests", "Dockerfile", "docker-compose.yml"])
    await symlink(path.join(root, name), path.join(folder, name));
  await symlink(path.join(root, "tests/clients/node_modules"), path.join(folder, "node_modules"));
  await mkdir(path.join(folder, "build/release"), { recursive: true });
  await symlink(binary, path.join(folder, "build/release/dure"));
  return folder;
}
