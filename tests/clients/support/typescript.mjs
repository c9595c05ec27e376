// Makes types of a running server's /openapi.json, compiles the client in ../typescript against them, strictly, and loads it.
//   const built = await buildClient(server);   // throws with what openapi-typescript or tsc say
//   const { connect } = built.modules.founders;
import { spawn } from "node:child_process";
import { cp, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import openapiTS, { astToString } from "openapi-typescript";

const here = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");

function run(command, args, cwd) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text) => (output += text));
    child.stderr.setEncoding("utf8").on("data", (text) => (output += text));
    child.on("close", (code) => resolve({ code, output }));
  });
}

export async function buildClient(server) {
  const folder = await mkdtemp(path.join(tmpdir(), "dure-typescript-"));
  await cp(path.join(here, "typescript"), folder, { recursive: true });
  await writeFile(path.join(folder, "package.json"), '{"type":"module"}');
  await symlink(path.join(here, "node_modules"), path.join(folder, "node_modules"));
  const types = astToString(await openapiTS(new URL(`${server.url}/openapi.json`)));
  await writeFile(path.join(folder, "openapi.d.ts"), types);
  const { code, output } = await run(process.execPath, [path.join(here, "node_modules/typescript/bin/tsc"), "-p", "."], folder);
  if (code !== 0) throw new Error(`tsc: ${output}`);
  const modules = {};
  for (const name of ["client", "executions", "founders"])
    modules[name] = await import(pathToFileURL(path.join(folder, "out", `${name}.js`)).href);
  return { folder, types, modules, remove: () => rm(folder, { recursive: true, force: true }) };
}
