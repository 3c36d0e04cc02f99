// Spans and metrics in a real Elasticsearch and a real OpenSearch: what is read back is what was sent.

import { afterAll, beforeAll, expect, test } from "vitest";
import { deliveryOf as wholeOf } from "../../../collector/output/delivery.ts";
import type { Delivery, Output } from "../../../collector/output/output.ts";
import type { Signal } from "../../../collector/wire/batch.ts";
import {
  type AnyValue,
  attributes,
  encodeRequest,
  type KeyValue,
  type NumberDataPoint,
  type Request,
  sampleRequest,
  type Span,
} from "../../support/otlp.ts";
import { never, openOutput } from "./elasticsearch-server.ts";

const run = `s${Date.now().toString(36)}`;
const signals = ["logs", "traces", "metrics"] as const;

/** As part of elasticsearch-real.test.ts, whose server takes as long to start as all of this. */
export function takesSpansAndMetrics(
  name: "elasticsearch" | "opensearch",
  url: () => string,
): void {
  let output: Output;

  beforeAll(async () => {
    output = await openOutput(url(), { signals }, { logId: run });
  });
  afterAll(() => output.close());

  async function call(path: string, method = "GET"): Promise<unknown> {
    const response = await fetch(`${url()}/${path}`, { method });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${text}`);
    return JSON.parse(text, exactly as (this: unknown, name: string, value: unknown) => unknown);
  }

  /** All documents of a stream, or those that a query finds, by their ids. */
  async function found(stream: string, query = "*"): Promise<Map<string, object>> {
    await call(`${stream}/_refresh`, "POST");
    const search = new URLSearchParams({ q: query, size: "1000" });
    const { hits } = (await call(`${stream}/_search?${String(search)}`)) as Hits;
    return new Map(hits.hits.map(({ _id, _source }) => [_id, _source]));
  }

  test("has spans, their events and links as they were sent, once, also after a rollover", async () => {
    const request = inDataset("spans", sampleRequest("traces", { items: 40 }));
    const spans = request.resourceSpans![0]!.scopeSpans![0]!.spans!;
    spans[0]!.events = [
      {
        timeUnixNano: "1790000000000000007",
        name: "exception",
        attributes: attributes({ "exception.type": "Oops", a: 1, "a.b": "x" }),
      },
    ];
    spans[0]!.links = [
      { traceId: "ab".repeat(16), spanId: "cd".repeat(8), attributes: attributes({ a: true }) },
    ];
    const delivery = deliveryOf("traces", request, 10);
    expect(await output.deliver(delivery, never)).toEqual({ kind: "delivered" });
    await call(`traces-${run}spans.otel-default/_rollover`, "POST");
    const restarted = await openOutput(url(), { signals }, { logId: run });
    const old = delivery.entries.map((entry) => ({ ...entry, atMs: entry.atMs - 60_000 }));
    const again = await restarted.deliver({ ...delivery, entries: old }, never);
    expect(again).toEqual({ kind: "delivered" });
    await restarted.close();

    const stored = await found(`traces-${run}spans.otel-default`);
    const expected = spans.map((span, index) => [`${run}-10-${index}`, documentOf(span)] as const);
    expect(stored).toEqual(
      new Map(expected.map(([id, span]) => [id, expect.objectContaining(span)])),
    );
    const events = await found(`logs-${run}spans.otel-default`);
    expect(events).toEqual(
      new Map([
        [
          `${run}-10-0-1`,
          expect.objectContaining({
            "@timestamp": "2026-09-21T14:13:20.000000007Z",
            event_name: "exception",
            trace_id: spans[0]!.traceId,
            span_id: spans[0]!.spanId,
            attributes: { "exception.type": "Oops", a: 1n, "a.b": "x" },
          }),
        ],
      ]),
    );
  });

  test("finds spans by the names that Kibana knows", async () => {
    const span: Span = {
      traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
      spanId: "00f067aa0ba902b7",
      parentSpanId: "b7ad6b7169203331",
      name: "GET",
      kind: 2,
      startTimeUnixNano: "1767323045123456789",
      endTimeUnixNano: "1767323045123457789",
      attributes: attributes({ "http.route": "/pay", "order.items": 3 }),
      status: { code: 2 },
    };
    const request = { resourceSpans: [{ scopeSpans: [{ spans: [span, {}] }] }] };
    const delivery = deliveryOf("traces", inDataset("find", request), 20);
    expect(await output.deliver(delivery, never)).toEqual({ kind: "delivered" });
    for (const query of [
      "trace.id:4bf92f3577b34da6a3ce929d0e0e4736",
      "span.id:00f067aa0ba902b7",
      "parent.id:b7ad6b7169203331",
      "span.name:GET AND kind:Server",
      "duration:[1000 TO 1000]",
      "status.code:Error",
      "attributes.http.route:\\/pay",
    ]) {
      const ids = [...(await found(`traces-${run}find.otel-default`, query)).keys()];
      expect(ids, query).toEqual([`${run}-20-0`]);
    }
  });

  test("has points of all kinds of metrics as they were sent, once", async () => {
    const request = inDataset("points", sampleRequest("metrics", { items: 30 }));
    const delivery = deliveryOf("metrics", request, 30);
    expect(await output.deliver(delivery, never)).toEqual({ kind: "delivered" });
    expect(await output.deliver({ ...delivery }, never)).toEqual({ kind: "delivered" });
    const stored = await found(`metrics-${run}points.sonde-default`);
    expect(stored.size).toBe(30);
    const metrics = request.resourceMetrics![0]!.scopeMetrics![0]!.metrics!;
    for (const [index, metric] of metrics.entries()) {
      const { sum, gauge } = metric;
      const points: readonly NumberDataPoint[] = (sum ?? gauge)?.dataPoints ?? [];
      for (const [part, point] of points.entries()) {
        const document = stored.get(`${run}-30-${index}${part === 0 ? "" : `-${part}`}`);
        expect(document).toMatchObject({
          attributes: mapOf(point.attributes),
          metrics: {
            [metric.name!]: point.asInt === undefined ? point.asDouble : BigInt(point.asInt),
          },
        });
      }
      const buckets = metric.histogram?.dataPoints ?? [];
      for (const [part, point] of buckets.entries()) {
        const document = stored.get(`${run}-30-${index}${part === 0 ? "" : `-${part}`}`);
        expect(document).toMatchObject({
          metrics: {
            [`${metric.name}.count`]: BigInt(point.count!),
            [`${metric.name}.sum`]: point.sum,
          },
          distribution: {
            counts: point.bucketCounts!.map(BigInt),
            bounds: point.explicitBounds,
          },
        });
      }
    }
    expect(metrics.some(({ histogram }) => histogram)).toBe(true);
  });

  test("adds metrics up, whether a value is whole or not, also beside one whose name goes on", async () => {
    const dataPoints = [{ asInt: "1" }, { asDouble: 2.5 }, { asInt: "3" }];
    const other = { name: "orders.total.other", gauge: { dataPoints: [{ asInt: "100" }] } };
    const metrics = [{ name: "orders.total", sum: { dataPoints } }, other];
    const request = { resourceMetrics: [{ scopeMetrics: [{ metrics }] }] };
    const delivery = deliveryOf("metrics", inDataset("sums", request), 40);
    expect(await output.deliver(delivery, never)).toEqual({ kind: "delivered" });
    const stream = `metrics-${run}sums.sonde-default`;
    const byName = { all: { sum: { field: "metrics.orders.total" } } }; // OpenSearch cannot
    const body = JSON.stringify({
      query: { term: { "metric.name": "orders.total" } },
      aggs: {
        ...(name === "elasticsearch" ? byName : {}),
        same: { sum: { field: "metric.value" } },
      },
    });
    await call(`${stream}/_refresh`, "POST");
    const headers = { "content-type": "application/json" };
    const answer = await fetch(`${url()}/${stream}/_search`, { method: "POST", headers, body });
    expect(await answer.json()).toMatchObject({
      aggregations: {
        same: { value: 6.5 },
        ...(name === "elasticsearch" ? { all: { value: 6.5 } } : {}),
      },
    });
  });

  test.runIf(name === "elasticsearch")(
    "refuses one span, which becomes a letter, and takes the others",
    async () => {
      const map = { kvlistValue: { values: attributes({ inner: 1 }) } };
      const spans: Span[] = [
        { attributes: [{ key: "order", value: map }] },
        { attributes: attributes({ order: "a text" }), events: [{ name: "fine" }] },
        {},
      ];
      const request = { resourceSpans: [{ scopeSpans: [{ spans }] }] };
      const delivery = deliveryOf("traces", inDataset("conflict", request), 50);
      expect(await output.deliver(delivery, never)).toMatchObject({
        kind: "rejected",
        reason: "bad_data",
        items: 1,
        which: [{ position: 50, index: 1, detail: expect.stringContaining("attributes.order") }],
      });
      expect((await found(`traces-${run}conflict.otel-default`)).size).toBe(2);
      expect((await found(`logs-${run}conflict.otel-default`)).size).toBe(1);
    },
  );
}

interface Hits {
  readonly hits: { readonly hits: readonly { readonly _id: string; readonly _source: object }[] };
}

/** Integers as bigints, doubles as numbers. */
function exactly(_name: string, value: unknown, { source }: { source: string }): unknown {
  return typeof value === "number" && /^-?\d+$/.test(source) ? BigInt(source) : value;
}

/** The same in a data stream of its own. */
function inDataset(dataset: string, request: Request): Request {
  const named = attributes({ "data_stream.dataset": run + dataset });
  for (const group of [...(request.resourceSpans ?? []), ...(request.resourceMetrics ?? [])]) {
    group.resource = { attributes: [...(group.resource?.attributes ?? []), ...named] };
  }
  return request;
}

function deliveryOf(signal: Signal, request: Request, position: number): Delivery {
  const groups = request.resourceSpans ?? request.resourceMetrics ?? [];
  const bytes = encodeRequest(signal, request);
  expect(groups).toHaveLength(1);
  return wholeOf(signal, [{ position, atMs: Date.now(), batch: { signal, bytes, items: 1000 } }]);
}

const kinds = ["Unspecified", "Internal", "Server", "Client", "Producer", "Consumer"];
const codes = ["Unset", "Ok", "Error"];

/** What a span's document must hold, made from the object that was sent. */
function documentOf(span: Span): Record<string, unknown> {
  const [start, end] = [BigInt(span.startTimeUnixNano!), BigInt(span.endTimeUnixNano!)];
  const ms = new Date(Number(start / 1_000_000n)).toISOString().slice(0, -1);
  const { message, code = 0 } = span.status ?? {};
  return {
    "@timestamp": `${ms}${String(start % 1_000_000n).padStart(6, "0")}Z`,
    trace_id: span.traceId,
    span_id: span.spanId,
    ...(span.parentSpanId ? { parent_span_id: span.parentSpanId } : {}),
    name: span.name,
    kind: kinds[span.kind!],
    duration: end - start,
    attributes: mapOf(span.attributes),
    status: { code: codes[code], ...(message ? { message } : {}) },
    ...(span.links
      ? {
          links: span.links.map(({ traceId, spanId, attributes }) => ({
            attributes: mapOf(attributes),
            trace_id: traceId,
            span_id: spanId,
          })),
        }
      : {}),
  };
}

function mapOf(pairs: readonly KeyValue[] = []): Record<string, unknown> {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, valueOf(value!)]));
}

function valueOf(value: AnyValue): unknown {
  if (value.intValue !== undefined) return BigInt(value.intValue);
  if (value.arrayValue) return (value.arrayValue.values ?? []).map(valueOf);
  return value.stringValue ?? value.boolValue ?? value.doubleValue;
}
