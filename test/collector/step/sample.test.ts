import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { Batch } from "../../../collector/wire/batch.ts";
import { encodeMessage, sampleBatch } from "../../support/otlp.ts";
import type { Span } from "../../support/otlp-shapes.ts";
import { applied, batchOf, groupsOf, openStep } from "./steps.ts";

function spansOf(...spans: Span[]): Batch {
  return batchOf("traces", { resourceSpans: [{ scopeSpans: [{ spans }] }] });
}

async function left(ratio: number, span: Span): Promise<Span | undefined> {
  const step = await openStep("sample", { ratio });
  return groupsOf("traces", applied(step, spansOf(span)))[0]?.scopes[0]?.leaves?.[0];
}

/** A trace id with this number in its last 56 bits. */
function traceId(number: string): string {
  return "a".repeat(18) + number;
}

describe("sampling", () => {
  // Thresholds as OpenTelemetry's specification of tracestate handling gives them.
  it.each([
    [0.5, "8"],
    [0.25, "c"],
    [0.1, "e666"],
    [0.01, "fd70a"],
    [1 / 3, "aaab"],
    [2 ** -40, "ffffffffff"],
    [2 ** -53, "fffffffffffff8"],
  ])("of a ratio of %s writes the threshold %s into the trace state", async (ratio, threshold) => {
    const span = { traceId: traceId("ffffffffffffff") };
    expect(await left(ratio, span)).toEqual({ ...span, traceState: `ot=th:${threshold}` });
  });

  it("keeps the traces from the threshold on", async () => {
    expect(await left(0.5, { traceId: traceId("80000000000000") })).toBeDefined();
    expect(await left(0.5, { traceId: traceId("7fffffffffffff") })).toBeUndefined();
    expect(await left(0.1, { traceId: traceId("e6660000000000") })).toBeDefined();
    expect(await left(0.1, { traceId: traceId("e665ffffffffff") })).toBeUndefined();
  });

  it.each([
    ["", 0.5, "80000000000000", "ot=th:8"],
    ["a=b,c=d", 0.5, "80000000000000", "ot=th:8,a=b,c=d"],
    ["a=b,ot=th:4;x:1", 0.5, "80000000000000", "ot=th:8;x:1,a=b"],
    // Sampled more thinly before: nothing more is taken, and nothing is written.
    ["ot=th:c,a=b", 0.5, "c0000000000000", "ot=th:c,a=b"],
    ["ot=th:8", 0.5, "80000000000000", "ot=th:8"],
    // A threshold that the span's own number contradicts is replaced.
    ["ot=th:c", 0.5, "80000000000000", "ot=th:8"],
    // The number may be given instead of being that of the trace id.
    ["ot=rv:80000000000000", 0.5, "00000000000000", "ot=th:8;rv:80000000000000"],
    ["ot=rv:7fffffffffffff", 0.5, "ffffffffffffff", undefined],
    ["ot=rv:nonsense", 0.5, "ffffffffffffff", "ot=th:8;rv:nonsense"],
    ["a=b", 0.5, "00000000000000", undefined],
  ])(
    "of a span with the trace state %j at %s and %s gives %j",
    async (state, ratio, number, now) => {
      const span = { traceId: traceId(number), ...(state && { traceState: state }) };
      expect((await left(ratio, span))?.traceState).toBe(now);
    },
  );

  it("keeps about the part that it says, the same traces each time, of spans and logs alike", async () => {
    const step = await openStep("sample", { ratio: 0.2 });
    const items = Array.from({ length: 5000 }, (_, index) => {
      return { traceId: createHash("md5").update(String(index)).digest("hex") };
    });
    const spans = spansOf(...items, ...items);
    const logs = batchOf("logs", { resourceLogs: [{ scopeLogs: [{ logRecords: items }] }] });
    const keptOf = (signal: "traces" | "logs", batch: Batch): (string | undefined)[] =>
      groupsOf(signal, applied(step, batch))[0]?.scopes[0]?.leaves?.map(({ traceId }) => traceId) ??
      [];
    const kept = keptOf("traces", spans);
    const keptLogs = keptOf("logs", logs);
    expect(kept).toEqual([...keptLogs, ...keptLogs]);
    expect(keptLogs.length).toBeGreaterThan(900);
    expect(keptLogs.length).toBeLessThan(1100);
    // Twice is the same as once, and what a smaller part keeps a larger one keeps too.
    const once = step.apply(spans);
    expect(step.apply(once)).toBe(once);
    const half = await openStep("sample", { ratio: 0.5 });
    expect(half.apply(once)).toBe(once);
  });

  it("keeps what has no trace id, and metrics", async () => {
    const step = await openStep("sample", { ratio: 0 });
    const metrics = sampleBatch("metrics");
    expect(step.apply(metrics)).toBe(metrics);
    const logs = batchOf("logs", {
      resourceLogs: [{ scopeLogs: [{ logRecords: [{}, { traceId: "" }] }] }],
    });
    expect(step.apply(logs)).toBe(logs);
    const spans = spansOf(
      { name: "a" },
      { traceId: "0".repeat(32) },
      { traceId: traceId("f".repeat(14)) },
    );
    expect(step.apply(spans).items).toBe(2);
  });

  it("of 1 leaves everything as it is", async () => {
    const step = await openStep("sample", { ratio: 1 });
    const batch = sampleBatch("traces");
    expect(step.apply(batch)).toBe(batch);
  });

  it("goes by the last of several trace states, and leaves one", async () => {
    const step = await openStep("sample", { ratio: 0.5 });
    const parts = [
      encodeMessage("Span", { traceId: traceId("80000000000000"), traceState: "a=b" }),
      encodeMessage("Span", { traceState: "c=d" }),
    ];
    const span = Buffer.concat(parts);
    const scope = Uint8Array.of(0x12, span.length, ...span);
    const group = Uint8Array.of(0x12, scope.length, ...scope);
    const bytes = Uint8Array.of(0x0a, group.length, ...group);
    const batch = { signal: "traces", bytes, items: 1 } as const;
    const [found] = groupsOf("traces", applied(step, batch));
    expect(Buffer.from(step.apply(batch).bytes).toString("latin1").split("ot=th")).toHaveLength(2);
    expect(found?.scopes[0]?.leaves?.[0]?.traceState).toBe("ot=th:8,c=d");
  });
});
