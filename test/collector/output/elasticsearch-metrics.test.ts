// The documents of metrics: one for each point.

import { expect, test } from "vitest";
import { attributes, type Metric, type Request } from "../../support/otlp.ts";
import { linesOf, textOf } from "./elasticsearch-lines.ts";

const times = {
  startTimeUnixNano: "1767323040000000000",
  timeUnixNano: "1767323045123456789",
};

function requestOf(...metrics: Metric[]): Request {
  const resource = { attributes: attributes({ "service.name": "shop" }) };
  return { resourceMetrics: [{ resource, scopeMetrics: [{ metrics }] }] };
}

const documents = (...metrics: Metric[]) => linesOf(requestOf(...metrics), { signal: "metrics" });

const common = {
  "@timestamp": "2026-01-02T03:04:05.123456789Z",
  start_timestamp: "2026-01-02T03:04:00.000000000Z",
  resource: { attributes: { "service.name": "shop" } },
  data_stream: { type: "metrics", dataset: "generic.sonde", namespace: "default" },
};

test("each point of a sum is a document with the id of its place", () => {
  const points = [
    { ...times, asInt: "9223372036854775807", attributes: attributes({ route: "/a" }) },
    { ...times, asDouble: 2, attributes: attributes({ route: "/b" }) },
  ];
  const sum: Metric = {
    name: "orders",
    unit: "{order}",
    sum: { dataPoints: points, aggregationTemporality: 2, isMonotonic: true },
  };
  const about = {
    unit: "{order}",
  };
  const metric = { type: "sum", name: "orders", temporality: "cumulative", monotonic: true };
  const gauge: Metric = { name: "a.b", gauge: { dataPoints: [{ timeUnixNano: "1" }] } };
  expect(documents(sum, gauge)).toEqual([
    {
      action: { create: { _index: "metrics-generic.sonde-default", _id: "log-1-40-0" } },
      document: {
        ...common,
        ...about,
        attributes: { route: "/a" },
        metric: { ...metric, value: Number(2n ** 63n - 1n) },
        metrics: { orders: Number(2n ** 63n - 1n) },
      },
    },
    {
      action: { create: { _index: "metrics-generic.sonde-default", _id: "log-1-40-0-1" } },
      document: {
        ...common,
        ...about,
        attributes: { route: "/b" },
        metric: { ...metric, value: 2 },
        metrics: { orders: 2 },
      },
    },
    {
      action: { create: { _index: "metrics-generic.sonde-default", _id: "log-1-40-1" } },
      document: {
        "@timestamp": "1970-01-01T00:00:00.000000001Z",
        metric: { type: "gauge", name: "a.b" },
        resource: common.resource,
        data_stream: common.data_stream,
      },
    },
  ]);
  const text = textOf(requestOf(sum), { signal: "metrics" });
  expect(text).toContain('"metrics":{"orders":9223372036854775807}');
  expect(text).toContain('"metrics":{"orders":2.0}');
});

test("histograms and summaries have their numbers to search for, and all of it beside them", () => {
  const histogram: Metric = {
    name: "h",
    histogram: {
      aggregationTemporality: 1,
      dataPoints: [
        {
          ...times,
          count: "18446744073709551615",
          sum: 1.5,
          min: 0.5,
          max: Number.NaN,
          bucketCounts: ["1", "18446744073709551614", "0"],
          explicitBounds: [0.5, 1],
        },
        {},
      ],
    },
  };
  const exponential: Metric = {
    name: "e",
    exponentialHistogram: {
      aggregationTemporality: 2,
      dataPoints: [
        {
          ...times,
          count: "6",
          scale: -2,
          zeroCount: "1",
          zeroThreshold: 0.25,
          positive: { offset: -3, bucketCounts: ["2", "300"] },
          negative: { offset: 4, bucketCounts: ["18446744073709551615"] },
        },
      ],
    },
  };
  const summary: Metric = {
    name: "s",
    summary: {
      dataPoints: [
        {
          ...times,
          count: "3",
          sum: 6,
          quantileValues: [{ quantile: 0.5, value: 2 }, { quantile: 1 }],
        },
      ],
    },
  };
  const text = textOf(requestOf(histogram, exponential, summary), { signal: "metrics" });
  const found = text
    .split("\n")
    .flatMap(
      (line) => /(?<="type":"[a-z_]+",)"name":.*?,"resource"/.exec(line)?.[0].slice(0, -11) ?? [],
    );
  expect(found).toEqual([
    '"name":"h","temporality":"delta","count":18446744073709551615,"sum":1.5,"min":0.5,"max":null},"metrics":{"h.count":18446744073709551615,"h.sum":1.5,"h.min":0.5,"h.max":null},"distribution":{"counts":[1,18446744073709551614,0],"bounds":[0.5,1.0]}',
    '"name":"h","temporality":"delta","count":0},"metrics":{"h.count":0},"distribution":{"counts":[],"bounds":[]}',
    '"name":"e","temporality":"cumulative","count":6},"metrics":{"e.count":6},"distribution":{"scale":-2,"zero_count":1,"zero_threshold":0.25,"positive":{"offset":-3,"counts":[2,300]},"negative":{"offset":4,"counts":[18446744073709551615]}}',
    '"name":"s","count":3,"sum":6.0},"metrics":{"s.count":3,"s.sum":6.0},"distribution":{"quantiles":[0.5,1.0],"values":[2.0,0.0]}',
  ]);
});
