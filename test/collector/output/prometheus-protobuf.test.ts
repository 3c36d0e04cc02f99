// The Prometheus output as protobuf, in which exponential histograms stay what they are.

import { describe, expect, it } from "vitest";
import {
  Bench,
  counter,
  delta,
  exemplar,
  exponential,
  gauge,
  histogram,
  quantileValues,
  request,
  spanId,
  timed,
  traceId,
  withExemplars,
} from "../../support/prometheus-metrics.ts";
import { accept as protobuf, readFamilies } from "../../support/prometheus-protobuf.ts";

describe("protobuf", () => {
  const familiesOf = (bench: Bench) => readFamilies(Buffer.concat(bench.bytes(protobuf)));
  const target = [
    { name: "job", value: "shop" },
    { name: "instance", value: "1" },
  ];
  const began = { seconds: 1_790_000_000 };

  it("has every kind of metric", async () => {
    const bench = new Bench();
    const orders = { ...counter("orders", 3), unit: "By", description: "Orders." };
    await bench.deliver(
      request([
        withExemplars(orders, exemplar(2, 5.25)),
        gauge("g", -0.5),
        histogram("h", { bounds: [1], counts: [1, 2], total: 9 }),
        {
          name: "q",
          summary: { dataPoints: [{ ...timed(), count: "4", sum: 10, quantileValues }] },
        },
      ]),
    );
    const ids = [
      { name: "trace_id", value: traceId },
      { name: "span_id", value: spanId },
    ];
    const timestamp = { seconds: 1_790_000_005, nanos: 250_000_000 };
    expect(familiesOf(bench)).toMatchObject([
      {
        name: "orders_bytes_total",
        help: "Orders.",
        unit: "bytes",
        metric: [
          {
            label: target,
            counter: {
              value: 3,
              exemplar: { label: ids, value: 2, timestamp },
              created_timestamp: began,
            },
          },
        ],
      },
      { name: "g", type: "GAUGE", metric: [{ label: target, gauge: { value: -0.5 } }] },
      {
        name: "h",
        type: "HISTOGRAM",
        metric: [
          {
            histogram: {
              sample_count: 3,
              sample_sum: 9,
              bucket: [{ cumulative_count: 1, upper_bound: 1 }],
              created_timestamp: began,
            },
          },
        ],
      },
      {
        name: "q",
        type: "SUMMARY",
        metric: [{ summary: { sample_count: 4, sample_sum: 10, quantile: quantileValues } }],
      },
    ]);
  });

  it("has exponential histograms with the buckets that they came with", async () => {
    const bench = new Bench();
    await bench.deliver(request([exponential(3, { offset: -2, bucketCounts: ["1", "0", "4"] })]));
    expect(familiesOf(bench)).toMatchObject([
      {
        metric: [
          {
            histogram: {
              schema: 3,
              sample_count: 6,
              zero_threshold: 1e-128,
              zero_count: 1,
              positive_span: [{ offset: -1, length: 3 }],
              positive_delta: [1, -1, 4],
            },
          },
        ],
      },
    ]);
  });

  it.each([
    [9, 8],
    [8, 8],
    [-4, -4],
    [-5, undefined],
  ])("has those of scale %d at %s, as far as there are native ones", async (scale, schema) => {
    const bench = new Bench();
    const run = { offset: 0, bucketCounts: ["1", "1"] };
    await bench.deliver(request([exponential(scale, run)]));
    const [family] = familiesOf(bench) as [{ metric: [{ histogram: { schema?: number } }] }];
    expect(family.metric[0].histogram.schema).toBe(schema);
  });

  it("adds up those that are differences at the coarser scale", async () => {
    const bench = new Bench();
    const one = exponential(2, { offset: 4, bucketCounts: ["1", "2"] }, { temporality: delta });
    const other = exponential(
      1,
      { offset: 2, bucketCounts: ["5"] },
      { temporality: delta, time: 20 },
    );
    await bench.deliver(request([one]));
    await bench.deliver(request([other]));
    expect(familiesOf(bench)).toMatchObject([
      {
        metric: [
          {
            histogram: {
              schema: 1,
              sample_count: 10,
              zero_count: 2,
              positive_span: [{ offset: 3, length: 1 }],
              positive_delta: [8],
            },
          },
        ],
      },
    ]);
  });

  it("adds up what lies far apart within bounds", async () => {
    const bench = new Bench();
    for (const [time, offset] of [-20_000, 0, 20_000].entries()) {
      const run = { offset, bucketCounts: ["1"] };
      const outcome = await bench.deliver(
        request([exponential(10, run, { temporality: delta, time })]),
      );
      expect(outcome).toEqual({ kind: "delivered" });
    }
    const [family] = familiesOf(bench) as [
      { metric: [{ histogram: { positive_span: [{ length: number }]; sample_count: number } }] },
    ];
    const { positive_span, sample_count } = family.metric[0].histogram;
    expect(sample_count).toBe(6);
    expect(positive_span[0].length).toBeLessThanOrEqual(320);
  });

  it("comes in pieces, each of which can be read, and has every series once", async () => {
    const bench = new Bench();
    const metrics = Array.from({ length: 3000 }, (_, n) => gauge("g", n, { with: { n } }));
    await bench.deliver(request(metrics));
    const families = familiesOf(bench) as {
      name: string;
      metric: { gauge: { value?: number } }[];
    }[];
    expect(families.length).toBeGreaterThan(1);
    const values = families.flatMap(({ metric }) => metric.map(({ gauge }) => gauge.value ?? 0));
    expect(values).toEqual(metrics.map((_, n) => n));
    for (const piece of bench.bytes(protobuf)) readFamilies(piece);
  });
});
