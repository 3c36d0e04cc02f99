// A request with invalid items in it, as OTLP/JSON and as protobuf over HTTP: the others are taken, and the
// sender is told how many were not and why the first of them.

import { deepStrictEqual } from "node:assert";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MemoryLog } from "../../../collector/log/memory-log.ts";
import { Intake, type Receiver } from "../../../collector/receive/intake.ts";
import { startOtlpHttp } from "../../../collector/receive/otlp-http.ts";
import type { Signal } from "../../../collector/wire/batch.ts";
import { mostFaults } from "../../../collector/wire/salvage.ts";
import { Writer } from "../../../collector/wire/writer.ts";
import { anySignal, fuzz } from "../../support/otlp-arbitrary.ts";
import {
  decodeMessage,
  decodeRequest,
  encodeMessage,
  type LogRecord,
  type Metric,
  type Response,
  sampleRequest,
  type Span,
} from "../../support/otlp.ts";
import { type RawAnswer, RawClient } from "../../support/raw-http.ts";

const json = "application/json";
const protobuf = "application/x-protobuf";

let log: MemoryLog;
let reader: Awaited<ReturnType<MemoryLog["reader"]>>;
let intake: Intake;
let receiver: Receiver;

beforeEach(async () => {
  log = new MemoryLog({ maxBytes: 1 << 28 });
  reader = await log.reader("out");
  intake = new Intake({ log, requestMaxBytes: 1 << 22, requestsMaxBytes: 1 << 24 });
  const where = { host: "127.0.0.1", port: 0, setting: "otlp_http_port" };
  receiver = await startOtlpHttp(intake, where);
});

afterEach(async () => {
  await receiver.stop(AbortSignal.abort());
  expect(intake.heldBytes).toBe(0);
});

async function post(signal: Signal, type: string, body: Uint8Array | string): Promise<RawAnswer> {
  const client = await RawClient.connect(Number(new URL(receiver.url).port));
  const length = Buffer.byteLength(body);
  const head = `POST /v1/${signal} HTTP/1.1\r\nhost: localhost\r\ncontent-type: ${type}`;
  client.send(`${head}\r\ncontent-length: ${length}\r\n\r\n`);
  client.send(body);
  const answer = await client.answer();
  client.socket.destroy();
  return answer;
}

/** The same with a client that keeps its connection. */
async function postOften(
  signal: Signal,
  type: string,
  body: Uint8Array | string,
): Promise<RawAnswer> {
  const headers = { "content-type": type };
  const url = `${receiver.url}/v1/${signal}`;
  const response = await fetch(url, { method: "POST", headers, body: body as string }); // or bytes
  const answered = Buffer.from(await response.arrayBuffer()).toString("latin1");
  return { status: response.status, headers: {}, body: answered };
}

/** What was taken since it was asked last. */
async function taken(signal: Signal): Promise<object | undefined> {
  if (reader.committedUpTo === log.head) return undefined;
  const limits = { maxItems: 1e6, maxBytes: 1e9, signal: AbortSignal.timeout(10_000) };
  const slice = (await reader.next(limits))!;
  await reader.commit(slice.upTo, "");
  const [entry, ...others] = slice.entries;
  expect(others).toEqual([]);
  return decodeRequest(signal, entry!.batch.bytes);
}

describe("OTLP/JSON with an invalid item", () => {
  const traceId = "0af7651916cd43dd8448eb211c80319c";
  const requestOf = (...spans: object[]): string =>
    JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] });

  test("a span: 200, the others are taken, and the answer says which and why", async () => {
    const answer = await post(
      "traces",
      json,
      requestOf({ traceId, name: "a" }, { traceId: "0102" }, { name: 5 }, { traceId, name: "b" }),
    );
    expect(answer.status).toBe(200);
    expect(answer.headers["content-type"]).toBe(json);
    expect(JSON.parse(answer.body)).toEqual({
      partialSuccess: {
        rejectedSpans: "2",
        errorMessage: `resourceSpans[0].scopeSpans[0].spans[1].traceId: "0102" is not a hex id of 16 bytes`,
      },
    });
    const spans = [
      { traceId, name: "a" },
      { traceId, name: "b" },
    ];
    expect(await taken("traces")).toEqual({ resourceSpans: [{ scopeSpans: [{ spans }] }] });
    expect(intake.itemsOf("otlp_http", "traces", "accepted")).toBe(2);
    expect(intake.itemsOf("otlp_http", "traces", "invalid")).toBe(2);
  });

  test("a metric: its data points are counted", async () => {
    const metrics = [
      { name: "good", gauge: { dataPoints: [{ asInt: 1 }] } },
      { name: "bad", sum: { dataPoints: [{ asInt: "x" }, { asInt: 2 }, { asInt: 3 }] } },
    ];
    const body = JSON.stringify({ resourceMetrics: [{ scopeMetrics: [{ metrics }] }] });
    const answer = await post("metrics", json, body);
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body)).toMatchObject({ partialSuccess: { rejectedDataPoints: "3" } });
    expect(log.appended.metrics).toBe(1);
  });

  test("a log record: the same", async () => {
    const logRecords = [{ body: { intValue: true } }, {}];
    const body = JSON.stringify({ resourceLogs: [{}, { scopeLogs: [{}, { logRecords }] }] });
    const answer = await post("logs", json, body);
    expect(answer.status).toBe(200);
    const place = "resourceLogs[1].scopeLogs[1].logRecords[0].body.intValue";
    expect(JSON.parse(answer.body)).toMatchObject({
      partialSuccess: { rejectedLogRecords: "1", errorMessage: expect.stringContaining(place) },
    });
  });

  test.each([
    ["no item is valid", requestOf({ traceId: "0102" }, { name: 5 }), "spans[0].traceId"],
    ["the text is no JSON", requestOf({ traceId }).slice(0, -1), "not JSON"],
    ["the resource is damaged", `{"resourceSpans":[{"resource":5}]}`, "resourceSpans[0].resource"],
    [
      "there are very many",
      requestOf({ traceId }, ...Array.from({ length: mostFaults + 1 }, () => [])),
      "spans[1]: a list is not an object",
    ],
  ])("%s: 400, and nothing of it is kept", async (_, body, why) => {
    const answer = await post("traces", json, body);
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body)).toMatchObject({ message: expect.stringContaining(why) });
    expect(await taken("traces")).toBeUndefined();
  });

  test("a full log: 503, so that the whole comes again", async () => {
    const bytes = 6; // of a request with an empty span
    log = new MemoryLog({ maxBytes: bytes });
    intake = new Intake({ log, requestMaxBytes: 1 << 20, requestsMaxBytes: 1 << 20 });
    const where = { host: "127.0.0.1", port: 0, setting: "otlp_http_port" };
    await receiver.stop(AbortSignal.abort());
    receiver = await startOtlpHttp(intake, where);
    await log.reader("out");
    await post("traces", json, requestOf({}));
    const answer = await post("traces", json, requestOf({}, { traceId: "0102" }));
    expect(answer.status).toBe(503);
    expect(intake.itemsOf("otlp_http", "traces", "invalid")).toBe(0);
  });
});

// ── JSON and protobuf ────────────────────────────────────────────────────────────────────────────

type Leaf = Span | Metric | LogRecord;

/** The same damage in both encodings. */
interface Damage {
  readonly inJson: (leaf: Leaf, signal: Signal) => object;
  readonly inProtobuf: (leaf: Leaf, signal: Signal) => Uint8Array;
}

const leafNames = { traces: "Span", metrics: "Metric", logs: "LogRecord" } as const;
/** Of each a field that is text, with its number. */
const texts = { traces: ["name", 5], metrics: ["unit", 3], logs: ["severityText", 3] } as const;
const lists = { traces: "attributes", metrics: "metadata", logs: "attributes" } as const;

const encode = (leaf: Leaf, signal: Signal): Uint8Array => encodeMessage(leafNames[signal], leaf);
const encoded = (change: (leaf: Leaf, signal: Signal) => Leaf): Damage => ({
  inJson: change,
  inProtobuf: (leaf, signal) => encode(change(leaf, signal), signal),
});

const damages: readonly Damage[] = [
  encoded((leaf, signal) => {
    if (signal !== "metrics") return { ...leaf, traceId: "0102" };
    const dataPoints = [{ exemplars: [{ spanId: "010203" }] }, {}, {}];
    return { name: "damaged", gauge: { dataPoints } };
  }),
  encoded((leaf, signal) => {
    let value: object = { intValue: "1" };
    for (let left = 31; left > 0; left--) value = { arrayValue: { values: [value] } };
    return { ...leaf, [lists[signal]]: [{ key: "deep", value }] };
  }),
  {
    inJson: (leaf, signal) => ({ ...leaf, [texts[signal][0]]: "\ud800" }),
    inProtobuf: (leaf, signal) =>
      Buffer.concat([encode(leaf, signal), Uint8Array.of(texts[signal][1] * 8 + 2, 1, 0xff)]),
  },
  {
    inJson: (leaf, signal) => ({ ...leaf, [texts[signal][0]]: 5 }),
    inProtobuf: (leaf, signal) =>
      Buffer.concat([Uint8Array.of(texts[signal][1] * 8, 5), encode(leaf, signal)]),
  },
];

const sound: Damage = encoded((leaf) => leaf);

const groupNames = {
  traces: ["resourceSpans", "scopeSpans", "spans"],
  metrics: ["resourceMetrics", "scopeMetrics", "metrics"],
  logs: ["resourceLogs", "scopeLogs", "logRecords"],
} as const;

function leavesOf(signal: Signal, seed: number): Leaf[] {
  const request = sampleRequest(signal, { items: 20, seed }) as Record<string, unknown>;
  let value: unknown = request;
  for (const name of groupNames[signal]) {
    const children = (value as Record<string, unknown[]>)[name]!;
    if (name === groupNames[signal][2]) return children as Leaf[];
    value = children[0];
  }
  return [];
}

/** Leaves in scopes in resources, each with what is done to it. */
const anyTree = fc.array(
  fc.array(
    fc.array(fc.oneof({ weight: 2, arbitrary: fc.constant(sound) }, fc.constantFrom(...damages)), {
      maxLength: 4,
    }),
    { maxLength: 3 },
  ),
  { maxLength: 3 },
);

test("whatever is damaged, JSON and protobuf are taken, counted and answered the same", async () => {
  const outcomes = { whole: 0, partial: 0, refused: 0 };
  await fc.assert(
    fc.asyncProperty(anySignal, anyTree, fc.nat(1000), async (signal, tree, seed) => {
      const leaves = leavesOf(signal, seed);
      const [groups, scopes, list] = groupNames[signal];
      const writer = new Writer();
      let next = 0;
      const text = JSON.stringify({
        [groups]: tree.map((group) => {
          writer.begin(1);
          const children = group.map((scope) => {
            writer.begin(2);
            const children = scope.map(({ inJson, inProtobuf }) => {
              const leaf = leaves[next++ % leaves.length]!;
              writer.bytes(2, inProtobuf(leaf, signal));
              return inJson(leaf, signal);
            });
            writer.end();
            return { [list]: children };
          });
          writer.end();
          return { [scopes]: children };
        }),
      });
      const inJson = await postOften(signal, json, text);
      const fromJson = await taken(signal);
      const inProtobuf = await postOften(signal, protobuf, writer.finish());
      const fromProtobuf = await taken(signal);
      expect(inJson.status).toBe(inProtobuf.status);
      deepStrictEqual(fromJson, fromProtobuf);
      if (inJson.status === 200) {
        const [ours, theirs] = [
          JSON.parse(inJson.body) as Response,
          responseOf(signal, inProtobuf),
        ];
        expect(rejectedIn(ours)).toEqual(rejectedIn(theirs));
        expect(snakeCase(placeIn(ours))).toBe(placeIn(theirs));
        outcomes[ours.partialSuccess ? "partial" : "whole"]++;
      } else outcomes.refused++;
    }),
    fuzz(200),
  );
  expect(outcomes.whole).toBeGreaterThan(10);
  expect(outcomes.partial).toBeGreaterThan(50);
  expect(outcomes.refused).toBeGreaterThan(3);
});

const services = { traces: "Trace", metrics: "Metrics", logs: "Logs" } as const;

function responseOf(signal: Signal, { body }: RawAnswer): Response {
  const bytes = Buffer.from(body, "latin1");
  return decodeMessage(`Export${services[signal]}ServiceResponse`, bytes);
}

function rejectedIn({ partialSuccess }: Response): object {
  const { errorMessage: _, ...rejected } = partialSuccess ?? {};
  return rejected;
}

/** The leaf that the message is about. */
function placeIn({ partialSuccess }: Response): string {
  return partialSuccess?.errorMessage?.split(".", 3).join(".").split(":", 1)[0] ?? "";
}

const snakeCase = (name: string): string =>
  name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
