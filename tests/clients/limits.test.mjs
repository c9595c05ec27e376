// What the official OpenAI SDK makes of limits on tokens: a RateLimitError with its headers, and no repeat where none would help.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import OpenAI from "openai";
import { Server } from "./support/server.mjs";

const messages = [{ role: "user", content: "Tell me a long story about a river." }];

describe("limits on tokens", () => {
  let server, client, requests;
  before(async () => {
    server = await Server.start({ limits: "tokens_per_day = 100\n" });
    requests = 0;
    const counted = (...request) => (requests++, fetch(...request));
    client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: server.key, maxRetries: 2, timeout: 10_000, fetch: counted });
  });
  after(async () => server?.stop());

  for (const stream of [false, true])
    test(`refuse with a RateLimitError that is not tried again, stream ${stream}`, async () => {
      const asked = client.chat.completions.create({ model: "mock", messages, stream, max_tokens: 5000 });
      const error = await asked.then(() => null, (thrown) => thrown);
      assert.ok(error instanceof OpenAI.RateLimitError, String(error));
      assert.equal(error.status, 429);
      assert.equal(error.code, "budget_exceeded");
      assert.equal(error.type, "rate_limit_error");
      assert.match(error.message, /100 tokens a day/);
      assert.equal(error.headers.get("x-ratelimit-limit-tokens"), "100");
      assert.equal(error.headers.get("x-ratelimit-remaining-tokens"), "100");
      assert.match(error.headers.get("x-ratelimit-reset-tokens"), /^\d+s$/);
      assert.ok(Number(error.headers.get("retry-after")) > 0);
    });

  test("ask the server once for each of them", () => assert.equal(requests, 2));

  test("take nothing for what was refused", async () => {
    const answer = await client.chat.completions.create({ model: "mock", messages, max_tokens: 5 });
    assert.ok(answer.usage.total_tokens > 0);
  });
});
