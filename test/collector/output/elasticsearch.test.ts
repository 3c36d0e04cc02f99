import { createServer } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Output } from "../../../collector/output/output.ts";
import type { Batch } from "../../../collector/wire/batch.ts";
import { listenLocally } from "../../support/listen.ts";
import { encodeRequest, sampleBatch } from "../../support/otlp.ts";
import { deliveryOf, never, openOutput, type Server, startServer } from "./elasticsearch-server.ts";

let server: Server;
let output: Output;
beforeEach(async () => {
  server = await startServer();
  output = await openOutput(server.url);
});
afterEach(async () => {
  await output.close();
  await server.close();
});

const three = (): Batch => sampleBatch("logs", { items: 3 });
const malformed = {
  status: 400,
  error: {
    type: "document_parsing_exception",
    reason: "failed to parse field [a]\nof type [long]",
    caused_by: { reason: "not a number" },
  },
};

describe("of the records of a request", () => {
  test("each is created with the id of its place in the log", async () => {
    const outcome = await output.deliver(deliveryOf([three(), three()], 7), never);
    expect(outcome).toEqual({ kind: "delivered" });
    expect([...server.stored.keys()]).toEqual(
      [7, 8].flatMap((p) => [0, 1, 2].map((i) => `log-${p}-${i}`)),
    );
    expect(server.bulks).toHaveLength(1);
    expect(server.bulks[0]!.headers["content-type"]).toBe("application/x-ndjson");
  });

  test("those that are stored already count as delivered", async () => {
    await output.deliver(deliveryOf([three()]), never);
    expect(await output.deliver(deliveryOf([three()]), never)).toEqual({ kind: "delivered" });
    expect(server.stored.size).toBe(3);
  });

  test("those that shall wait are sent again, alone", async () => {
    const busy = {
      status: 429,
      error: { type: "es_rejected_execution_exception", reason: "full" },
    };
    const delivery = deliveryOf([three(), three()]);
    server.onBulk = () => ({ items: { "log-0-1": busy, "log-1-2": busy } });
    expect(await output.deliver(delivery, never)).toEqual({
      kind: "retry",
      reason: "busy",
      detail: "429 es_rejected_execution_exception: full",
    });
    server.onBulk = undefined;
    expect(await output.deliver(delivery, never)).toEqual({ kind: "delivered" });
    expect([...server.bulks[1]!.documents.keys()]).toEqual(["log-0-1", "log-1-2"]);
    expect(server.stored.size).toBe(6);
  });

  test("those that are refused are named with the reason, also when others had to wait", async () => {
    const delivery = deliveryOf([three(), three()]);
    server.onBulk = () => ({ items: { "log-0-1": malformed, "log-1-0": { status: 503 } } });
    expect(await output.deliver(delivery, never)).toMatchObject({ kind: "retry", reason: "busy" });
    server.onBulk = () => ({ items: { "log-1-0": { status: 413 } } });
    const detail = String.raw`400 document_parsing_exception: failed to parse field [a]\u000aof type [long]: not a number`;
    expect(await output.deliver(delivery, never)).toEqual({
      kind: "rejected",
      reason: "bad_data",
      detail,
      items: 2,
      which: [
        { position: 0, index: 1, reason: "bad_data", detail },
        { position: 1, index: 0, reason: "too_large", detail: "413" },
      ],
    });
    expect(server.stored.size).toBe(4);
  });

  test("those that went into the failure store are not delivered", async () => {
    server.onBulk = () => ({ items: { "log-0-2": { status: 201, failure_store: "used" } } });
    const outcome = await output.deliver(deliveryOf([three()]), never);
    expect(outcome).toMatchObject({ kind: "rejected", reason: "bad_data", items: 1 });
  });

  test.each([
    [401, "security_exception", "unauthorized"],
    [403, "security_exception", "unauthorized"],
    [403, "cluster_block_exception", "server_error"],
    [404, "index_not_found_exception", "not_found"],
    [408, "process_cluster_event_timeout_exception", "timeout"],
    [500, "null_pointer_exception", "server_error"],
    [503, "unavailable_shards_exception", "busy"],
    [400, "validation_exception", "server_error"],
    [400, "index_closed_exception", "not_found"],
  ] as const)("%i %s waits for somebody to mend it", async (status, type, reason) => {
    const delivery = deliveryOf([three()]);
    server.onBulk = () => ({ items: { "log-0-0": { status, error: { type, reason: "why" } } } });
    const detail = `${status} ${type}: why`;
    expect(await output.deliver(delivery, never)).toEqual({ kind: "retry", reason, detail });
    server.onBulk = undefined;
    expect(await output.deliver(delivery, never)).toEqual({ kind: "delivered" });
  });
});

describe("a request as a whole", () => {
  test.each([
    [429, "busy"],
    [503, "busy"],
    [502, "server_error"],
    [504, "server_error"],
    [500, "server_error"],
    [401, "unauthorized"],
    [403, "unauthorized"],
    [404, "not_found"],
    [408, "timeout"],
    [302, "bad_answer"],
    [405, "bad_answer"],
    [400, "bad_answer"], // of something in front of the server: no JSON that says why
  ] as const)("answered by %i is kept for later: %s", async (status, reason) => {
    const delivery = deliveryOf([three()]);
    server.onBulk = () => ({ status, body: "<html>" });
    expect(await output.deliver(delivery, never)).toEqual({
      kind: "retry",
      reason,
      detail: `${status}`,
    });
    server.onBulk = undefined;
    expect(await output.deliver(delivery, never)).toEqual({ kind: "delivered" });
  });

  test("waits as long as Retry-After asks for, in seconds or as a date, but not longer than five minutes", async () => {
    const delivery = deliveryOf([three()]);
    const waits: (number | undefined)[] = [];
    const inTen = new Date(Date.now() + 10_000).toUTCString();
    for (const after of ["3", "0", "9999999", inTen, "soon"]) {
      server.onBulk = () => ({ status: 429, headers: { "retry-after": after } });
      const outcome = await output.deliver(delivery, never);
      waits.push(outcome.kind === "retry" ? outcome.afterMs : -1);
    }
    expect(waits).toEqual([3000, 0, 300_000, expect.closeTo(9000, -4), undefined]);
  });

  test("that is too large is halved until it fits, and the next one is smaller at once", async () => {
    const limit = 100_000;
    server.onBulk = ({ body }) => (body.length > limit ? { status: 413 } : false);
    const batches = Array.from({ length: 10 }, () => sampleBatch("logs", { items: 100 }));
    expect(await output.deliver(deliveryOf(batches), never)).toEqual({ kind: "delivered" });
    expect(server.stored.size).toBe(1000);
    const refused = server.bulks.filter(({ body }) => body.length > limit).length;
    expect(refused).toBeGreaterThan(0);
    expect(await output.deliver(deliveryOf(batches, 100), never)).toEqual({ kind: "delivered" });
    expect(server.stored.size).toBe(2000);
    expect(server.bulks.filter(({ body }) => body.length > limit)).toHaveLength(refused);
  });

  test("that is too large with one record only is refused, and its neighbours are stored", async () => {
    server.onBulk = ({ body }) => (body.length > 10_000 ? { status: 413 } : false);
    const huge = batchOf("x", "y".repeat(10_000), "z");
    expect(await output.deliver(deliveryOf([huge], 5), never)).toEqual({
      kind: "rejected",
      reason: "too_large",
      detail: "413",
      items: 1,
      which: [{ position: 5, index: 1, reason: "too_large", detail: "413" }],
    });
    expect([...server.stored.keys()]).toEqual(["log-5-0", "log-5-2"]);
  });

  test("that the server does not understand is halved down to the record to blame", async () => {
    const error = { type: "illegal_argument_exception", reason: "no such thing" };
    server.onBulk = ({ body }) => body.includes("culprit") && { status: 400, body: { error } };
    const batch = batchOf("a", "b", "c", "culprit", "d");
    expect(await output.deliver(deliveryOf([batch]), never)).toMatchObject({
      kind: "rejected",
      items: 1,
      which: [
        { index: 3, reason: "bad_data", detail: "400 illegal_argument_exception: no such thing" },
      ],
    });
    expect(server.stored.size).toBe(4);
  });

  test("is bounded in size, however much one batch holds", async () => {
    const large = batchOf(...Array.from({ length: 40 }, () => "x".repeat(1024 * 1024)));
    expect(await output.deliver(deliveryOf([large]), never)).toEqual({ kind: "delivered" });
    expect(server.stored.size).toBe(40);
    expect(Math.max(...server.bulks.map(({ body }) => body.length))).toBeLessThan(10 * 1024 * 1024);
  });
});

describe("an answer that is none", () => {
  test.each<[what: string, body: string, detail: RegExp]>([
    ["garbage", "<html>please log in</html>", /without a list of items/],
    ["empty", "", /without a list of items/],
    ["truncated", '{"items":[{"create":{"status":201}},', /without a list of items/],
    ["for fewer records", '{"items":[{"create":{"status":201}}]}', /1 items .* 3 records/],
    ["without a status", '{"items":[{"create":{}},{},3]}', /without a status/],
    ["deep", "[".repeat(1_000_000), /without a list of items/],
    ["with a list of its own kind", '{"items":{"length":3}}', /without a list of items/],
    ["huge", `{"items":[${"1,".repeat(5_000_000)}1]}`, /too large, at most 8388608 bytes/],
  ])("%s: nothing counts as delivered", async (_what, body, detail) => {
    const delivery = deliveryOf([three()]);
    server.onBulk = () => ({ status: 200, body });
    const outcome = await output.deliver(delivery, never);
    expect(outcome).toEqual({
      kind: "retry",
      reason: "bad_answer",
      detail: expect.stringMatching(detail),
    });
    server.onBulk = undefined;
    expect(await output.deliver(delivery, never)).toEqual({ kind: "delivered" });
    expect(server.stored.size).toBe(3);
  });

  test("broken off after everything was stored: sent again, stored once", async () => {
    const delivery = deliveryOf([three()]);
    server.onBulk = ({ documents }, response) => {
      for (const [id, document] of documents) server.stored.set(id, document);
      response.writeHead(200, { "content-length": "1000" }).write('{"items":[');
      setImmediate(() => response.destroy());
      return true;
    };
    expect(await output.deliver(delivery, never)).toEqual({
      kind: "retry",
      reason: "unreachable",
      detail: "the answer broke off",
    });
    server.onBulk = undefined;
    expect(await output.deliver(delivery, never)).toEqual({ kind: "delivered" });
    expect(server.stored.size).toBe(3);
  });

  test("a connection that ends without one", async () => {
    server.onBulk = (_request, response) => {
      response.destroy();
      return true;
    };
    const outcome = await output.deliver(deliveryOf([three()]), never);
    expect(outcome).toMatchObject({ kind: "retry", reason: "unreachable" });
  });

  test("no server at all", async () => {
    await server.close();
    const outcome = await output.deliver(deliveryOf([three()]), never);
    expect(outcome).toMatchObject({ kind: "retry", reason: "unreachable" });
    expect(outcome).toHaveProperty("detail", `connect ECONNREFUSED ${new URL(server.url).host}`);
  });

  test("too late, also when it drips: the time for a request is limited", async () => {
    await output.close();
    output = await openOutput(server.url, { timeout_ms: 200 });
    const delivery = deliveryOf([three()]);
    server.onBulk = (_request, response) => {
      const drip = setInterval(() => response.write(" "), 20);
      response.on("close", () => clearInterval(drip));
      return true;
    };
    expect(await output.deliver(delivery, never)).toMatchObject({
      kind: "retry",
      reason: "timeout",
    });
    server.onBulk = undefined;
    expect(await output.deliver(delivery, never)).toEqual({ kind: "delivered" });
  });

  test("that comes before the request is out ends the request", async () => {
    const early = createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => socket.end("HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n"));
    });
    const url = `http://127.0.0.1:${await listenLocally(early)}`;
    const other = await openOutput(url);
    const large = batchOf("x".repeat(30 * 1024 * 1024));
    const outcome = await other.deliver(deliveryOf([large]), never);
    expect(outcome).toMatchObject({ kind: "rejected", reason: "too_large" });
    await other.close();
    early.close();
  });

  test("stopping ends the wait for one", async () => {
    const stop = new AbortController();
    server.onBulk = () => {
      setImmediate(() => stop.abort());
      return true;
    };
    const outcome = await output.deliver(deliveryOf([three()]), stop.signal);
    expect(outcome).toMatchObject({ kind: "retry", detail: "cut off, since the collector stops" });
    expect(await output.deliver(deliveryOf([three()]), stop.signal)).toMatchObject({
      kind: "retry",
    });
    expect(server.bulks).toHaveLength(1);
  });
});

test("a kept connection that the server has just given up is no incident", async () => {
  expect(await output.deliver(deliveryOf([three()]), never)).toEqual({ kind: "delivered" });
  let isFirst = true;
  server.onBulk = (_request, response) => {
    if (isFirst) response.socket?.resetAndDestroy();
    const wasFirst = isFirst;
    isFirst = false;
    return wasFirst;
  };
  expect(await output.deliver(deliveryOf([three()], 1), never)).toEqual({ kind: "delivered" });
  expect(server.stored.size).toBe(6);
});

describe("the index template", () => {
  test("is made once, before the first records", async () => {
    server.onOther = ({ method }) => method === "GET" && { status: 404 };
    server.onBulk = () => {
      expect(puts()).toEqual(["/_index_template/sonde-logs?create=true"]);
      return false;
    };
    await output.deliver(deliveryOf([three()]), never);
    await output.deliver(deliveryOf([three()], 1), never);
    expect(server.others).toHaveLength(2);
    expect(server.stored.size).toBe(6);
  });

  test("that is there is left alone", async () => {
    await output.deliver(deliveryOf([three()]), never);
    expect(puts()).toEqual([]);
  });

  test("is made in the words that the server knows", async () => {
    server.onOther = ({ method, body }) => {
      if (method === "GET") return { status: 404 };
      return body.includes("flat_object") ? false : { status: 400 };
    };
    expect(await output.deliver(deliveryOf([three()]), never)).toEqual({ kind: "delivered" });
    expect(puts()).toHaveLength(3);
  });

  test.each([403, 405, 400])(
    "does not keep the records waiting when refused by %i",
    async (status) => {
      server.onOther = ({ method }) => ({ status: method === "GET" ? 404 : status });
      await output.close();
      const said: string[] = [];
      output = await openOutput(server.url, {}, { write: (line) => said.push(line) });
      expect(await output.deliver(deliveryOf([three()]), never)).toEqual({ kind: "delivered" });
      expect(said).toHaveLength(1);
      expect(said[0]).toMatch(`output elasticsearch: index template: ${status}`);
    },
  );

  test.each([401, 429, 503])("is waited for when answered by %i", async (status) => {
    server.onOther = () => ({ status });
    const delivery = deliveryOf([three()]);
    expect(await output.deliver(delivery, never)).toMatchObject({ kind: "retry" });
    expect(server.bulks).toHaveLength(0);
    server.onOther = undefined;
    expect(await output.deliver(delivery, never)).toEqual({ kind: "delivered" });
  });
});

describe("credentials", () => {
  const basic = `Basic ${Buffer.from("me:p@ß").toString("base64")}`;
  test.each<[string, string, object, string]>([
    ["a user in the address", "me:p%40%C3%9F@", {}, basic],
    ["a name and a password", "", { username: "me", password: "p@ß" }, basic],
    ["an encoded API key", "", { api_key: "aWQ6a2V5" }, "ApiKey aWQ6a2V5"],
    ["a token", "", { token: "abc.def" }, "Bearer abc.def"],
    ["the two parts of an API key", "", { api_key: "id:key" }, "ApiKey aWQ6a2V5"],
  ])("%s are sent, under the address's path", async (_what, user, more, header) => {
    await output.close();
    output = await openOutput(`${server.url.replace("//", `//${user}`)}/es/`, more);
    await output.deliver(deliveryOf([three()]), never);
    expect(server.bulks[0]!.headers.authorization).toBe(header);
    expect(server.bulks[0]!.path).toMatch(/^\/es\/_bulk\?/);
  });

  test("go beside headers of one's own, and with requests that are compressed", async () => {
    await output.close();
    const given = { compression: "gzip", headers: { "x-proxy": "a" }, token: "t" };
    output = await openOutput(server.url, given);
    expect(await output.deliver(deliveryOf([three()]), never)).toEqual({ kind: "delivered" });
    const headers = { authorization: "Bearer t", "x-proxy": "a", "content-encoding": "gzip" };
    expect(server.bulks[0]!.headers).toMatchObject(headers);
    expect(server.stored.size).toBe(3);
  });

  test("are in no detail of what went wrong", async () => {
    await output.close();
    output = await openOutput(server.url.replace("//", "//me:hunter2@"));
    await server.close();
    expect(JSON.stringify(await output.deliver(deliveryOf([three()]), never))).not.toMatch(
      /hunter2|me:/,
    );
  });
});

const puts = (): string[] =>
  server.others.filter(({ method }) => method === "PUT").map(({ path }) => path);

function batchOf(...texts: string[]): Batch {
  const logRecords = texts.map((stringValue) => ({ body: { stringValue } }));
  const bytes = encodeRequest("logs", { resourceLogs: [{ scopeLogs: [{ logRecords }] }] });
  return { signal: "logs", bytes, items: texts.length };
}
