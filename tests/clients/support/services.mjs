// PostgreSQL and Redis of a test's own, by scripts/services.sh; both end with stop(), or with this process.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { root } from "./documents.mjs";

const script = `
. scripts/services.sh
trap stop_services EXIT
start_postgres fsync=off >&2
start_redis >&2
echo "$postgres_url $redis_url"
read -r _ || true   # until the test closes this pipe, or is gone
`;

export class Services {
  static async start() {
    const services = new Services();
    services.child = spawn("bash", ["-euo", "pipefail", "-c", script], { cwd: root, stdio: ["pipe", "pipe", "pipe"] });
    services.ended = once(services.child, "exit");
    let errors = "";
    services.child.stderr.setEncoding("utf8").on("data", (text) => (errors += text));
    const said = await new Promise((resolve, reject) => {
      let text = "";
      services.child.stdout.setEncoding("utf8").on("data", (more) => (text += more).includes("\n") && resolve(text.trim()));
      services.child.on("exit", () => reject(new Error(`PostgreSQL and Redis did not start\n${errors}`)));
    });
    [services.postgres, services.redis] = said.split(" ");
    return services;
  }

  async stop() {
    this.child.stdin.end();
    await this.ended;
  }
}
