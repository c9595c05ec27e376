// A small client on the types that openapi-typescript makes of /openapi.json: request() takes what an operation takes and gives
// what it answers, so that a call the server would refuse does not compile. flows.ts, executions.ts and events.ts stand on it.
import type { components, paths } from "./openapi.js";

export type Schemas = components["schemas"];
type Method = "get" | "put" | "post" | "delete";
type Operation<P extends keyof paths, M extends Method> = Exclude<paths[P][M], undefined>;
type Parameters<O> = O extends { parameters: infer All } ? All : never;
type Part<O, Name extends string> = Name extends keyof Parameters<O> ? Exclude<Parameters<O>[Name], undefined> : never;
type Body<O> = O extends { requestBody?: { content: { "application/json": infer B } } } ? B : never;
type JsonOf<R> = R extends { content: { "application/json": infer B } } ? B : never;
type Answers<O> = O extends { responses: infer R } ? { [S in keyof R]: S extends 200 | 201 | 202 ? JsonOf<R[S]> : never }[keyof R] : never;

export interface Options<O> {
  path?: Part<O, "path">;
  query?: Part<O, "query">;
  headers?: Part<O, "header">;
  body?: Body<O>;
}
export interface Answered<B> {
  status: number;
  etag: string | null;
  body: B;
}

export class ApiError extends Error {
  constructor(readonly status: number, readonly problem: Schemas["Problem"], readonly etag: string | null) {
    super(problem.detail);
  }
}

export class Client {
  constructor(readonly baseUrl: string, readonly token: string) {}

  async request<P extends keyof paths, M extends Method>(
    method: M, path: P, options: Options<Operation<P, M>> = {},
  ): Promise<Answered<Answers<Operation<P, M>>>> {
    const response = await this.send(method, path, options);
    const text = await response.text();
    return { status: response.status, etag: response.headers.get("etag"), body: text === "" ? undefined : JSON.parse(text) };
  }

  // The answer of a stream is read by the caller.
  async send<P extends keyof paths, M extends Method>(
    method: M, path: P, options: Options<Operation<P, M>> = {}, accept = "application/json",
  ): Promise<Response> {
    const headers = new Headers({ authorization: `Bearer ${this.token}`, accept });
    for (const [name, value] of Object.entries(options.headers ?? {})) headers.set(name, String(value));
    if (options.body !== undefined) headers.set("content-type", "application/json");
    const response = await fetch(this.baseUrl + fill(path, options.path ?? {}) + queryOf(options.query ?? {}), {
      method: method.toUpperCase(), headers, ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
    });
    if (!response.ok) throw new ApiError(response.status, await response.json(), response.headers.get("etag"));
    return response;
  }
}

const fill = (path: string, values: object) =>
  Object.entries(values).reduce((filled, [name, value]) => filled.replace(`{${name}}`, encodeURIComponent(String(value))), path);

function queryOf(values: object): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values))
    for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined) query.append(name, String(one));
  const text = query.toString();
  return text === "" ? "" : `?${text}`;
}
