// Makes and reads OTLP requests with protobufjs and the schema in otlp.proto, none of it ours: the
// foreign side of tests. Objects are in the shape of OTLP/JSON — lowerCamelCase, ids in hex, 64-bit
// integers as decimal strings, other bytes in base64 — except that doubles are always numbers, so
// JSON.stringify(sampleRequest(…)) is an OTLP/JSON body and encodeRequest() of it a protobuf one.

import { readFileSync } from "node:fs";
import protobuf from "protobufjs";
import type { Batch, Signal } from "../../collector/wire/batch.ts";
import type {
  AnyValue,
  Histogram,
  HistogramDataPoint,
  KeyValue,
  LogRecord,
  Metric,
  NumberDataPoint,
  Request,
  Span,
  Sum,
} from "./otlp-shapes.ts";

export type * from "./otlp-shapes.ts";

export const root = protobuf.parse(
  readFileSync(new URL("otlp.proto", import.meta.url), "utf8"),
).root;

const service = { traces: "Trace", metrics: "Metrics", logs: "Logs" } as const;

export function encodeRequest(signal: Signal, request: Request): Uint8Array {
  return encodeMessage(`Export${service[signal]}ServiceRequest`, request);
}

export function decodeRequest(signal: Signal, bytes: Uint8Array): Request {
  return decodeMessage(`Export${service[signal]}ServiceRequest`, bytes);
}

export interface Response {
  partialSuccess?: {
    rejectedSpans?: string;
    rejectedDataPoints?: string;
    rejectedLogRecords?: string;
    errorMessage?: string;
  };
}

export function encodeResponse(signal: Signal, response: Response): Uint8Array {
  return encodeMessage(`Export${service[signal]}ServiceResponse`, response);
}

/** google.rpc.Status: what an OTLP server says when it refuses. */
export function decodeStatus(bytes: Uint8Array): { code?: number; message?: string } {
  return decodeMessage("RpcStatus", bytes);
}

/** Any message of otlp.proto by its name. */
export function encodeMessage(name: string, object: object): Uint8Array {
  const type = root.lookupType(name);
  return type.encode(type.fromObject(convertBytes(type, object, fromText))).finish();
}

export function decodeMessage(name: string, bytes: Uint8Array): object {
  const type = root.lookupType(name);
  const object = type.toObject(type.decode(bytes), { longs: String });
  return convertBytes(type, object, toText);
}

type Convert = (value: unknown, isId: boolean) => unknown;

const fromText: Convert = (value, isId) =>
  typeof value === "string" ? Buffer.from(value, isId ? "hex" : "base64") : value;
const toText: Convert = (value, isId) =>
  Buffer.from(value as Uint8Array).toString(isId ? "hex" : "base64");

/** A copy with every bytes field converted; protobufjs knows base64 only. */
function convertBytes(type: protobuf.Type, object: object, convert: Convert): object {
  const copy: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(object) as [string, unknown][]) {
    const field = type.fields[name]?.resolve();
    if (!field) throw new Error(`${type.name} has no field ${name}`);
    const one = (value: unknown): unknown => {
      if (field.resolvedType instanceof protobuf.Type) {
        return convertBytes(field.resolvedType, value as object, convert);
      }
      return field.type === "bytes" ? convert(value, /(trace|span)Id$/i.test(name)) : value;
    };
    copy[name] = field.repeated ? (value as unknown[]).map(one) : one(value);
  }
  return copy;
}

// ── sample requests ──────────────────────────────────────────────────────────────────────────────

export interface SampleOptions {
  /** Spans, log records or data points. */
  readonly items?: number;
  /** The service.name. */
  readonly service?: string;
  /** Another seed gives other ids and values; the same one the same request. */
  readonly seed?: number;
}

/** One resource, one scope: what an SDK of a small shop sends. A span takes about 445 bytes. */
export function sampleRequest(signal: Signal, options: SampleOptions = {}): Request {
  const { items = 10, service = "shop", seed = 1 } = options;
  const random = randomFrom(seed);
  const resource = { attributes: attributes(resourceOf(service)) };
  const scope = { name: "@opentelemetry/instrumentation-http", version: "0.300.0" };
  if (signal === "traces") {
    const spans = sampleSpans(items, random);
    return { resourceSpans: [{ resource, scopeSpans: [{ scope, spans }] }] };
  }
  if (signal === "metrics") {
    const metrics = sampleMetrics(items, random);
    return { resourceMetrics: [{ resource, scopeMetrics: [{ scope, metrics }] }] };
  }
  const logRecords = sampleLogs(items, random);
  return { resourceLogs: [{ resource, scopeLogs: [{ scope, logRecords }] }] };
}

/** The same, encoded. */
export function sampleBatch(signal: Signal, options: SampleOptions = {}): Batch {
  const bytes = encodeRequest(signal, sampleRequest(signal, options));
  return { signal, bytes, items: options.items ?? 10 };
}

/** Attributes from a plain record: integers become intValue, other numbers doubleValue. */
export function attributes(record: Readonly<Record<string, AttributeValue>>): KeyValue[] {
  return Object.entries(record).map(([key, value]) => ({ key, value: anyValue(value) }));
}

export type AttributeValue = string | number | boolean | readonly AttributeValue[];

export function anyValue(value: AttributeValue): AnyValue {
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  if (typeof value !== "number") return { arrayValue: { values: value.map(anyValue) } };
  return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}

const routes = ["/products", "/products/:id", "/orders", "/orders/:id", "/cart"];
const methods = ["GET", "GET", "POST", "GET", "PUT"];
const startNano = 1_790_000_000_000_000_000n;

function sampleSpans(items: number, random: Random): Span[] {
  const spans: Span[] = [];
  let traceId = "";
  let parent: string | undefined;
  for (let index = 0; index < items; index++) {
    if (index % 4 === 0) [traceId, parent] = [random.hex(16), undefined];
    const route = routes[index % routes.length]!;
    const method = methods[index % methods.length]!;
    const status = index % 17 === 16 ? 500 : 200;
    const start = startNano + BigInt(index) * 1_000_000n;
    const spanId = random.hex(8);
    spans.push({
      traceId,
      spanId,
      ...(parent ? { parentSpanId: parent } : {}),
      name: `${method} ${route}`,
      kind: parent ? 3 : 2,
      startTimeUnixNano: String(start),
      endTimeUnixNano: String(start + BigInt(random.below(500_000_000))),
      attributes: attributes({
        "http.request.method": method,
        "http.route": route,
        "http.response.status_code": status,
        "url.path": route.replace(":id", String(random.below(100_000))),
        "url.scheme": "http",
        "server.address": "shop.example.com",
        "server.port": 8080,
        "network.protocol.version": "1.1",
        "client.address": `10.0.${random.below(256)}.${random.below(256)}`,
        "user_agent.original":
          "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
      }),
      status: status === 500 ? { message: "out of stock", code: 2 } : {},
      flags: 257,
    });
    parent ??= spanId;
  }
  return spans;
}

function sampleLogs(items: number, random: Random): LogRecord[] {
  return Array.from({ length: items }, (_, index): LogRecord => {
    const isError = index % 10 === 9;
    const time = startNano + BigInt(index) * 1_000_000n;
    return {
      timeUnixNano: String(time),
      observedTimeUnixNano: String(time + 1000n),
      severityNumber: isError ? 17 : 9,
      severityText: isError ? "ERROR" : "INFO",
      body: { stringValue: isError ? "payment failed" : `order ${random.below(100_000)} placed` },
      attributes: attributes({
        "order.total": random.below(10_000) / 100 + 0.001,
        "order.items": 1 + random.below(9),
        "customer.id": `customer-${random.below(1000)}`,
        "customer.is_new": index % 2 === 0,
        "order.tags": ["web", "sale"],
      }),
      traceId: random.hex(16),
      spanId: random.hex(8),
      flags: 1,
    };
  });
}

/** A sum, a gauge and a histogram by turns, up to four points each. */
function sampleMetrics(items: number, random: Random): Metric[] {
  const metrics: Metric[] = [];
  for (let left = items; left > 0;) {
    const count = Math.min(left, 4);
    left -= count;
    const times = {
      startTimeUnixNano: String(startNano),
      timeUnixNano: String(startNano + BigInt(metrics.length) * 1_000_000_000n),
    };
    const points = Array.from({ length: count }, (_, index) => ({
      ...times,
      attributes: attributes({ "http.route": routes[index]!, "http.response.status_code": 200 }),
    }));
    metrics.push(sampleMetric(metrics.length, points, random));
  }
  return metrics;
}

function sampleMetric(index: number, points: NumberDataPoint[], random: Random): Metric {
  const round = index < 3 ? "" : `.${Math.floor(index / 3)}`;
  switch (index % 3) {
    case 0: {
      const dataPoints = points.map((point) => ({
        ...point,
        asInt: String(random.below(100_000)),
      }));
      const sum: Sum = { aggregationTemporality: 2, isMonotonic: true, dataPoints };
      return { name: `shop.orders${round}`, description: "Orders placed", unit: "{order}", sum };
    }
    case 1: {
      const dataPoints = points.map((point) => ({ ...point, asDouble: random.below(1000) / 1000 }));
      return { name: `shop.stock.level${round}`, unit: "1", gauge: { dataPoints } };
    }
    default: {
      const dataPoints = points.map((point): HistogramDataPoint => {
        const buckets = [random.below(90), random.below(40), random.below(20), random.below(4)];
        return {
          ...point,
          count: String(buckets.reduce((sum, bucket) => sum + bucket, 0)),
          sum: random.below(10_000) / 1000,
          min: 0.001,
          max: 1.5,
          bucketCounts: buckets.map(String),
          explicitBounds: [0.01, 0.1, 1],
        };
      });
      const histogram: Histogram = { aggregationTemporality: 2, dataPoints };
      return { name: `http.server.request.duration${round}`, unit: "s", histogram };
    }
  }
}

function resourceOf(service: string): Record<string, AttributeValue> {
  return {
    "service.name": service,
    "service.version": "1.4.2",
    "service.instance.id": `${service}-1`,
    "deployment.environment.name": "test",
    "telemetry.sdk.language": "nodejs",
    "host.name": "localhost",
  };
}

export interface Random {
  below(limit: number): number;
  hex(bytes: number): string;
}

/** A small generator (mulberry32) so that a seed always gives the same request. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  return {
    below: (limit) => next() % limit,
    hex(bytes) {
      let text = "";
      while (text.length < bytes * 2) text += next().toString(16).padStart(8, "0");
      return text.slice(0, bytes * 2);
    },
  };
}
