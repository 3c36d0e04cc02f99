// The documents of spans and of their events.

import { describe, expect, test } from "vitest";
import { attributes, type Request, type Span } from "../../support/otlp.ts";
import { came, linesOf, nano } from "./elasticsearch-lines.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const spanId = "00f067aa0ba902b7";
const whole: Span = {
  traceId,
  spanId,
  parentSpanId: "b7ad6b7169203331",
  traceState: "a=1",
  name: "GET /pay",
  kind: 3,
  startTimeUnixNano: "1767323045123456789",
  endTimeUnixNano: "1767323046000000001",
  attributes: attributes({ "http.route": "/pay", "order.items": 3 }),
  droppedAttributesCount: 1,
  events: [
    {
      timeUnixNano: "1767323045200000000",
      name: "exception",
      attributes: attributes({ "exception.type": "Oops", "exception.message": "no" }),
      droppedAttributesCount: 2,
    },
    { name: "retry" },
  ],
  droppedEventsCount: 3,
  links: [
    { traceId: "ab".repeat(16), spanId: "cd".repeat(8), attributes: attributes({ a: 1 }) },
    { traceState: "b=2", droppedAttributesCount: 7 },
  ],
  droppedLinksCount: 4,
  status: { code: 2, message: "out of stock" },
};

function requestOf(...spans: Span[]): Request {
  const resource = { attributes: attributes({ "service.name": "shop" }) };
  return { resourceSpans: [{ resource, scopeSpans: [{ scope: { name: "http" }, spans }] }] };
}

const lines = (request: Request, given = {}) => linesOf(request, { signal: "traces", ...given });

const common = {
  scope: { name: "http" },
  resource: { attributes: { "service.name": "shop" } },
};
const stream = (type: string) => ({ type, dataset: "generic.otel", namespace: "default" });

describe("a span", () => {
  test("has the shape of Elasticsearch's own data streams, and so have its events among the logs", () => {
    expect(lines(requestOf(whole))).toEqual([
      {
        action: { create: { _index: "traces-generic.otel-default", _id: "log-1-40-0" } },
        document: {
          "@timestamp": "2026-01-02T03:04:05.123456789Z",
          trace_id: traceId,
          span_id: spanId,
          trace_state: "a=1",
          parent_span_id: "b7ad6b7169203331",
          name: "GET /pay",
          kind: "Client",
          duration: 876543212,
          status: { code: "Error", message: "out of stock" },
          attributes: { "http.route": "/pay", "order.items": 3 },
          dropped_attributes_count: 1,
          dropped_events_count: 3,
          links: [
            { attributes: { a: 1 }, trace_id: "ab".repeat(16), span_id: "cd".repeat(8) },
            { attributes: {}, trace_state: "b=2", dropped_attributes_count: 7 },
          ],
          dropped_links_count: 4,
          ...common,
          data_stream: stream("traces"),
        },
      },
      {
        action: { create: { _index: "logs-generic.otel-default", _id: "log-1-40-0-1" } },
        document: {
          "@timestamp": "2026-01-02T03:04:05.200000000Z",
          trace_id: traceId,
          span_id: spanId,
          event_name: "exception",
          attributes: { "exception.type": "Oops", "exception.message": "no" },
          dropped_attributes_count: 2,
          ...common,
          data_stream: stream("logs"),
        },
      },
      {
        action: { create: { _index: "logs-generic.otel-default", _id: "log-1-40-0-2" } },
        document: {
          "@timestamp": "2026-01-02T03:04:05.123456789Z",
          trace_id: traceId,
          span_id: spanId,
          event_name: "retry",
          ...common,
          data_stream: stream("logs"),
        },
      },
    ]);
  });

  test("of which nothing is known has the time it came", () => {
    const [line, ...others] = lines({ resourceSpans: [{ scopeSpans: [{ spans: [{}] }] }] });
    expect(others).toEqual([]);
    expect(line!.document).toEqual({
      "@timestamp": "2026-01-20T12:34:56.789000000Z",
      kind: "Unspecified",
      status: { code: "Unset" },
      data_stream: stream("traces"),
    });
  });

  test("lasts as long as it lasted, also by clocks that went back", () => {
    const [start, end] = ["1767323045999999999", "1767323046000000001"];
    const spans = [
      [start, end],
      [end, start],
      [start, "0"],
      ["1", String(2n ** 63n - 1n)],
    ].map(
      ([startTimeUnixNano, endTimeUnixNano]) => ({ startTimeUnixNano, endTimeUnixNano }) as Span,
    );
    const durations = lines(requestOf(...spans)).map(({ document }) => document["duration"]);
    expect(durations).toEqual([2, -2, undefined, Number(2n ** 63n - 2n)]);
  });

  test("goes to the data stream that it names, and an event to the one that it names itself", () => {
    const named = attributes({ "data_stream.dataset": "shop" });
    const events = [{ attributes: named }, {}];
    const indexes = lines(requestOf({ attributes: named, events }, { events }));
    expect(indexes.map(({ action }) => action.create._index)).toEqual([
      "traces-shop.otel-default",
      "logs-shop.otel-default",
      "logs-generic.otel-default",
      "traces-generic.otel-default",
      "logs-shop.otel-default",
      "logs-generic.otel-default",
    ]);
  });

  test("goes to the index of its day, and an event to that of its own", () => {
    const midnight = Date.parse("2026-01-10T00:00:00Z");
    expect(came - midnight).toBeLessThan(30 * 86_400_000);
    const span = {
      startTimeUnixNano: nano(midnight - 1),
      endTimeUnixNano: nano(midnight + 1),
      events: [{ timeUnixNano: nano(midnight) }],
    };
    const indexes = lines(requestOf(span), { index: "%s-%Y.%m.%d" });
    expect(indexes.map(({ action }) => action.create._index)).toEqual([
      "traces-2026.01.09",
      "logs-2026.01.10",
    ]);
  });
});

describe("by the Elastic Common Schema", () => {
  const ecs = { fields: "ecs" };

  test("a span that others called is a transaction", () => {
    const [line] = lines(requestOf({ ...whole, kind: 2, events: [], links: [] }), ecs);
    expect(line!.document).toMatchObject({
      "trace.id": traceId,
      "span.id": spanId,
      "transaction.id": spanId,
      "parent.id": "b7ad6b7169203331",
      "transaction.name": "GET /pay",
      "span.kind": "Server",
      "event.duration": 876543212,
      "transaction.duration.us": 876543,
      "event.outcome": "failure",
      "event.reason": "out of stock",
      "processor.event": "transaction",
      "service.name": "shop",
      "log.logger": "http",
      data_stream: { type: "traces", dataset: "generic.ecs", namespace: "default" },
    });
    expect(line!.document).not.toHaveProperty("status");
  });

  test.each(["", "0".repeat(16)])("so is one whose parent is %j, which is none", (parentSpanId) => {
    const [line] = lines(requestOf({ ...whole, parentSpanId }), ecs);
    expect(line!.document).toMatchObject({ "transaction.id": spanId });
    expect(Object.keys(line!.document)).not.toContain("parent.id");
  });

  test("another one is a span, and an exception an error of the log", () => {
    const [span, event] = lines(requestOf({ ...whole, status: { code: 1 } }), ecs);
    expect(span!.document).toMatchObject({
      "span.name": "GET /pay",
      "span.duration.us": 876543,
      "event.outcome": "success",
      "processor.event": "span",
    });
    expect(event!.document).toMatchObject({
      "event.action": "exception",
      "error.type": "Oops",
      "error.message": "no",
      "span.id": spanId,
    });
  });
});
