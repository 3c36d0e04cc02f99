// The Prometheus output without its listener and with a clock that is set by hand.

import assert from "node:assert/strict";
import type { Origin } from "../../collector/log/log.ts";
import type { Outcome } from "../../collector/output/output.ts";
import { Metrics } from "../../collector/output/prometheus/metrics.ts";
import { formatFor } from "../../collector/output/prometheus/negotiate.ts";
import { settings } from "../../collector/output/prometheus/settings.ts";
import type { Batch } from "../../collector/wire/batch.ts";
import { validate } from "../../collector/wire/validate.ts";
import {
  attributes,
  type AttributeValue,
  encodeRequest,
  type Metric,
  type NumberDataPoint,
  type Request,
} from "./otlp.ts";
import { checkHistograms, parseScrape, type Scraped } from "./prometheus-text.ts";

export class Bench {
  nowMs = 1000;
  /** What is not shown though no point is to blame. */
  readonly leftOut: string[] = [];
  readonly metrics: Metrics;

  constructor(given: Readonly<Record<string, unknown>> = {}) {
    this.metrics = new Metrics(settings.parse(given), {
      nowMs: () => this.nowMs,
      leftOut: (name, { detail }) => this.leftOut.push(`${name}: ${detail}`),
    });
  }

  /** Delivers each request as a batch of its own. */
  deliver(...requests: Request[]): Promise<Outcome> {
    const entries = requests.map((request, position) => ({
      position,
      batch: batchOf(request),
      atMs: 0,
    }));
    return this.metrics.deliver({ entries });
  }

  /** Dead letters that are sent again. */
  async deliverFrom(origin: Origin, given: Request): Promise<Outcome> {
    const entries = [{ position: 0, batch: batchOf(given), atMs: 0, origin }];
    return await this.metrics.deliver({ entries });
  }

  /** And says how many points that were. */
  async deliverCounted(given: Request): Promise<{ items: number }> {
    await this.deliver(given);
    return { items: batchOf(given).items };
  }

  /** As a scraper gets it that accepts this. */
  text(accept?: string): string {
    return Buffer.concat(this.bytes(accept)).toString();
  }

  bytes(accept?: string): Uint8Array[] {
    return Array.from(this.metrics.scrape(formatFor(accept)), (piece) => Buffer.from(piece));
  }

  scrape(): Scraped {
    const scraped = parseScrape(this.text());
    checkHistograms(scraped);
    return scraped;
  }

  /** Without target_info, and without the labels that all series of a test have. */
  samples(): Record<string, number> {
    const found = [...this.scrape().samples].filter(([key]) => !key.startsWith("target_info"));
    return Object.fromEntries(found.map(([key, value]) => [withoutTarget(key), value]));
  }
}

function batchOf(given: Request): Batch {
  const checked = validate("metrics", encodeRequest("metrics", given));
  assert.ok(checked.kind === "valid");
  return checked.batch;
}

const withoutTarget = (key: string): string =>
  key
    .replaceAll(/(?<=[{,])(instance="1"|job="shop")(,|(?=\}))/g, "")
    .replace(/,\}$/, "}")
    .replace(/\{\}$/, "");

type Attributes = Readonly<Record<string, AttributeValue>>;

/** Of one sender: `instance` undefined is a sender that does not say which it is. */
export function request(metrics: Metric[], resource: Attributes = shop): Request {
  return {
    resourceMetrics: [
      { resource: { attributes: attributes(resource) }, scopeMetrics: [{ metrics }] },
    ],
  };
}

export const shop = { "service.name": "shop", "service.instance.id": "1" };

/** Seconds after some beginning, in nanoseconds. */
export const at = (seconds: number): string =>
  String(1_790_000_000_000_000_000n + BigInt(Math.round(seconds * 1e9)));

export const cumulative = 2;
export const delta = 1;

export interface PointOptions {
  readonly start?: number;
  readonly time?: number;
  readonly with?: Attributes;
  readonly flags?: number;
}

export const timed = ({ start = 0, time = 10, with: given = {}, flags }: PointOptions = {}) => ({
  startTimeUnixNano: at(start),
  timeUnixNano: at(time),
  attributes: attributes(given),
  ...(flags === undefined ? {} : { flags }),
});

export function counter(name: string, value: number, options: PointOptions = {}): Metric {
  return sum(name, [{ ...timed(options), asDouble: value }], { isMonotonic: true });
}

export function sum(
  name: string,
  dataPoints: NumberDataPoint[],
  { isMonotonic = false, temporality = cumulative } = {},
): Metric {
  return { name, sum: { isMonotonic, aggregationTemporality: temporality, dataPoints } };
}

export function gauge(name: string, value: number, options: PointOptions = {}): Metric {
  return { name, gauge: { dataPoints: [{ ...timed(options), asDouble: value }] } };
}

export function histogram(
  name: string,
  { bounds, counts, total }: { bounds: number[]; counts: number[]; total: number },
  { temporality = cumulative, ...options }: PointOptions & { temporality?: number } = {},
): Metric {
  const point = {
    ...timed(options),
    count: String(counts.reduce((all, count) => all + count, 0)),
    sum: total,
    bucketCounts: counts.map(String),
    explicitBounds: bounds,
  };
  return { name, histogram: { aggregationTemporality: temporality, dataPoints: [point] } };
}

export const traceId = "0af7651916cd43dd8448eb211c80319c";
export const spanId = "b7ad6b7169203331";

export const exemplar = (value: number, time = 5, more: Record<string, string> = {}) => ({
  timeUnixNano: at(time),
  asDouble: value,
  traceId,
  spanId,
  filteredAttributes: attributes(more),
});

/** The first point of a metric with these. */
export function withExemplars(metric: Metric, ...exemplars: object[]): Metric {
  const data = metric.sum ?? metric.histogram ?? metric.exponentialHistogram;
  Object.assign(data!.dataPoints![0]!, { exemplars });
  return metric;
}

export const quantileValues = [{ quantile: 0.5, value: 2 }];

export function exponential(
  scale: number,
  positive: { offset: number; bucketCounts: string[] },
  { temporality = cumulative, time = 10 } = {},
): Metric {
  const inside = positive.bucketCounts.reduce((total, count) => total + Number(count), 0);
  const point = { ...timed({ time }), count: String(inside + 1), sum: 9, scale, zeroCount: "1" };
  const dataPoints = [{ ...point, positive }];
  return {
    name: "e",
    exponentialHistogram: { aggregationTemporality: temporality, dataPoints },
  };
}
