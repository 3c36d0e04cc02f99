import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type IncomingHttpHeaders, request, type Server } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MemoryLog } from "../../../collector/log/memory-log.ts";
import { Books } from "../../../collector/output/books.ts";
import { idOf } from "../../../collector/output/dead-letter-file.ts";
import { DeadLetters } from "../../../collector/output/dead-letters.ts";
import type { Outcome, Output } from "../../../collector/output/output.ts";
import { Resender } from "../../../collector/output/resend.ts";
import { Api } from "../../../collector/query/api.ts";
import { Incidents } from "../../../collector/telemetry/incidents.ts";
import { noItems, signals } from "../../../collector/wire/batch.ts";
import { letter, readLetters, writeLetters } from "../../support/letters.ts";
import { listenLocally } from "../../support/listen.ts";
import { sampleBatch } from "../../support/otlp.ts";
import { until } from "../../support/until.ts";

let folder: string;
let server: Server;
let port: number;
let log: MemoryLog;
let resender: Resender;
/** What the output says to a delivery. */
let outcome: (signal: AbortSignal) => Outcome | Promise<Outcome>;
let delivered: number;

const deadFile = (name: string): string => join(folder, "dead", `${name}.jsonl`);

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "sonde-api-"));
  outcome = () => ({ kind: "delivered" });
  delivered = 0;
  log = new MemoryLog({ maxBytes: 1 << 30 });
  const reader = await log.reader("out");
  const output: Output = {
    wants: signals,
    maxItems: 1000,
    maxBytes: 1e6,
    deliver: async (_, signal) => {
      delivered++;
      return await outcome(signal);
    },
    close: async () => {},
  };
  const deadLetters = new DeadLetters(deadFile("out"));
  const incidents = new Incidents({ write: () => {} });
  resender = new Resender({ name: "out", output, deadLetters, incidents, waitMs: [1, 1] });
  const books = Books.begin(noItems());
  const feed = { name: "out", reader, books, failure: undefined };
  const api = new Api({
    dataDir: folder,
    host: "127.0.0.1",
    outputs: [{ feed, wants: signals, resender }],
    held: () => log.held(),
  });
  server = createServer((incoming, response) => void api.answer(incoming, response));
  port = await listenLocally(server);
});

afterEach(async () => {
  await resender.stop(AbortSignal.abort());
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
  rmSync(folder, { recursive: true, force: true });
});

interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: unknown;
}

function ask(
  method: string,
  path: string,
  { body, headers = {} }: { body?: string; headers?: Record<string, string> } = {},
): Promise<Answered> {
  return new Promise((done, failed) => {
    const asked = request({ port, method, path, agent: false, headers }, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => (text += chunk.toString()));
      response.on("end", () => {
        const { statusCode: status = 0, headers } = response;
        done({ status, headers, body: text === "" ? undefined : JSON.parse(text) });
      });
    });
    asked.on("error", failed);
    asked.end(body);
  });
}

const get = (path: string): Promise<Answered> => ask("GET", path);
const post = (path: string, body: unknown = {}): Promise<Answered> =>
  ask("POST", path, {
    body: JSON.stringify(body),
    headers: { "content-type": "application/json" },
  });

test("says what dead letters there are, also of outputs that are configured no more", async () => {
  writeLetters(deadFile("out"), [letter(1), letter(2, { reason: "too_large" }), "torn"]);
  writeLetters(deadFile("former"), [letter(3, { items: 1 })]);
  writeLetters(deadFile("empty"), []);
  const { status, body, headers } = await get("/api/dead");
  expect(status).toBe(200);
  expect(headers).toMatchObject({
    "content-type": "application/json",
    "cache-control": "no-store",
    "x-sonde-data-dir": folder,
  });
  expect(body).toEqual({
    outputs: [
      expect.objectContaining({ output: "former", letters: 1, items: 1, unreadable: 0 }),
      {
        output: "out",
        letters: 2,
        items: 20,
        bytes: readFileSync(deadFile("out")).length,
        reasons: [
          { reason: "bad_data", letters: 1, items: 10 },
          { reason: "too_large", letters: 1, items: 10 },
        ],
        oldest: letter(1).at,
        newest: letter(2).at,
        unreadable: 1,
      },
    ],
  });
});

test("shows the newest letters, the newest last", async () => {
  const letters = [1, 2, 3, 4].map((position) => letter(position));
  writeLetters(deadFile("out"), letters);
  const { body } = await get("/api/dead/out?limit=2");
  expect(body).toMatchObject({ output: "out", total: 4, unreadable: 0 });
  expect((body as { letters: unknown[] }).letters).toMatchObject([
    { id: idOf(letters[2]!), position: 3, attempts: 1, record: { resourceSpans: [{}] } },
    { id: idOf(letters[3]!), position: 4 },
  ]);
  const named = await get(`/api/dead/out?id=${idOf(letters[0]!)}&id=${idOf(letters[1]!)}`);
  expect(named.body).toMatchObject({ total: 2, letters: [{ position: 1 }, { position: 2 }] });
});

test("a record is shown up to a length, and any if all is asked for", async () => {
  writeLetters(deadFile("out"), [letter(1, { items: 300 })]);
  const record = async (path: string): Promise<unknown> =>
    ((await get(path)).body as { letters: { record?: unknown }[] }).letters[0]?.record;
  expect(await record("/api/dead/out")).toBeUndefined();
  expect(await record("/api/dead/out?full=1")).toMatchObject({ resourceSpans: [{}] });
});

test("sends letters again and drops them, all or those that were named", async () => {
  const letters = [1, 2, 3, 4].map((position) => letter(position));
  writeLetters(deadFile("out"), letters);
  const ids = (index: number): unknown => ({ ids: [idOf(letters[index]!)] });
  expect((await post("/api/dead/out/drop", ids(0))).body).toMatchObject({ dropped: 1, left: 3 });
  expect((await post("/api/dead/out/resend", ids(2))).body).toMatchObject({ accepted: 1, left: 2 });
  expect(readLetters(deadFile("out")).map(({ position }) => position)).toEqual([2, 4]);
  expect((await post("/api/dead/out/resend")).body).toMatchObject({ accepted: 2, left: 0 });
  expect((await post("/api/dead/out/drop")).body).toEqual({
    dropped: 0,
    items: 0,
    left: 0,
    unreadable: 0,
  });
});

test("an empty list of ids is none of them", async () => {
  writeLetters(deadFile("out"), [letter(1)]);
  expect((await post("/api/dead/out/drop", { ids: [] })).body).toMatchObject({
    dropped: 0,
    left: 1,
  });
});

test("letters of an output that is configured no more can be dropped, but not sent", async () => {
  writeLetters(deadFile("former"), [letter(1)]);
  expect(await post("/api/dead/former/resend")).toMatchObject({ status: 404 });
  expect((await post("/api/dead/former/drop")).body).toMatchObject({ dropped: 1 });
});

test("while letters are sent, nobody else changes them", async () => {
  writeLetters(deadFile("out"), [letter(1)]);
  const gate = Promise.withResolvers<Outcome>();
  outcome = () => gate.promise;
  const first = post("/api/dead/out/resend");
  await until("it is under way", () => delivered === 1);
  expect(await post("/api/dead/out/resend")).toMatchObject({ status: 409 });
  expect(await post("/api/dead/out/drop")).toMatchObject({ status: 409 });
  expect(await get("/api/dead/out")).toMatchObject({ status: 200, body: { total: 1 } });
  gate.resolve({ kind: "delivered" });
  expect(await first).toMatchObject({ status: 200, body: { accepted: 1 } });
});

test("when who asked for it goes away, no further letter is sent", async () => {
  writeLetters(
    deadFile("out"),
    Array.from({ length: 9 }, (_, position) => letter(position)),
  );
  const gate = Promise.withResolvers<Outcome>();
  outcome = () => gate.promise;
  let isGone = false;
  server.on("request", (_, response) => response.on("close", () => (isGone = true)));
  const asked = request({ port, method: "POST", path: "/api/dead/out/resend", agent: false });
  asked.setHeader("content-type", "application/json");
  asked.on("error", () => {});
  asked.end("{}");
  await until("it is under way", () => delivered === 1);
  asked.destroy();
  await until("the server has noticed", () => isGone);
  gate.resolve({ kind: "delivered" });
  await until("it has ended", () => !resender.isRunning);
  expect(delivered).toBe(1);
  expect(readLetters(deadFile("out")).length).toBe(8);
});

test("says where a trace is", async () => {
  await log.append(sampleBatch("traces", { items: 8, seed: 3 }));
  const { Leaves } = await import("../../../collector/wire/leaves.ts");
  const { bytes } = sampleBatch("traces", { items: 8, seed: 3 });
  const leaves = new Leaves({ bytes });
  leaves.next();
  const id = Buffer.from(bytes.subarray(leaves.start + 2, leaves.start + 18)).toString("hex");
  expect(await get(`/api/where/${id.toUpperCase()}`)).toMatchObject({
    status: 200,
    body: {
      trace_id: id,
      span_count: 4,
      outputs: [{ output: "out", outcomes: [{ outcome: "waiting", spans: 4 }] }],
    },
  });
  expect(await get(`/api/where/${"ab".repeat(16)}`)).toMatchObject({
    status: 200,
    body: { span_count: 0 },
  });
});

describe("is answered with words about what is wrong", () => {
  test.each([
    ["GET", "/api/", 404],
    ["GET", "/api/nothing", 404],
    ["GET", "/api/where", 404],
    ["GET", "/api/where/ab", 400],
    ["GET", `/api/where/${"0".repeat(32)}`, 400],
    ["GET", `/api/where/${"ab".repeat(16)}/more`, 404],
    ["POST", `/api/where/${"ab".repeat(16)}`, 405],
    ["GET", "/api/dead/none", 404],
    ["GET", "/api/dead/..%2f..%2fetc", 404],
    ["GET", "/api/dead/%2e%2e", 404],
    ["GET", "/api/dead/out?limit=0", 400],
    ["GET", "/api/dead/out?limit=1001", 400],
    ["GET", "/api/dead/out?limit=many", 400],
    ["POST", "/api/dead", 405],
    ["POST", "/api/dead/out", 405],
    ["DELETE", "/api/dead/out", 405],
    ["GET", "/api/dead/out/resend", 405],
    ["GET", "/api/dead/out/drop", 405],
    ["POST", "/api/dead/out/other", 404],
    ["POST", "/api/dead/none/resend", 404],
    ["POST", "/api/dead/none/drop", 404],
    ["POST", "/api/dead/..%2fout/drop", 404],
  ])("%s %s: %d", async (method, path, status) => {
    const headers = { "content-type": "application/json" };
    const answer = await ask(method, path, { body: method === "POST" ? "{}" : "", headers });
    expect(answer).toMatchObject({ status, body: { error: expect.stringMatching(/./) } });
  });

  test.each(["", "{", "7", "null", "[]", '{"ids":7}', '{"ids":[7]}', '{"id":["x"]}'])(
    "a body of %j is 400, and nothing happens",
    async (body) => {
      writeLetters(deadFile("out"), [letter(1)]);
      const headers = { "content-type": "application/json" };
      for (const action of ["drop", "resend"]) {
        const answer = await ask("POST", `/api/dead/out/${action}`, { body, headers });
        expect(answer.status).toBe(400);
      }
      expect(readLetters(deadFile("out")).length).toBe(1);
    },
  );

  test("a body without end is 413, up to the limit it is read", async () => {
    const headers = { "content-type": "application/json" };
    const limit = 1 << 20;
    const padded = (length: number): string => `{}${" ".repeat(length - 2)}`;
    const path = "/api/dead/out/drop";
    expect((await ask("POST", path, { body: padded(limit), headers })).status).toBe(200);
    expect((await ask("POST", path, { body: padded(limit + 1), headers })).status).toBe(413);
  });

  test("what a page of another site sends is refused before anything is done", async () => {
    writeLetters(deadFile("out"), [letter(1)]);
    const json = { "content-type": "application/json" };
    const refused: readonly Record<string, string>[] = [
      { ...json, origin: "http://evil.example.com" },
      { ...json, host: "evil.example.com" },
      { "content-type": "text/plain" },
    ];
    for (const headers of refused) {
      const answer = await ask("POST", "/api/dead/out/drop", { body: "{}", headers });
      expect([403, 415]).toContain(answer.status);
    }
    expect(readLetters(deadFile("out")).length).toBe(1);
  });
});

test("HEAD is answered without a body", async () => {
  const answer = await ask("HEAD", "/api/dead");
  expect(answer).toMatchObject({ status: 200, body: undefined });
});

test("more searches than it can bear are told to come back", async () => {
  writeLetters(
    deadFile("out"),
    Array.from({ length: 500 }, (_, position) => letter(position, { request: "" })),
  );
  const answers = await Promise.all(Array.from({ length: 10 }, () => get("/api/dead")));
  const busy = answers.filter(({ status }) => status === 503);
  expect(answers.filter(({ status }) => status === 200).length).toBe(10 - busy.length);
  expect(busy.length).toBeGreaterThan(0);
  expect((await get("/api/dead")).status).toBe(200);
});

test("a request that breaks off midway harms nothing", async () => {
  const socket = connect(port, "127.0.0.1");
  const head =
    "POST /api/dead/out/drop HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
  socket.write(`${head}content-length: 100\r\n\r\n{"ids"`);
  await new Promise((done) => setTimeout(done, 20));
  socket.destroy();
  expect((await get("/api/dead")).status).toBe(200);
});
