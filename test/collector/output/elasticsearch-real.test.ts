// Against a real Elasticsearch and a real OpenSearch: what the mapping makes findable, and what becomes of
// each record.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  judge,
  type Verdict,
  wantedOfAnswer,
} from "../../../collector/output/elasticsearch/answer.ts";
import type { Output } from "../../../collector/output/output.ts";
import type { Batch } from "../../../collector/wire/batch.ts";
import {
  anyValue,
  attributes,
  encodeRequest,
  type LogRecord,
  sampleBatch,
} from "../../support/otlp.ts";
import { isAbsent, type Peer, startPeer } from "../../support/peers.ts";
import { until } from "../../support/until.ts";
import { deliveryOf, never, openOutput } from "./elasticsearch-server.ts";
import { takesSpansAndMetrics } from "./elasticsearch-signals-real.ts";

const run = `t${Date.now().toString(36)}`;

describe.skipIf(isAbsent("elasticsearch")).each(["elasticsearch"] as const)("a real %s", onServer);
describe.skipIf(isAbsent("opensearch")).each(["opensearch"] as const)("a real %s", onServer);

function onServer(name: "elasticsearch" | "opensearch"): void {
  const isElasticsearch = name === "elasticsearch";
  /** Else it cannot be stopped, and its limits are not known. */
  const isOurs = process.env[`SONDE_TEST_${name.toUpperCase()}_URL`] === undefined;
  const dir = mkdtempSync(join(tmpdir(), "sonde-elasticsearch-"));
  const start = (port = 0): Promise<Peer> =>
    startPeer(name, { dir, port, args: ["-Ehttp.max_content_length=1mb"] });
  let peer: Peer;
  let output: Output;

  beforeAll(async () => {
    peer = await start();
    output = await openOutput(peer.url, isElasticsearch ? { retention: "30d" } : {}, {
      logId: run,
    });
  });
  afterAll(async () => {
    await output.close();
    await peer.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  /** What a search by the name of a field and a value finds, in the data stream of one test. */
  async function find(dataset: string, query: string): Promise<Found[]> {
    const stream = `logs-${run}${dataset}.otel-default`;
    await call(`${stream}/_refresh`, "POST");
    const search = new URLSearchParams({ q: query, size: "100" });
    const { hits } = (await call(`${stream}/_search?${String(search)}`)) as {
      hits: { hits: Found[] };
    };
    return hits.hits;
  }

  async function count(pattern: string): Promise<number> {
    await call(`${pattern}/_refresh`, "POST");
    return ((await call(`${pattern}/_count`)) as { count: number }).count;
  }

  async function call(path: string, method = "GET", body?: object): Promise<unknown> {
    const json = { headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
    const response = await fetch(`${peer.url}/${path}`, { method, ...(body ? json : {}) });
    const answer: unknown = await response.json();
    if (!response.ok) throw new Error(`${method} ${path}: ${JSON.stringify(answer)}`);
    return answer;
  }

  async function killAndStart(): Promise<void> {
    process.kill(Number(peer.address["pid"]), "SIGKILL");
    await peer.stop();
    peer = await start(Number(new URL(peer.url).port));
  }

  test("finds a record by the names that Kibana and Grafana use", async () => {
    const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
    const record = {
      timeUnixNano: "1767323045123456789",
      severityNumber: 17,
      severityText: "ERROR",
      body: { stringValue: "payment failed" },
      attributes: attributes({ "http.route": "/pay", "order.items": 3 }),
      traceId,
      spanId: "00f067aa0ba902b7",
    };
    const batch = batchOf("find", record, { body: { stringValue: "another one" } });
    expect(await output.deliver(deliveryOf([batch], 100), never)).toEqual({ kind: "delivered" });
    for (const query of [
      `trace.id:${traceId}`,
      `trace_id:${traceId}`,
      "span.id:00f067aa0ba902b7",
      "log.level:ERROR",
      "message:failed",
      "attributes.http.route:\\/pay",
      '@timestamp:["2026-01-02T03:04:05.123456789Z" TO "2026-01-02T03:04:05.123456789Z"]',
    ]) {
      expect(await find("find", query), query).toMatchObject([{ _id: `${run}-100-0` }]);
    }
    if (isElasticsearch) expect(await find("find", "service.name:shop")).toHaveLength(2);
    expect(await find("find", "resource.attributes.service.name:shop")).toHaveLength(2);
  });

  test("finds it by the names of the Common Schema, where it is told to use these", async () => {
    const opened = await openOutput(peer.url, { fields: "ecs" }, { logId: run });
    const record = {
      severityText: "ERROR",
      body: anyValue("payment failed"),
      traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
      attributes: attributes({ "exception.type": "Oops", a: 1, "a.b": 2 }),
    };
    const delivery = deliveryOf([batchOf("ecs", record, { body: anyValue("other") })], 150);
    expect(await opened.deliver(delivery, never)).toEqual({ kind: "delivered" });
    const stream = `logs-${run}ecs.ecs-default`;
    await call(`${stream}/_refresh`, "POST");
    for (const query of [
      "trace.id:4bf92f3577b34da6a3ce929d0e0e4736",
      "log.level:ERROR",
      "message:failed",
      "error.type:Oops AND service.name:shop",
    ]) {
      const search = new URLSearchParams({ q: query });
      expect(await call(`${stream}/_count?${String(search)}`), query).toMatchObject({ count: 1 });
    }
    await opened.close();
  });

  test("says of what it has made what is recognised without being parsed", async () => {
    const index = `${run}-answer`;
    const lines = [0, 1, 2].map((id) => `{"create":{"_index":"${index}","_id":"${id}"}}\n{}\n`);
    const post = async (): Promise<Buffer> => {
      const path = `${peer.url}/_bulk?filter_path=${wantedOfAnswer}`;
      const headers = { "content-type": "application/x-ndjson" };
      const answer = await fetch(path, { method: "POST", headers, body: lines.join("") });
      return Buffer.from(await answer.arrayBuffer());
    };
    const verdict = async (): Promise<Verdict> =>
      judge({ kind: "answer", status: 200, body: await post(), afterMs: undefined }, 3);
    expect(await verdict()).toEqual({ kind: "stored" });
    // The second time they are there already, which is told of each.
    expect(await verdict()).toEqual({
      kind: "items",
      items: lines.map(() => ({ kind: "stored" })),
    });
  });

  test("keeps one document of what is delivered twice", async () => {
    const batches = [batchOf("twice", { body: anyValue("a") }, { body: anyValue("b") })];
    await output.deliver(deliveryOf(batches, 200), never);
    expect(await output.deliver(deliveryOf(batches, 200), never)).toEqual({ kind: "delivered" });
    expect(await find("twice", "*")).toHaveLength(2);
  });

  test.runIf(isElasticsearch)(
    "refuses the record that contradicts the mapping, and takes the others",
    async () => {
      const map = { kvlistValue: { values: attributes({ inner: 1 }) } };
      const records = [
        { attributes: [{ key: "order", value: map }] },
        { attributes: attributes({ order: "a text where a map was" }) },
        { attributes: attributes({ other: 1 }) },
      ];
      const outcome = await output.deliver(
        deliveryOf([batchOf("conflict", ...records)], 300),
        never,
      );
      expect(outcome).toMatchObject({
        kind: "rejected",
        reason: "bad_data",
        items: 1,
        which: [
          {
            position: 300,
            index: 1,
            detail: expect.stringMatching(
              /^400 document_parsing_exception: .*\[attributes\.order\]/,
            ),
          },
        ],
      });
      expect(await find("conflict", "*")).toHaveLength(2);
    },
  );

  test("takes what mappings usually choke on", async () => {
    const map = { kvlistValue: { values: attributes({ inner: 1 }) } };
    const long = "x".repeat(isElasticsearch ? 100_000 : 30_000); // OpenSearch takes no more than 32766 bytes
    const records: LogRecord[] = [
      { attributes: attributes({ a: 1, "a.b": "x", "a.b.c": true }) },
      { attributes: attributes({ a: "no number any more" }) },
      { attributes: attributes({ numbers: [1, 2.5], mixed: [1, "a", ["b"]], "": 1, " ": 2 }) },
      { attributes: attributes({ long, ".": 1, "x.": 2 }) },
      { attributes: [{ key: "deep", value: nested(25) }], body: nested(25) },
      { attributes: attributes({ again: 1 }).concat(attributes({ again: "two" })) },
      { attributes: [{ key: "objects", value: { arrayValue: { values: [map, map] } } }] },
      { attributes: [{ key: "nan", value: { doubleValue: Number.NaN } }], severityNumber: 1000 },
      { body: { kvlistValue: { values: attributes({ a: 1, "a.b": 2, list: [1, "x"] }) } } },
      {
        attributes: [{ key: "big", value: { intValue: "9223372036854775807" } }],
        timeUnixNano: "1",
      },
      {
        attributes: Array.from({ length: 1500 }, (_, at) => ({
          key: `k${at}`,
          value: anyValue(at),
        })),
      },
    ];
    const outcome = await output.deliver(deliveryOf([batchOf("hostile", ...records)], 400), never);
    expect(outcome).toEqual({ kind: "delivered" });
    expect(await find("hostile", "*")).toHaveLength(records.length);
  });

  test("puts a record into the index of its day", async () => {
    const byDay = await openOutput(peer.url, { index: `${run}-%Y.%m.%d` }, { logId: run });
    const days = [0, 1, 1].map((daysAgo) => Date.now() - daysAgo * 86_400_000);
    const records = days.map((ms) => ({ timeUnixNano: `${ms}000000`, traceId: "ab".repeat(16) }));
    const delivery = deliveryOf([batchOf("days", ...records)], 500);
    expect(await byDay.deliver(delivery, never)).toEqual({ kind: "delivered" });
    const index = (ms: number): string =>
      `${run}-${new Date(ms).toISOString().slice(0, 10).replaceAll("-", ".")}`;
    expect(await count(index(days[0]!))).toBe(1);
    expect(await count(index(days[1]!))).toBe(2);
    const query = new URLSearchParams({ q: `trace.id:${"ab".repeat(16)}` });
    expect(await call(`${run}-*/_count?${String(query)}`)).toMatchObject({ count: 3 });
    await byDay.close();
  });

  test.runIf(isOurs)("is sent less at a time when it finds a request too large", async () => {
    const batches = [0, 1, 2].map((seed) => sampleBatch("logs", { items: 1500, seed }));
    const before = await count("logs-generic.otel-default").catch(() => 0);
    const outcome = await output.deliver(deliveryOf(batches, 600), never);
    expect(outcome).toEqual({ kind: "delivered" });
    expect(await count("logs-generic.otel-default")).toBe(before + 4500);
    const huge = batchOf(
      "huge",
      { body: anyValue("x".repeat(1_200_000)) },
      { body: anyValue("y") },
    );
    const other = await output.deliver(deliveryOf([huge], 700), never);
    expect(other).toMatchObject({ kind: "rejected", reason: "too_large", items: 1 });
    expect(await find("huge", "*")).toHaveLength(1);
  });

  test.runIf(isElasticsearch)("is told in its template how long to keep records", async () => {
    const template = JSON.stringify(await call("_index_template/sonde-logs"));
    expect(template).toContain('"data_retention":"30d"');
  });

  test.runIf(isOurs)("keeps a template that somebody has changed", async () => {
    const path = "_index_template/sonde-logs";
    const all = (await call(path)) as { index_templates: { index_template: object }[] };
    const changed = { ...all.index_templates[0]!.index_template, _meta: { changed: true } };
    await call(path, "PUT", changed);
    const another = await openOutput(peer.url, {}, { logId: run });
    await another.deliver(deliveryOf([batchOf("kept", {})], 800), never);
    expect(JSON.stringify(await call(path))).toContain('"changed":true');
    await another.close();
  });

  test("keeps one document of what comes twice with a rollover between", async () => {
    const batches = [batchOf("rolled", { body: anyValue("a") }, { body: anyValue("b") })];
    const count = (): Promise<number> => find("rolled", "*").then((found) => found.length);
    const opened = await openOutput(peer.url, {}, { logId: run });
    const delivery = deliveryOf(batches, 1000);
    await opened.deliver(delivery, never);
    await call(`logs-${run}rolled.otel-default/_rollover`, "POST");
    // As after a crash: the records came before this output was opened.
    const restarted = await openOutput(peer.url, {}, { logId: run });
    const more = batchOf("rolled", { body: anyValue("c") });
    const again = deliveryOf([...batches, more], 1000);
    const old = again.entries.map((entry) => ({ ...entry, atMs: entry.atMs - 60_000 }));
    const outcome = await restarted.deliver({ ...again, entries: old }, never);
    expect(outcome).toEqual({ kind: "delivered" });
    expect(await count()).toBe(3);
    // And as dead letters are, sent again by hand.
    await call(`logs-${run}rolled.otel-default/_rollover`, "POST");
    const letters = again.entries.map((entry) => {
      const origin = { logId: run, position: entry.position, index: 0 };
      return { ...entry, position: entry.position - 1000, origin };
    });
    await restarted.deliver({ ...again, entries: letters }, never);
    expect(await count()).toBe(3);
    await opened.close();
    await restarted.close();
  });

  test("is waited for while an index may not be written to, or is closed, or must not be made", async () => {
    const index = `${run}-mend`;
    const byName = await openOutput(peer.url, { index }, { logId: run });
    const send = (position: number) =>
      byName.deliver(deliveryOf([batchOf("mend", { body: anyValue("a") })], position), never);
    const setting = (path: string, body: object) => call(path, "PUT", body);
    const auto = (isOn: boolean | null) =>
      setting("_cluster/settings", { persistent: { "action.auto_create_index": isOn } });
    await auto(false);
    expect(await send(1)).toMatchObject({ kind: "retry", reason: "not_found" });
    await auto(null);
    expect(await send(1)).toEqual({ kind: "delivered" });
    await setting(`${index}/_settings`, { "index.blocks.write": true });
    const blocked = await send(2);
    expect(blocked).toMatchObject({ kind: "retry", reason: "server_error" });
    expect(blocked).toHaveProperty(
      "detail",
      expect.stringContaining("403 cluster_block_exception"),
    );
    await setting(`${index}/_settings`, { "index.blocks.write": false });
    expect(await send(2)).toEqual({ kind: "delivered" });
    await call(`${index}/_close`, "POST");
    expect(await send(3)).toMatchObject({ kind: "retry", reason: "not_found" });
    await call(`${index}/_open`, "POST");
    expect(await send(3)).toEqual({ kind: "delivered" });
    expect(await count(index)).toBe(3);
    await byName.close();
  });

  test("is reached by the node that answers, where another does not", async () => {
    const url = ["http://127.0.0.1:1", peer.url];
    const both = await openOutput(peer.url, { url }, { logId: run });
    for (let position = 1100; position < 1110; position++) {
      const outcome = await both.deliver(deliveryOf([batchOf("nodes", {})], position), never);
      expect(outcome).toEqual({ kind: "delivered" });
    }
    expect(await find("nodes", "*")).toHaveLength(10);
    await both.close();
  });

  describe("spans and metrics", () => takesSpansAndMetrics(name, () => peer.url));

  test.runIf(isOurs && isElasticsearch)(
    "has everything once after it was killed in the middle",
    async () => {
      const records = Array.from({ length: 100 }, (_, at) => ({ body: anyValue(`line ${at}`) }));
      const deliveries = Array.from({ length: 30 }, (_, at) =>
        deliveryOf([batchOf("killed", ...records)], 900 + at),
      );
      let failures = 0;
      let restarted: Promise<void> | undefined;
      for (const [at, delivery] of deliveries.entries()) {
        const deliver = async (): Promise<boolean> => {
          const outcome = output.deliver(delivery, never);
          if (at === 10) restarted ??= killAndStart();
          const { kind } = await outcome;
          if (kind === "retry") failures++;
          return kind === "delivered";
        };
        await until("delivered", deliver, 120_000);
      }
      await restarted;
      expect(failures).toBeGreaterThan(0);
      expect(await count(`logs-${run}killed.otel-default`)).toBe(3000);
    },
    180_000,
  );
}

interface Found {
  readonly _id: string;
}

/** Records of the shop in a data stream of their own. */
function batchOf(dataset: string, ...logRecords: LogRecord[]): Batch {
  const all = attributes({ "service.name": "shop", "data_stream.dataset": `${run}${dataset}` });
  const resourceLogs = [{ resource: { attributes: all }, scopeLogs: [{ logRecords }] }];
  const bytes = encodeRequest("logs", { resourceLogs });
  return { signal: "logs", bytes, items: logRecords.length };
}

function nested(levels: number): NonNullable<LogRecord["body"]> {
  if (levels === 0) return { intValue: "1" };
  return { kvlistValue: { values: [{ key: "k", value: nested(levels - 1) }] } };
}
