// Requests of metrics of which each round brings the next values: prepared once, with the bytes of times and
// values known, which are then overwritten.

import { Cursor } from "../../collector/wire/cursor.ts";
import { Leaves } from "../../collector/wire/leaves.ts";
import { attributes, encodeRequest, type Metric } from "../support/otlp.ts";
import { type MetricsCase, seriesPerSender } from "./metrics-cases.ts";

type Made = MetricsCase["made"];

const metricsEach = 10;
const bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
/** Of the buckets of a histogram, the one whose count grows; the others have this. */
const growingBucket = 2;
const steady = 7;
const steadySum = steady * bounds.length;

/** What a series has in a round: another number for each, so that none is taken for another. */
export const valueOf = (round: number, index: number): number =>
  (round + 1) * seriesPerSender + index;

/** In which round a value was sent. */
export const roundOf = (value: number): number => Math.floor(value / seriesPerSender) - 1;

/** What the lines begin with that have these values. */
export const lineBeginning = {
  sums: /^shop_\d_total\{/,
  histograms: /^shop_\d_seconds_count\{/,
} as const;

const beginNs = BigInt(Date.now() - 60_000) * 1_000_000n;

/** Where the numbers of a point stand that change. */
interface Places {
  time: number;
  value: number;
  /** Of a histogram, whose value is its count. */
  bucket: number | undefined;
}

export class SenderRequest {
  readonly bytes: Buffer;
  readonly #points: readonly Places[];

  constructor(sender: number, made: Made) {
    this.bytes = Buffer.from(requestOf(sender, made));
    this.#points = [...pointsIn(this.bytes)].map((point) => placesIn(point, made));
    if (this.#points.length !== seriesPerSender) throw new Error("a request without its points");
  }

  fill(round: number): void {
    const { bytes } = this;
    const now = beginNs + BigInt(round) * 1_000_000n;
    this.#points.forEach(({ time, value, bucket }, index) => {
      bytes.writeBigUInt64LE(now, time);
      bytes.writeUInt32LE(valueOf(round, index), value);
      if (bucket !== undefined) bytes.writeUInt32LE(valueOf(round, index) - steadySum, bucket);
    });
  }
}

function placesIn(point: Cursor, made: Made): Places {
  const places: Places = { time: 0, value: 0, bucket: undefined };
  while (point.next()) {
    if (point.number === 3) places.time = point.start;
    else if (point.number === (made === "sums" ? 6 : 4)) places.value = point.start;
    else if (point.number === 6) places.bucket = point.start + 8 * growingBucket;
  }
  return places;
}

function* pointsIn(bytes: Buffer): Generator<Cursor> {
  const leaves = new Leaves({ bytes });
  while (leaves.next()) {
    const metric = new Cursor(bytes, leaves.start, leaves.end);
    while (metric.next()) {
      if (metric.number !== 7 && metric.number !== 9) continue;
      const data = new Cursor(bytes, metric.start, metric.end);
      while (data.next()) if (data.number === 1) yield new Cursor(bytes, data.start, data.end);
    }
  }
}

/** As an SDK sends it: one resource, one scope, some metrics with series that differ by route, method and status. */
function requestOf(sender: number, made: Made): Uint8Array {
  const resource = attributes({
    "service.name": "shop",
    "service.instance.id": `0f8fad5b-d9cb-469f-a165-${String(sender).padStart(12, "0")}`,
    "host.name": `host-${sender}`,
  });
  const metrics = Array.from({ length: metricsEach }, (_, number) => metricOf(number, made));
  const scope = { name: "@opentelemetry/instrumentation-http", version: "0.300.0" };
  const scopeMetrics = [{ scope, metrics }];
  return encodeRequest("metrics", {
    resourceMetrics: [{ resource: { attributes: resource }, scopeMetrics }],
  });
}

function metricOf(number: number, made: Made): Metric {
  const times = { startTimeUnixNano: String(beginNs), timeUnixNano: String(beginNs) };
  const points = Array.from({ length: seriesPerSender / metricsEach }, (_, index) => ({
    ...times,
    attributes: attributes({
      "http.request.method": index % 2 === 0 ? "GET" : "POST",
      "http.response.status_code": index % 4 < 2 ? 200 : 404,
      "http.route": `/orders/{order}/items/${Math.floor(index / 4)}`,
    }),
  }));
  const name = `shop.${number}`;
  const description = "What the shop counts.";
  if (made === "sums") {
    const dataPoints = points.map((point) => ({ ...point, asInt: "1" }));
    const sum = { aggregationTemporality: 2, isMonotonic: true, dataPoints };
    return { name, description, unit: "{item}", sum };
  }
  const bucketCounts = [...bounds, 0].map(() => String(steady));
  const dataPoints = points.map((point) => ({
    ...point,
    count: "1",
    sum: 12.5,
    bucketCounts,
    explicitBounds: bounds,
  }));
  return { name, description, unit: "s", histogram: { aggregationTemporality: 2, dataPoints } };
}
