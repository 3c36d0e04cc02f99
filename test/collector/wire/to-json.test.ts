import { deepStrictEqual } from "node:assert";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Signal } from "../../../collector/wire/batch.ts";
import { bytesFromJson } from "../../support/otlp-json.ts";
import { toJson } from "../../../collector/wire/to-json.ts";
import { validate } from "../../../collector/wire/validate.ts";
import { Writer } from "../../../collector/wire/writer.ts";
import {
  anyMessage,
  anyRequest,
  anySignal,
  damaged,
  flipped,
  fuzz,
  jsonOf,
} from "../../support/otlp-arbitrary.ts";
import { decodeRequest, encodeMessage, encodeRequest, sampleBatch } from "../../support/otlp.ts";

test("any request is written as protobufjs and the JSON mapping have it", () => {
  fc.assert(
    fc.property(anyRequest, ({ signal, request }) => {
      const bytes = encodeRequest(signal, request);
      const expected: unknown = JSON.parse(jsonOf(decodeRequest(signal, bytes)));
      // JSON has -0, but JSON.stringify does not write it: the reference has the string "-0".
      const json = toJson(signal, bytes).replaceAll(/(?<=[:[,])-0(?=[,\]}])/g, '"-0"');
      deepStrictEqual(JSON.parse(json), expected);
    }),
    fuzz(200),
  );
});

test("of damaged bytes that validate accepts, our reading and that of protobufjs agree", () => {
  const encoded = anyRequest.map(({ signal, request }) => encodeRequest(signal, request));
  const sampled = anySignal.map((signal) => sampleBatch(signal, { items: 2 }).bytes);
  const bytes = fc.oneof(encoded, sampled);
  let accepted = 0;
  fc.assert(
    fc.property(anySignal, fc.oneof(damaged(bytes), flipped(bytes)), (signal, bytes) => {
      if (validate(signal, bytes).kind === "invalid") return;
      accepted++;
      expectSameReading(signal, bytes);
    }),
    fuzz(3000),
  );
  expect(accepted).toBeGreaterThan(200);
});

test("of any message in two parts, our reading and that of protobufjs agree", () => {
  const parts = fc.constantFrom("Span", "Metric", "LogRecord").chain((name) =>
    fc.record({
      signal: fc.constant(signalOf[name]!),
      leaf: fc
        .tuple(anyMessage(name), anyMessage(name))
        .map((parts) => Buffer.concat(parts.map((part) => encodeMessage(name, part)))),
    }),
  );
  fc.assert(
    fc.property(parts, ({ signal, leaf }) => expectSameReading(signal, requestOf(leaf))),
    fuzz(200),
  );
});

const signalOf: Readonly<Record<string, Signal>> = {
  Span: "traces",
  Metric: "metrics",
  LogRecord: "logs",
};

function expectSameReading(signal: Signal, bytes: Uint8Array): void {
  const back = bytesFromJson(signal, toJson(signal, bytes));
  deepStrictEqual(decodeRequest(signal, back), decodeRequest(signal, bytes));
}

/** A request of one span, metric or log record with these bytes. */
function requestOf(leaf: Uint8Array | readonly number[]): Uint8Array {
  const writer = new Writer();
  writer.begin(1);
  writer.begin(2);
  writer.bytes(2, Uint8Array.from(leaf));
  writer.end();
  writer.end();
  return writer.finish();
}

const eight = (value: number): number[] => [value, 0, 0, 0, 0, 0, 0, 0];

describe("what senders may do and protobufjs does not", () => {
  test("lists of numbers are read packed, unpacked and mixed", () => {
    const point = [0x31, ...eight(1), 0x32, 16, ...eight(2), ...eight(3), 0x31, ...eight(4)];
    expect(
      toJson("metrics", requestOf([0x4a, point.length + 2, 0x0a, point.length, ...point])),
    ).toContain(`"bucketCounts":["1","2","3","4"]`);
    const buckets = [0x10, 5, 0x12, 3, 6, 0x80, 1, 0x10, 7];
    const exponential = [0x42, buckets.length, ...buckets];
    const points = [0x0a, exponential.length, ...exponential];
    expect(toJson("metrics", requestOf([0x52, points.length, ...points]))).toContain(
      `"bucketCounts":["5","6","128","7"]`,
    );
  });

  test("a message in two parts is one", () => {
    // status { message: "a" } name: "b" status { code: 2 }
    const bytes = requestOf([0x7a, 3, 0x12, 1, 97, 0x2a, 1, 98, 0x7a, 2, 0x18, 2]);
    expect(toJson("traces", bytes)).toContain(`{"name":"b","status":{"message":"a","code":2}}`);
  });

  test("of a value given twice the last one counts, also among the members of a oneof", () => {
    expect(toJson("traces", requestOf([0x2a, 1, 97, 0x2a, 1, 98]))).toContain(`{"name":"b"}`);
    expect(toJson("traces", requestOf([0x2a, 1, 97, 0x2a, 0]))).toContain("[{}]");
    const point = [0x31, ...eight(7), 0x21, ...eight(0)];
    const gauge = [0x0a, point.length, ...point];
    expect(toJson("metrics", requestOf([0x2a, gauge.length, ...gauge]))).toContain(
      `[{"asDouble":0}]`,
    );
  });

  test("unknown fields are left out", () => {
    expect(toJson("traces", requestOf([0xf8, 7, 1, 0x2a, 1, 98]))).toContain(`[{"name":"b"}]`);
  });

  test("many parts of one message take linear time", () => {
    const parts = 200_000;
    const bytes = requestOf(Buffer.alloc(parts * 5, Uint8Array.of(0x7a, 3, 0x12, 1, 97)));
    const began = performance.now();
    expect(toJson("traces", bytes)).toContain(`{"status":{"message":"a"}}`);
    expect(performance.now() - began).toBeLessThan(2000);
  });
});

test.each([-0, 0, Number.NaN, Number.NEGATIVE_INFINITY, 1e21, 5e-324])("a double of %s", (sum) => {
  const dataPoints = [{ sum }];
  const request = {
    resourceMetrics: [{ scopeMetrics: [{ metrics: [{ histogram: { dataPoints } }] }] }],
  };
  expectSameReading("metrics", encodeRequest("metrics", request));
});

test.each(["0", "false"])("a string that says %s is no default", (text) => {
  const bytes = encodeRequest("logs", { resourceLogs: [{ schemaUrl: text }] });
  expect(toJson("logs", bytes)).toBe(`{"resourceLogs":[{"schemaUrl":"${text}"}]}`);
});

test("an empty request is an empty object", () => {
  expect(toJson("logs", new Uint8Array())).toBe("{}");
});

test("it is one line, whatever the strings hold", () => {
  const bytes = encodeRequest("logs", { resourceLogs: [{ schemaUrl: 'a\n"\r\\\u0000é😀' }] });
  expect(toJson("logs", bytes)).toBe(
    String.raw`{"resourceLogs":[{"schemaUrl":"a\n\"\r\\\u0000é😀"}]}`,
  );
});
