// The output that writes to Prometheus, against a server that reads what it reads.

import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Delivery, Output } from "../../../collector/output/output.ts";
import { open } from "../../../collector/output/prometheus/remote-write.ts";
import { remoteWriteSettings } from "../../../collector/output/prometheus/remote-write-settings.ts";
import { validate } from "../../../collector/wire/validate.ts";
import { outputContext } from "../../contract/output.ts";
import { encodeRequest, type Metric } from "../../support/otlp.ts";
import {
  counter,
  delta,
  exemplar,
  exponential,
  gauge,
  histogram,
  request,
  shop,
  spanId,
  sum,
  timed,
  traceId,
  withExemplars,
} from "../../support/prometheus-metrics.ts";
import { until } from "../../support/until.ts";
import { type RemoteWriteServer, startRemoteWrite } from "./remote-write-server.ts";

let server: RemoteWriteServer;
let output: Output;
const never = new AbortController().signal;

beforeEach(async () => {
  server = await startRemoteWrite();
  await opened({});
});

afterEach(async () => {
  await output.close();
  await server.close();
});

async function opened(given: object): Promise<void> {
  await output?.close();
  output = await open(remoteWriteSettings.parse({ url: server.url, ...given }), outputContext());
}

function deliveryOf(...metrics: Metric[]): Delivery {
  const checked = validate(
    "metrics",
    encodeRequest("metrics", request(metrics, { ...shop, "host.name": "h" })),
  );
  if (checked.kind !== "valid") throw new Error(checked.problem.why);
  const { batch } = checked;
  const { items } = batch;
  return {
    signal: "metrics",
    entries: [{ position: 0, atMs: 0, batch }],
    items,
    bytes: batch.bytes.length,
  };
}

const added = (value: number, time: number): Metric =>
  sum("d", [{ ...timed({ start: time - 10, time }), asDouble: value }], {
    isMonotonic: true,
    temporality: delta,
  });

const delivered = { kind: "delivered" };
const target = { instance: "1", job: "shop" };
const second = (at: number): number => (1_790_000_000 + at) * 1000;
const valuesOf = (name: string): [atMs: number, value: number][] =>
  server.samples
    .filter(({ labels }) => labels["__name__"] === name)
    .map(({ atMs, value }) => [atMs, value]);

describe.each(["1.0", "2.0"])("remote write %s", (version) => {
  beforeEach(() => opened({ version }));

  it("has every series of a point, with the time of the point", async () => {
    const metrics = [
      gauge("g", -0.5, { with: { Zone: "a" } }),
      {
        ...histogram("h", { bounds: [1], counts: [1, 2], total: 9 }),
        unit: "s",
        description: "H.",
      },
    ];
    expect(await output.deliver(deliveryOf(...metrics), never)).toEqual(delivered);
    const of = (name: string, more = {}) => ({ __name__: name, ...target, ...more });
    expect(server.samples.map(({ labels, value, atMs }) => ({ labels, value, atMs }))).toEqual([
      { labels: of("g", { Zone: "a" }), value: -0.5, atMs: second(10) },
      { labels: of("h_seconds_bucket", { le: "1" }), value: 1, atMs: second(10) },
      { labels: of("h_seconds_bucket", { le: "+Inf" }), value: 3, atMs: second(10) },
      { labels: of("h_seconds_sum"), value: 9, atMs: second(10) },
      { labels: of("h_seconds_count"), value: 3, atMs: second(10) },
      { labels: of("target_info", { host_name: "h" }), value: 1, atMs: second(10) },
    ]);
    const [, bucket] = server.samples;
    if (version === "2.0") {
      expect(bucket).toMatchObject({
        metadata: { type: 3, help: "H.", unit: "seconds" },
        createdMs: second(0),
      });
    }
  });

  it("has differences as sums so far, each once, in order", async () => {
    await output.deliver(deliveryOf(added(3, 10), added(4, 20)), never);
    await output.deliver(deliveryOf(added(4, 20), added(5, 30)), never);
    expect(valuesOf("d_total")).toEqual([
      [second(10), 3],
      [second(20), 7],
      [second(30), 12],
    ]);
  });

  it("tries the same again while it is refused, and adds nothing twice", async () => {
    server.answer = () => [503, "away"];
    const delivery = deliveryOf(added(3, 10));
    for (let round = 0; round < 3; round++) {
      expect(await output.deliver(delivery, never)).toMatchObject({
        kind: "retry",
        reason: "busy",
      });
    }
    server.answer = () => undefined;
    expect(await output.deliver(delivery, never)).toEqual(delivered);
    await output.deliver(deliveryOf(added(4, 20)), never);
    expect(valuesOf("d_total")).toEqual([
      [second(10), 3],
      [second(20), 7],
    ]);
  });

  it("counts what is refused for good, which is not sent again", async () => {
    server.answer = () => [400, "label name too long"];
    expect(await output.deliver(deliveryOf(added(3, 10), gauge("g", 1)), never)).toEqual({
      kind: "rejected",
      reason: "partial_success",
      detail: "HTTP 400 label name too long",
      items: 2,
    });
    expect(server.requests).toHaveLength(1);
  });

  it("takes out of order for stored where a start may have repeated it, and nowhere else", async () => {
    const refusal = [400, "out of order sample for series {}"] as const;
    server.answer = () => refusal;
    expect(await output.deliver(deliveryOf(added(3, 10)), never)).toEqual(delivered);
    server.answer = () => undefined;
    expect(await output.deliver(deliveryOf(added(3, 20)), never)).toEqual(delivered);
    server.answer = () => refusal;
    expect(await output.deliver(deliveryOf(added(3, 30)), never)).toMatchObject({ items: 1 });
  });

  it("is halved where it is too large, and goes on behind what cannot be", async () => {
    server.answer = (bytes) => (bytes > 2000 ? [413, "too large"] : undefined);
    const metrics = Array.from({ length: 50 }, (_, n) => gauge("g", n, { with: { n } }));
    const large = gauge("g", 99, { with: { n: "x".repeat(3000) } });
    const outcome = await output.deliver(deliveryOf(...metrics, large), never);
    expect(outcome).toMatchObject({ kind: "rejected", items: 1 });
    expect(valuesOf("g").map(([, value]) => value)).toEqual(metrics.map((_, n) => n));
  });

  it("comes in requests below the limit", async () => {
    await opened({ version, max_request_bytes: 65_536 });
    const metrics = Array.from({ length: 2000 }, (_, n) =>
      gauge("g", n, { with: { n, text: "y".repeat(100) } }),
    );
    expect(await output.deliver(deliveryOf(...metrics), never)).toEqual(delivered);
    expect(server.requests.length).toBeGreaterThan(3);
    for (const { bytes } of server.requests) expect(bytes).toBeLessThanOrEqual(65_536);
    expect(valuesOf("g").map(([, value]) => value)).toEqual(metrics.map((_, n) => n));
  });

  it("marks the end of a series that its sender has ended", async () => {
    await output.deliver(deliveryOf(counter("c", 3)), never);
    await output.deliver(deliveryOf(counter("c", 0, { time: 20, flags: 1 })), never);
    expect(valuesOf("c_total")).toEqual([
      [second(10), 3],
      [second(20), Number.NaN],
    ]);
  });
});

describe.each(["1.0", "2.0"])("remote write %s", (version) => {
  it("has exponential histograms as they are where that is wanted", async () => {
    await opened({ version, native_histograms: true });
    await output.deliver(
      deliveryOf(exponential(3, { offset: 4, bucketCounts: ["3", "1"] })),
      never,
    );
    expect(server.samples.filter(({ labels }) => labels["__name__"] === "e")).toMatchObject([
      {
        labels: { __name__: "e", ...target },
        atMs: second(10),
        histogram: {
          count_int: 5,
          sum: 9,
          schema: 3,
          zero_threshold: 1e-128,
          zero_count_int: 1,
          positive_spans: [{ offset: 5, length: 2 }],
          positive_deltas: [3, -2],
          negative_spans: [],
        },
      },
    ]);
    expect(valuesOf("e_count")).toEqual([]);
  });

  it("has them as ordinary ones otherwise, and where they are too coarse", async () => {
    const coarse = { ...exponential(-5, { offset: 0, bucketCounts: ["3"] }), name: "coarse" };
    await opened({ version });
    await output.deliver(deliveryOf(exponential(3, { offset: 4, bucketCounts: ["3"] })), never);
    await opened({ version, native_histograms: true });
    await output.deliver(deliveryOf(coarse), never);
    expect(valuesOf("e_count")).toEqual([[second(10), 4]]);
    expect(valuesOf("coarse_count")).toEqual([[second(10), 4]]);
    expect(server.samples.some(({ histogram }) => histogram)).toBe(false);
  });

  it("has an exemplar once, with the series that it is of", async () => {
    await opened({ version });
    const traced = withExemplars(counter("c", 3), exemplar(2, 5));
    const bounded = histogram("h", { bounds: [1], counts: [1, 2], total: 9 });
    await output.deliver(
      deliveryOf(traced, withExemplars(bounded, exemplar(0.5), exemplar(4))),
      never,
    );
    await output.deliver(deliveryOf(counter("c", 4, { time: 20 })), never);
    const own = { labels: { trace_id: traceId, span_id: spanId }, atMs: second(5) };
    const found = server.samples.filter(({ exemplars }) => exemplars);
    expect(found.map(({ labels, exemplars }) => [labels["le"], exemplars])).toEqual([
      [undefined, [{ ...own, value: 2 }]],
      ["1", [{ ...own, value: 0.5 }]],
      ["+Inf", [{ ...own, value: 4 }]],
    ]);
  });

  it("adds differences up over a time without the server, however long", async () => {
    await opened({ version, metric_expiration: 200 });
    server.answer = () => [503, "away"];
    const first = deliveryOf(added(3, 10));
    expect(await output.deliver(first, never)).toMatchObject({ kind: "retry" });
    await sleep(300);
    server.answer = () => undefined;
    expect(await output.deliver(first, never)).toEqual(delivered);
    await output.deliver(deliveryOf(added(4, 20)), never);
    expect(valuesOf("d_total").at(-1)).toEqual([second(20), 7]);
  });

  it("marks the end of a series that nothing came for in too long a time", async () => {
    vi.useFakeTimers({ toFake: ["setInterval"] });
    try {
      await opened({ version, metric_expiration: 100 });
      await output.deliver(deliveryOf(counter("c", 3)), never);
      await sleep(150);
      vi.advanceTimersByTime(30_000);
      await until("the end is told", () => valuesOf("c_total").length === 2);
      expect(valuesOf("c_total")[1]).toEqual([second(10) + 1, Number.NaN]);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("remote write 2.0", () => {
  it("is not taken for delivered by a server that knows 1.0 only", async () => {
    await opened({ version: "2.0" });
    server.answer = () => [204, ""];
    expect(await output.deliver(deliveryOf(gauge("g", 1)), never)).toMatchObject({
      kind: "retry",
      reason: "bad_answer",
      detail: expect.stringContaining("set version") as string,
    });
  });
});
