// README's container lines, run as they stand. An engine with its registries is not to be had where the tests run, so `docker` is a
// stand-in: it takes the options of those lines and no others, and runs the real program as the Dockerfile says
// (environment, command, volume). That the image builds is seen by hand (docs/requirements.md, O7).
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { binary, blocksOf, readPage, root } from "./support/documents.mjs";
import { plainEnvironment } from "./support/shell.mjs";

const run = promisify(execFile);

const engine = `#!/usr/bin/env bash
set -euo pipefail
refuse() { echo "docker: $*" >&2; exit 125; }
verb=$1; shift
case $verb in
build) [ "$*" = "-t dure ." ] && [ -f Dockerfile ] || refuse "build $*" ;;
run)
    volume=
    while [[ $1 = -* ]]; do
        case $1 in
        --rm) shift ;;
        -p) [ "$2" = "$EXPOSED:$EXPOSED" ] || refuse "port $2"; shift 2 ;;
        -v) [ "\${2#*:}" = /data ] || refuse "volume $2"; volume=\${2%%:*}; shift 2 ;;
        *) refuse "option $1" ;;
        esac
    done
    [ "$1" = dure ] || refuse "image $1"; shift
    data=$VOLUMES/$volume; mkdir -p "$data"; cd "$data"
    [ $# -gt 0 ] || set -- $COMMAND
    exec env \${IMAGE//@volume@/$data} DURE_SERVER__PORT=0 "$DURE_BINARY" "$@" ;;
*) refuse "$verb" ;;
esac
`;

describe("README's container", () => {
  let folder, env, server, said = "";

  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "dure-engine-"));
    await mkdir(path.join(folder, "bin"));
    await writeFile(path.join(folder, "bin/docker"), engine);
    await chmod(path.join(folder, "bin/docker"), 0o755);
    const dockerfile = (await readPage("Dockerfile")).replaceAll("\\\n", " ");
    const [, image] = dockerfile.match(/^ENV (.*)$/m);
    env = plainEnvironment({
      PATH: `${path.join(folder, "bin")}:${process.env.PATH}`, VOLUMES: path.join(folder, "volumes"), DURE_BINARY: binary,
      IMAGE: image.replaceAll(":/data/", ":@volume@/").replaceAll("/usr/local/share/dure", root), COMMAND: JSON.parse(dockerfile.match(/^CMD (.*)$/m)[1]).join(" "),
      EXPOSED: dockerfile.match(/^EXPOSE (\d+)$/m)[1],
    });
  });
  after(async () => {
    if (server && server.exitCode === null && server.signalCode === null) {
      process.kill(-server.pid, "SIGTERM");
      await once(server, "exit");
    }
    await rm(folder, { recursive: true });
  });

  test("serves, and the lines behind make an administrator who can log in and a key that works", async () => {
    const [block] = blocksOf(await readPage("README.md")).filter(({ mark }) => mark === "container");
    const [serve, ...others] = block.text.trim().split("\n");
    assert.equal(others.length, 2);
    server = spawn("bash", ["-c", serve], { cwd: root, env, detached: true });
    for (const stream of [server.stdout, server.stderr]) stream.setEncoding("utf8").on("data", (text) => (said += text));
    const until = Date.now() + 30_000;
    while (!/listening on http:\/\/0\.0\.0\.0:\d+/.test(said)) {
      assert.ok(Date.now() < until && server.exitCode === null, said);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const url = `http://127.0.0.1:${said.match(/listening on http:\/\/0\.0\.0\.0:(\d+)/)[1]}`;
    const [made, key] = await others.reduce(async (earlier, line) => [...(await earlier), (await run("bash", ["-c", line], { cwd: root, env })).stdout], []);
    const password = made.match(/^admin password: (\S+)$/m)[1];
    const login = await fetch(`${url}/auth/jwt/login`, { method: "POST", body: new URLSearchParams({ username: "you@example.org", password }) });
    assert.equal(login.status, 200);
    const models = await fetch(`${url}/v1/models`, { headers: { authorization: `Bearer ${key.trim()}` } });
    assert.equal(models.status, 200);
    assert.ok((await models.json()).data.some(({ id }) => id === "coe-agent-v1"));
  });
});
