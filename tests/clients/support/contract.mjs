// Holds requests and answers of a running server against its own /openapi.json.
//   const contract = await Contract.of(server);
//   const answer = await contract.send("GET", "/api/agent-builder/flows?page=1");   // throws where it does not fit
//   contract.unseen("Flows");      // what no call has shown yet: "getFlow 200", "updateFlow 412" …
import assert from "node:assert/strict";
import Ajv from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { WebSocket } from "ws";

const methods = ["get", "put", "post", "patch", "delete"];
const pointer = (...parts) => "openapi#/" + parts.map((one) => encodeURIComponent(one.replaceAll("~", "~0").replaceAll("/", "~1"))).join("/");

export class Contract {
  static async of(server) {
    const { json } = await server.get("/openapi.json");
    return new Contract(server, json);
  }

  constructor(server, document) {
    this.server = server;
    this.document = document;
    this.ajv = new Ajv({ strict: false, allErrors: true });
    addFormats(this.ajv);
    this.ajv.addSchema(document, "openapi");
    this.seen = new Set();
    this.operations = Object.entries(document.paths).flatMap(([path, item]) => Object.entries(item)
      .filter(([method]) => methods.includes(method))
      .map(([method, operation]) => ({ path, method, operation, matches: matcherOf(path) })));
  }

  operationOf(method, target) {
    const path = target.split("?")[0];
    const found = this.operations.filter((one) => one.method === method.toLowerCase() && one.matches.test(path));
    const exact = found.find((one) => one.path === path) ?? found[0];
    assert.ok(exact, `${method} ${path} is not in the document`);
    return exact;
  }

  fits(value, place, what) {
    const validate = this.ajv.getSchema(place);
    assert.ok(validate, `no schema at ${place}`);
    assert.ok(validate(value), `${what} does not fit ${place}: ${this.ajv.errorsText(validate.errors)}\n${JSON.stringify(value)?.slice(0, 2000)}`);
  }
  fitsComponent(name, value, what = name) { this.fits(value, pointer("components", "schemas", name), what); }

  // `headers` may take the place of the server's key; `as` another bearer.
  async send(method, target, { body, headers = {}, as } = {}) {
    const found = this.operationOf(method, target);
    const answer = await this.server.request(method, target, { body, headers: { ...(as ? { authorization: `Bearer ${as}` } : {}), ...headers } });
    this.check(found, answer, { target, body, headers });
    return answer;
  }

  check({ path, method, operation }, answer, { target, body, headers }) {
    const what = `${method.toUpperCase()} ${target} ${answer.status}`;
    if (answer.status < 300) this.checkRequest(path, method, operation, { target, body, headers }, what);
    const status = String(answer.status) in operation.responses ? String(answer.status) : "default";
    assert.ok(status !== "default" || answer.status >= 400, `${what} is not in the document`);
    const declared = operation.responses[status];
    for (const [name, header] of Object.entries(declared.headers ?? {})) {
      const value = answer.headers.get(name);
      if (name !== "Idempotent-Replayed") assert.ok(value, `${what} has no ${name}`);
      if (value !== null && header.schema.const) assert.equal(value, header.schema.const);
    }
    for (const name of ["etag", "location", "idempotent-replayed"])
      if (answer.headers.get(name) !== null)
        assert.ok(Object.keys(declared.headers ?? {}).some((one) => one.toLowerCase() === name), `${what} has an undeclared ${name}`);
    const type = (answer.headers.get("content-type") ?? "").split(";")[0];
    if (!declared.content) assert.equal(answer.text, "", what);
    else {
      assert.ok(type in declared.content, `${what} is ${type}, not one of ${Object.keys(declared.content)}: ${answer.text}`);
      const value = type.includes("json") ? JSON.parse(answer.text) : answer.text;
      this.fits(value, pointer("paths", path, method, "responses", status, "content", type, "schema"), what);
    }
    this.seen.add(`${operation.operationId} ${status}${type === "text/event-stream" ? " stream" : ""}`);
  }

  // What the server took must be what the document allows.
  checkRequest(path, method, operation, { target, body, headers }, what) {
    const parameters = operation.parameters ?? [];
    for (const [name, text] of new URLSearchParams(target.split("?")[1] ?? "")) {
      const parameter = parameters.find((one) => one.in === "query" && one.name === name);
      assert.ok(parameter, `${what} took the undeclared parameter ${name}`);
      const type = parameter.schema.type;
      const value = type === "array" ? [text] : type === "string" ? text : JSON.parse(text);
      const at = ["paths", path, method, "parameters", String(parameters.indexOf(parameter)), "schema"];
      this.fits(value, pointer(...at), `${what} ${name}=${text}`);
    }
    for (const name of Object.keys(headers).filter((one) => ["if-match", "idempotency-key", "last-event-id"].includes(one.toLowerCase())))
      assert.ok(parameters.some((one) => one.in === "header" && one.name.toLowerCase() === name.toLowerCase()), `${what} took ${name}`);
    if (body === undefined) assert.ok(!operation.requestBody?.required, `${what} needs no body`);
    else {
      assert.ok(operation.requestBody, `${what} took a body`);
      this.fits(body, pointer("paths", path, method, "requestBody", "content", "application/json", "schema"), `body of ${what}`);
    }
  }

  // A WebSocket of an execution: every frame said fits, until it closes. `answers`: what to say to a frame, or nothing.
  async watch(id, answers = () => undefined, query = "") {
    const frames = [];
    const socket = new WebSocket(`${this.server.url.replace(/^http/, "ws")}/ws/executions/${id}${query}`, { headers: this.server.auth });
    await new Promise((resolve, reject) => {
      socket.on("message", (data) => {
        const frame = JSON.parse(data.toString());
        frames.push(frame);
        const say = answers(frame);
        if (say) socket.send(typeof say === "string" ? say : JSON.stringify(say));
      });
      socket.on("error", reject);
      socket.on("unexpected-response", (_, response) => reject(Object.assign(new Error(`HTTP ${response.statusCode}`), { status: response.statusCode })));
      socket.on("close", resolve);
    });
    for (const frame of frames) this.fitsComponent("ExecutionSocketFrame", frame);
    this.seen.add("watchExecution 101");
    return frames;
  }

  unseen(...tags) {
    return this.operations.filter((one) => tags.includes(one.operation.tags[0])).flatMap(({ operation }) =>
      Object.entries(operation.responses).flatMap(([status, answer]) => {
        const types = Object.keys(answer.content ?? {});
        const all = types.map((type) => `${operation.operationId} ${status}${type === "text/event-stream" ? " stream" : ""}`);
        return all.length ? all : [`${operation.operationId} ${status}`];
      })).filter((one) => !this.seen.has(one));
  }
}

const matcherOf = (path) => new RegExp(`^${path.replace(/[.*+?^$()|[\]\\]/g, "\\$&").replace(/\{[^}]+\}/g, "[^/]+")}$`);
