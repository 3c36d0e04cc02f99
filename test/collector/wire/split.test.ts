import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Batch, Signal } from "../../../collector/wire/batch.ts";
import { type Part, split } from "../../../collector/wire/split.ts";
import { validate } from "../../../collector/wire/validate.ts";
import { Writer } from "../../../collector/wire/writer.ts";
import { anyRequest, fuzz } from "../../support/otlp-arbitrary.ts";
import { decodeRequest, encodeRequest, sampleBatch, sampleRequest } from "../../support/otlp.ts";

const batchOf = (signal: Signal, bytes: Uint8Array): Batch => {
  const result = validate(signal, bytes);
  if (result.kind !== "valid") throw new Error(result.problem.why);
  return result.batch;
};

const merged = (parts: readonly Part[]): Uint8Array =>
  Buffer.concat(parts.map(({ batch }) => batch.bytes));

type Fields = Readonly<Record<string, unknown>>;

/** A line for each item with all that it stands under; one without for a group that has none. */
function rows(signal: Signal, bytes: Uint8Array): string[] {
  const groups = { traces: "resourceSpans", metrics: "resourceMetrics", logs: "resourceLogs" };
  const scopes = { traces: "scopeSpans", metrics: "scopeMetrics", logs: "scopeLogs" };
  const leaves = { traces: "spans", metrics: "metrics", logs: "logRecords" };
  return below(decodeRequest(signal, bytes) as Fields, groups[signal], (group) =>
    below(group, scopes[signal], (scope) =>
      below(scope, leaves[signal], (leaf) =>
        signal === "metrics" ? rowsOfMetric(leaf) : [JSON.stringify(leaf)],
      ),
    ),
  );
}

function below(parent: Fields, name: string, rowsOf: (child: Fields) => string[]): string[] {
  const { [name]: children = [], ...rest } = parent;
  const found = (children as Fields[]).flatMap(rowsOf);
  return (found.length > 0 ? found : ["-"]).map((row) => `${JSON.stringify(rest)} ${row}`);
}

function rowsOfMetric(metric: Fields): string[] {
  const kinds = ["gauge", "sum", "histogram", "exponentialHistogram", "summary"];
  const kind = kinds.find((name) => metric[name] !== undefined);
  if (kind === undefined) return [JSON.stringify(metric)];
  const { [kind]: data, ...rest } = metric;
  return below(data as Fields, "dataPoints", (point) => [JSON.stringify(point)]).map(
    (row) => `${JSON.stringify(rest)} ${kind} ${row}`,
  );
}

const leavesOf = (bytes: Uint8Array, signal: Signal): number => {
  let leaves = 0;
  for (const { batch } of split(batchOf(signal, bytes), { maxItems: 1, maxBytes: 1 })) {
    leaves += batch.items;
  }
  return leaves;
};

describe("whatever the limits", () => {
  const anyLimits = fc.record({
    maxItems: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.constant(Infinity)),
    maxBytes: fc.oneof(fc.integer({ min: 1, max: 600 }), fc.constant(Infinity)),
  });

  test("the parts say what the whole said, each a valid request with its exact count", () => {
    fc.assert(
      fc.property(anyRequest, anyLimits, ({ signal, request }, limits) => {
        const bytes = encodeRequest(signal, request);
        const parts = [...split(batchOf(signal, bytes), limits)];
        expect(rows(signal, merged(parts))).toEqual(rows(signal, bytes));
        for (const { batch } of parts) {
          expect(batchOf(signal, batch.bytes).items).toBe(batch.items);
        }
      }),
      fuzz(3000),
    );
  });

  test("a part is within the limits, or has a single item at most", () => {
    fc.assert(
      fc.property(anyRequest, anyLimits, ({ signal, request }, limits) => {
        const bytes = encodeRequest(signal, request);
        for (const { batch } of split(batchOf(signal, bytes), limits)) {
          if (batch.items <= 1) continue;
          expect(batch.items).toBeLessThanOrEqual(limits.maxItems);
          expect(batch.bytes.length).toBeLessThanOrEqual(limits.maxBytes);
        }
      }),
      fuzz(3000),
    );
  });
});

describe.each(["traces", "metrics", "logs"] as const)("%s", (signal) => {
  const whole = sampleBatch(signal, { items: 40 });

  test("a batch within the limits is given back itself", () => {
    const limits = { maxItems: 40, maxBytes: whole.bytes.length };
    expect([...split(whole, limits)]).toEqual([{ batch: whole, firstLeaf: 0 }]);
    expect([...split(whole, limits)][0]?.batch).toBe(whole);
    expect([...split(whole, { ...limits, maxItems: 39 })].length).toBe(2);
    expect([...split(whole, { ...limits, maxBytes: limits.maxBytes - 1 })].length).toBe(2);
  });

  test("parts are filled, not made smaller than need be", () => {
    const items = [...split(whole, { maxItems: 12, maxBytes: Infinity })].map(
      ({ batch }) => batch.items,
    );
    expect(items).toEqual([12, 12, 12, 4]);
    const maxBytes = Math.ceil(whole.bytes.length / 4);
    const sizes = [...split(whole, { maxItems: Infinity, maxBytes })].map(
      ({ batch }) => batch.bytes.length,
    );
    for (const [index, size] of sizes.slice(1).entries()) {
      expect(sizes[index]! + size).toBeGreaterThan(maxBytes);
    }
  });

  test("a part knows where in the whole its first leaf stands", () => {
    const parts = [...split(whole, { maxItems: 12, maxBytes: Infinity })];
    const points = signal === "metrics" ? 4 : 1;
    expect(parts.map(({ firstLeaf }) => firstLeaf)).toEqual([0, 12, 24, 36].map((n) => n / points));
  });

  test("each stands alone where each is more than is allowed", () => {
    const parts = [...split(whole, { maxItems: 1, maxBytes: 1 })];
    expect(parts.map(({ batch }) => batch.items)).toEqual(Array(40).fill(1));
    expect(leavesOf(whole.bytes, signal)).toBe(40);
    expect(rows(signal, merged(parts))).toEqual(rows(signal, whole.bytes));
  });
});

test("fields that nobody knows are kept, at every level", () => {
  const { resourceLogs } = sampleRequest("logs", { items: 3 });
  const group = encodeRequest("logs", { resourceLogs: resourceLogs! });
  const writer = new Writer();
  writer.raw(group);
  writer.text(99, "of the request");
  writer.begin(1);
  writer.text(98, "of the group");
  writer.begin(2);
  writer.text(97, "of the scope");
  for (const text of ["a", "b"]) {
    writer.begin(2);
    writer.text(96, text);
    writer.end();
  }
  writer.end();
  writer.end();
  const batch = batchOf("logs", writer.finish());
  const parts = [...split(batch, { maxItems: 1, maxBytes: Infinity })];
  expect(parts.map(({ batch }) => batch.items)).toEqual([1, 1, 1, 1, 1]);
  const texts = parts.map(({ batch }) => Buffer.from(batch.bytes).toString("latin1"));
  const holding = (text: string): number[] =>
    texts.flatMap((part, index) => (part.includes(text) ? [index] : []));
  expect(holding("of the request")).toEqual([2]);
  expect(holding("of the group")).toEqual([3, 4]);
  expect(holding("of the scope")).toEqual([3, 4]);
});

test("a metric whose data comes in pieces of one kind is split, of several kinds is not", () => {
  const metric = (...kinds: number[]): Batch => {
    const writer = new Writer();
    for (const field of [1, 2, 2]) writer.begin(field);
    writer.text(1, "m");
    for (const kind of kinds) {
      writer.begin(kind);
      for (let point = 0; point < 2; point++) {
        writer.begin(1);
        writer.fixed64(3, BigInt(point));
        writer.end();
      }
      writer.end();
    }
    for (let level = 0; level < 3; level++) writer.end();
    return batchOf("metrics", writer.finish());
  };
  const counts = (batch: Batch): number[] =>
    [...split(batch, { maxItems: 1, maxBytes: Infinity })].map(({ batch }) => batch.items);
  expect(counts(metric(5, 5))).toEqual([1, 1, 1, 1]);
  expect(counts(metric(5, 7))).toEqual([4]);
});
