import { describe, expect, test } from "vitest";
import {
  anyValue,
  type AnyValue,
  attributes,
  type KeyValue,
  type LogRecord,
} from "../../support/otlp.ts";
import { came, linesOf, nano, request, textOf } from "./elasticsearch-lines.ts";

const dayMs = 86_400_000;

describe("a document", () => {
  test("has the shape of Elasticsearch's own OpenTelemetry data streams", () => {
    const [line] = linesOf(
      request(
        {
          timeUnixNano: "1767323045123456789",
          observedTimeUnixNano: "1767323046000000001",
          severityNumber: 17,
          severityText: "error",
          body: { stringValue: "payment failed" },
          attributes: attributes({ "order.id": 7, "order.total": 2, tags: ["a", "b"] }),
          droppedAttributesCount: 1,
          traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
          spanId: "00f067aa0ba902b7",
          eventName: "payment",
        },
        {
          resource: { attributes: attributes({ "service.name": "shop" }) },
          scope: { name: "pino", version: "1.2", attributes: attributes({ level: true }) },
        },
      ),
    );
    expect(line).toEqual({
      action: { create: { _index: "logs-generic.otel-default", _id: "log-1-40-0" } },
      document: {
        "@timestamp": "2026-01-02T03:04:05.123456789Z",
        observed_timestamp: "2026-01-02T03:04:06.000000001Z",
        severity_number: 17,
        severity_text: "error",
        trace_id: "4bf92f3577b34da6a3ce929d0e0e4736",
        span_id: "00f067aa0ba902b7",
        event_name: "payment",
        body: { text: "payment failed" },
        attributes: { "order.id": 7, "order.total": 2, tags: ["a", "b"] },
        dropped_attributes_count: 1,
        scope: { name: "pino", version: "1.2", attributes: { level: true } },
        resource: { attributes: { "service.name": "shop" } },
        data_stream: { type: "logs", dataset: "generic.otel", namespace: "default" },
      },
    });
  });

  test("of an empty record has the time it came and where it is", () => {
    const [line] = linesOf(request({}));
    expect(Object.keys(line!.document)).toEqual(["@timestamp", "data_stream"]);
    expect(line!.document["@timestamp"]).toBe("2026-01-20T12:34:56.789000000Z");
  });

  test("has the observed time where the event has none, or one that cannot be stored", () => {
    const observedTimeUnixNano = "1767323046000000000";
    const records = [
      { observedTimeUnixNano },
      { timeUnixNano: "0", observedTimeUnixNano },
      { timeUnixNano: String(2n ** 63n), observedTimeUnixNano },
      { timeUnixNano: String(2n ** 63n - 1n), observedTimeUnixNano },
    ];
    expect(linesOf(request(...records)).map(({ document }) => document["@timestamp"])).toEqual([
      "2026-01-02T03:04:06.000000000Z",
      "2026-01-02T03:04:06.000000000Z",
      "2026-01-02T03:04:06.000000000Z",
      "2262-04-11T23:47:16.854775807Z",
    ]);
  });

  test("names its level by the number where it has no other name", () => {
    const levels = [1, 4, 9, 24, 25, 0].map((severityNumber) => ({ severityNumber }));
    expect(linesOf(request(...levels)).map(({ document }) => document["severity_text"])).toEqual([
      "TRACE",
      "TRACE4",
      "INFO",
      "FATAL4",
      undefined,
      undefined,
    ]);
  });

  test("has a body by its kind: text, or a map that is searchable without being mapped", () => {
    const map = { kvlistValue: { values: attributes({ a: 1 }) } };
    const bodies: LogRecord[] = [
      { body: anyValue(["a", 1]) },
      { body: map },
      { body: map, eventName: "click" },
      { body: { intValue: "-9223372036854775808" } },
      { body: { doubleValue: Number.NaN } },
      { body: { boolValue: false } },
      { body: { bytesValue: "AQID" } },
      { body: {} },
    ];
    expect(linesOf(request(...bodies)).map(({ document }) => document["body"])).toEqual([
      { flattened: { value: ["a", 1] } },
      { flattened: { a: 1 } },
      { structured: { a: 1 } },
      { text: "-9223372036854775808" },
      { text: "NaN" },
      { text: "false" },
      { text: "AQID" },
      undefined,
    ]);
  });

  test("tells whole doubles from integers", () => {
    const values = [2, -0, 1e21, 0.1].map((doubleValue, at) => ({
      key: `${at}`,
      value: { doubleValue },
    }));
    expect(textOf(request({ attributes: values }))).toContain(
      '"attributes":{"0":2.0,"1":-0.0,"2":1e+21,"3":0.1}',
    );
  });

  test("gives the values of a list one type", () => {
    const lists = [
      list({ intValue: "1" }, { doubleValue: 2.5 }, { intValue: "-3" }, {}),
      list({ intValue: "1" }, { stringValue: "a" }, { boolValue: true }, {}),
      list(list({ intValue: "1" }), list({ stringValue: "a" })),
      list({ stringValue: '"' }, { kvlistValue: { values: attributes({ a: "b" }) } }),
      list({ intValue: "1" }, { doubleValue: Number.NaN }),
    ];
    const all = lists.map((value, at) => ({ key: `${at}`, value }));
    expect(textOf(request({ attributes: all }))).toContain(
      `"attributes":${String.raw`{"0":[1.0,2.5,-3.0,null],"1":["1","a","true",null],"2":["[1]","[\"a\"]"],"3":["\"","{\"a\":\"b\"}"],"4":[1,null]}`}`,
    );
  });

  test("keeps of a name that stands more than once the last, among few names and many", () => {
    for (const count of [3, 100]) {
      const names = Array.from({ length: count }, (_, at) => `n${at}`);
      const twice = [...names, ...names].map((key, at) => ({ key, value: anyValue(at) }));
      const [line] = linesOf(request({ attributes: twice }));
      const expected = Object.fromEntries(names.map((name, at) => [name, count + at]));
      expect(line!.document["attributes"]).toEqual(expected);
    }
  });

  test("has a text where maps lie deeper than the server maps them", () => {
    let value: AnyValue = { stringValue: 'deep "down"' };
    for (let level = 0; level < 30; level++)
      value = { kvlistValue: { values: [{ key: "k", value }] } };
    const [line] = linesOf(request({ attributes: [{ key: "top", value }] }));
    let inner = (line!.document["attributes"] as Record<string, unknown>)["top"];
    let levels = 0;
    for (; typeof inner === "object"; levels++) inner = (inner as Record<string, unknown>)["k"];
    expect(levels).toBe(15);
    for (inner = JSON.parse(inner as string); typeof inner === "object"; levels++) {
      inner = (inner as Record<string, unknown>)["k"];
    }
    expect([levels, inner]).toEqual([30, 'deep "down"']);
  });

  test("of the next resource and scope has none of the last one", () => {
    const logRecords = [{ body: { stringValue: "x" } }];
    const shop = { attributes: attributes({ "service.name": "shop" }) };
    const lines = linesOf({
      resourceLogs: [
        { resource: shop, scopeLogs: [{ scope: { name: "a" }, logRecords }, { logRecords }] },
        { scopeLogs: [{ scope: { version: "2" }, logRecords }] },
      ],
    });
    const groups = lines.map(({ document: { resource, scope } }) => ({ resource, scope }));
    const resource = { attributes: { "service.name": "shop" } };
    expect(groups).toEqual([
      { resource, scope: { name: "a" } },
      { resource, scope: undefined },
      { resource: undefined, scope: { version: "2" } },
    ]);
  });
});

describe("the place of a document", () => {
  test("is the data stream that its attributes name, the nearest ones first", () => {
    const [line] = linesOf(
      request(
        { attributes: named("Nginx-Access/*") },
        {
          scope: { name: "s", attributes: named("scope") },
          resource: { attributes: attributes({ "data_stream.namespace": "Prod" }) },
        },
      ),
    );
    expect(line).toMatchObject({
      action: { create: { _index: "logs-nginx_access__.otel-prod" } },
      document: { data_stream: { dataset: "nginx_access__.otel", namespace: "prod" } },
    });
    expect(line!.document["attributes"]).toEqual({ kept: 1 });
    expect(line!.document["scope"]).toEqual({ name: "s", attributes: { kept: 1 } });
    expect(line!.document["resource"]).toBeUndefined();
  });

  test("is one of a bounded number of data streams, whatever the names are", () => {
    const records = Array.from({ length: 1000 }, (_, at) => ({
      attributes: attributes({ "data_stream.dataset": `d${at}` }),
    }));
    const indexes = linesOf(request(...records)).map(({ action }) => action.create._index);
    expect(new Set(indexes).size).toBe(201);
    expect(indexes.at(-1)).toBe("logs-generic.otel-default");
  });

  test("is the index of the event's day in UTC", () => {
    const midnight = Date.parse("2026-01-10T00:00:00Z");
    const records = [midnight - 1, midnight].map((ms) => ({ timeUnixNano: nano(ms) }));
    const lines = linesOf(request(...records), { index: "logs-%Y.%m.%d-%H" });
    expect(lines.map(({ action }) => action.create._index)).toEqual([
      "logs-2026.01.09-23",
      "logs-2026.01.10-00",
    ]);
    expect(lines[0]!.document).not.toHaveProperty("data_stream");
  });

  test("is that of the observed time, else of when it came, for an event too far from that", () => {
    const records = [
      { timeUnixNano: nano(came - 30 * dayMs) },
      { timeUnixNano: nano(came - 30 * dayMs - 1000) },
      { timeUnixNano: nano(came + dayMs) },
      { timeUnixNano: nano(came + dayMs + 1000) },
      { timeUnixNano: "1", observedTimeUnixNano: nano(came - 2 * dayMs) },
      { timeUnixNano: "1", observedTimeUnixNano: "1" },
    ];
    const lines = linesOf(request(...records), { index: "logs-%Y.%m.%d" });
    expect(lines.map(({ action }) => action.create._index)).toEqual([
      "logs-2025.12.21",
      "logs-2026.01.20",
      "logs-2026.01.21",
      "logs-2026.01.20",
      "logs-2026.01.18",
      "logs-2026.01.20",
    ]);
    expect(lines[3]!.document["@timestamp"]).toBe("2026-01-21T12:34:57.789000000Z");
  });
});

const list = (...values: AnyValue[]): AnyValue => ({ arrayValue: { values } });

const named = (dataset: string): KeyValue[] =>
  attributes({ "data_stream.dataset": dataset, "data_stream.type": "logs", kept: 1 });

describe("by the Elastic Common Schema a document", () => {
  const ecs = { fields: "ecs" } as const;
  const resource = {
    attributes: attributes({ "service.name": "shop", "k8s.pod.name": "a", region: "north" }),
  };

  test("has known attributes in the fields that are for them, and all others where they were", () => {
    const [line] = linesOf(
      request(
        {
          timeUnixNano: "1767323045123456789",
          observedTimeUnixNano: "1767323046000000001",
          severityNumber: 17,
          severityText: "error",
          body: { stringValue: "payment failed" },
          attributes: attributes({ "exception.type": "Oops", "order.id": 7, "host.id": 1 }),
          traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
          spanId: "00f067aa0ba902b7",
          eventName: "payment",
        },
        { resource, scope: { name: "pino" } },
      ),
      ecs,
    );
    expect(line).toEqual({
      action: { create: { _index: "logs-generic.ecs-default", _id: "log-1-40-0" } },
      document: {
        "@timestamp": "2026-01-02T03:04:05.123456789Z",
        "event.created": "2026-01-02T03:04:06.000000001Z",
        "event.severity": 17,
        "log.level": "error",
        "trace.id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "span.id": "00f067aa0ba902b7",
        "event.action": "payment",
        message: "payment failed",
        attributes: { "order.id": 7, "host.id": 1 },
        "error.type": "Oops",
        "log.logger": "pino",
        "service.name": "shop",
        "kubernetes.pod.name": "a",
        scope: { name: "pino" },
        resource: { attributes: { region: "north" } },
        data_stream: { type: "logs", dataset: "generic.ecs", namespace: "default" },
      },
    });
  });

  test("has each name once, of which the record's own word counts", () => {
    const own = attributes({ "service.name": "one" }).concat(attributes({ "service.name": "two" }));
    const text = textOf(request({ attributes: own }, {}, { resource }), ecs);
    expect(text.match(/"service\.name":"[a-z]+"/g)).toEqual([
      '"service.name":"two"',
      '"service.name":"shop"',
    ]);
  });

  test("has a message that is one text, whatever the body is", () => {
    const bodies: AnyValue[] = [
      { kvlistValue: { values: attributes({ a: 'x"y' }) } },
      anyValue(["a", 1]),
      { intValue: "-5" },
      {},
    ];
    const lines = linesOf(request(...bodies.map((body) => ({ body }))), ecs);
    const messages = lines.map(({ document }) => document["message"]);
    expect(messages).toEqual([String.raw`{"a":"x\"y"}`, '["a",1]', "-5", undefined]);
  });
});
