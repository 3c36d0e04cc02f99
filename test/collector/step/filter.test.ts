import { deepStrictEqual } from "node:assert";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Signal } from "../../../collector/wire/batch.ts";
import { anyRequest, fuzz } from "../../support/otlp-arbitrary.ts";
import { attributes, encodeMessage, type Request, sampleBatch } from "../../support/otlp.ts";
import type { Metric, NumberDataPoint, Resource, Scope } from "../../support/otlp-shapes.ts";
import {
  applied,
  batchOf,
  findAttribute,
  type Group,
  groupsOf,
  type Leaf,
  openStep,
} from "./steps.ts";

interface Around {
  readonly resource: Resource;
  readonly scope: Scope;
}

/** Conditions and what they mean, said by the decoded objects. */
const conditions: readonly [string, Signal | undefined, (leaf: Leaf, around: Around) => boolean][] =
  [
    ["true", undefined, () => true],
    ["span.kind == 2", "traces", ({ kind }) => kind === 2],
    ["span.kind < 0", "traces", ({ kind = 0 }) => kind < 0],
    ["span.name == ''", "traces", ({ name = "" }) => name === ""],
    ["span.name.size() > 10", "traces", ({ name = "" }) => Array.from(name).length > 10],
    ["has(span.status)", "traces", ({ status }) => status !== undefined],
    ["span.status.code == 1", "traces", ({ status }) => status?.code === 1],
    ["has(span.status.message)", "traces", ({ status }) => (status?.message ?? "") !== ""],
    ["span.trace_id.startsWith('0')", "traces", ({ traceId = "" }) => traceId.startsWith("0")],
    ["span.parent_span_id == ''", "traces", ({ parentSpanId = "" }) => parentSpanId === ""],
    ["size(span.events) > 1", "traces", ({ events = [] }) => events.length > 1],
    [
      "span.events.exists(e, e.name == '')",
      "traces",
      ({ events = [] }) => events.some(({ name = "" }) => name === ""),
    ],
    [
      "span.links.all(l, l.trace_id != '')",
      "traces",
      ({ links = [] }) => links.every(({ traceId = "" }) => traceId !== ""),
    ],
    [
      "span.attributes[''] == ''",
      "traces",
      ({ attributes }) => findAttribute(attributes, "")?.stringValue === "",
    ],
    [
      "'' in span.attributes && size(span.attributes) > 1",
      "traces",
      ({ attributes = [] }) =>
        findAttribute(attributes, "") !== undefined &&
        new Set(attributes.map(({ key = "" }) => key)).size > 1,
    ],
    [
      "duration > duration('100h')",
      "traces",
      ({ startTimeUnixNano = "0", endTimeUnixNano = "0" }) =>
        BigInt(endTimeUnixNano) - BigInt(startTimeUnixNano) > 360_000_000_000_000n,
    ],
    ["scope.name == ''", undefined, (_, { scope }) => (scope.name ?? "") === ""],
    ["has(scope.version)", undefined, (_, { scope }) => (scope.version ?? "") !== ""],
    [
      "size(resource.attributes) == 0",
      undefined,
      (_, { resource }) => (resource.attributes ?? []).length === 0,
    ],
    ["log.severity_number >= 9", "logs", ({ severityNumber = 0 }) => severityNumber >= 9],
    ["has(log.body)", "logs", ({ body }) => body !== undefined],
    ["type(log.body) == string", "logs", ({ body }) => body?.stringValue !== undefined],
    ["log.body == true", "logs", ({ body }) => body?.boolValue === true],
    [
      "type(log.body) == list && log.body.exists(x, x == null)",
      "logs",
      ({ body }) =>
        (body?.arrayValue?.values ?? []).some((value) => Object.keys(value).length === 0),
    ],
    ["metric.type == 'sum'", "metrics", ({ sum }) => sum !== undefined],
    ["metric.unit != ''", "metrics", ({ unit = "" }) => unit !== ""],
  ];

describe("a filter", () => {
  it.each(["drop", "keep"])("that says what to %s leaves what the condition says", async (how) => {
    const steps = await Promise.all(
      conditions.map(async ([text, signal, holds]) => {
        return { step: await openStep("filter", { [how]: text }), text, signal, holds };
      }),
    );
    fc.assert(
      fc.property(anyRequest, fc.constantFrom(...steps), (given, { step, text, signal, holds }) => {
        const batch = batchOf(given.signal, given.request);
        const before = applied(allOf, batch);
        const isMeant = signal === undefined || signal === given.signal;
        const stays = (leaf: Leaf, around: Around): boolean =>
          !isMeant || holds(leaf, around) === (how === "keep");
        const wanted = without(groupsOf(given.signal, before), stays);
        const left = groupsOf(given.signal, applied(step, batch));
        deepStrictEqual({ text, left }, { text, left: wanted });
        expect(step.told).toEqual([]);
      }),
      fuzz(1500),
    );
  });

  it("gives the same batch back when nothing goes", async () => {
    const batch = sampleBatch("traces", { items: 20 });
    const step = await openStep("filter", { drop: 'span.attributes["url.path"] == "/health"' });
    expect(step.apply(batch)).toBe(batch);
    expect(step.apply(sampleBatch("logs")).items).toBe(10);
  });

  it("copies what stays byte for byte, with fields that nobody knows", async () => {
    const span = (name: string): Uint8Array => encodeMessage("Span", { name });
    const foreign = Uint8Array.of(0xa2, 0x06, 3, 1, 2, 3); // field 100
    const message = (field: number, ...parts: Uint8Array[]): Uint8Array => {
      const content = Buffer.concat(parts);
      // A length of one byte is written in two, which protobuf allows.
      return Buffer.concat([Uint8Array.of(field * 8 + 2, content.length | 0x80, 0), content]);
    };
    const kept = message(2, span("b"), foreign);
    const scopes = message(2, foreign, message(2, span("a")), kept, message(2, span("a")));
    const bytes = Buffer.concat([foreign, message(1, foreign, scopes, foreign)]);
    const step = await openStep("filter", { drop: "span.name == 'a'" });
    const left = step.apply({ signal: "traces", bytes, items: 3 });
    expect(left.items).toBe(1);
    // The lengths around are written anew, and as short as can be.
    const around = (field: number, content: Uint8Array): Uint8Array =>
      Buffer.concat([Uint8Array.of(field * 8 + 2, content.length), content]);
    const scope = around(2, Buffer.concat([foreign, kept]));
    const wanted = Buffer.concat([foreign, around(1, Buffer.concat([foreign, scope, foreign]))]);
    expect(Buffer.from(left.bytes).toString("hex")).toBe(wanted.toString("hex"));
  });

  it("takes groups with it that it has emptied, and no others", async () => {
    const batch = batchOf("traces", {
      resourceSpans: [
        { scopeSpans: [{ spans: [{ name: "a" }] }, { spans: [] }] },
        { scopeSpans: [{ scope: { name: "empty from the start" } }] },
        { scopeSpans: [{ spans: [{ name: "a" }] }, { spans: [{ name: "b" }] }] },
      ],
    });
    const step = await openStep("filter", { drop: "span.name == 'a'" });
    expect(applied(step, batch)).toEqual({
      resourceSpans: [
        { scopeSpans: [{}] },
        { scopeSpans: [{ scope: { name: "empty from the start" } }] },
        { scopeSpans: [{ spans: [{ name: "b" }] }] },
      ],
    });
  });

  it("leaves a batch without items when all of them go", async () => {
    const step = await openStep("filter", { drop: "true" });
    expect(step.apply(sampleBatch("metrics", { items: 30 }))).toEqual({
      signal: "metrics",
      bytes: new Uint8Array(),
      items: 0,
    });
  });

  it("is about single data points where it speaks of them", async () => {
    const step = await openStep("filter", {
      drop: 'datapoint.attributes["route"] == "/health" || datapoint.value == 7',
    });
    const pair = (route: string) => ({ attributes: attributes({ route }) });
    const kinds: Metric[] = [
      { name: "a", gauge: { dataPoints: [pair("/health"), { ...pair("/"), asInt: "7" }] } },
      { name: "b", sum: { dataPoints: [pair("/health"), { ...pair("/"), asDouble: 8 }] } },
      { name: "c", histogram: { dataPoints: [pair("/health"), pair("/")] } },
      { name: "d", exponentialHistogram: { dataPoints: [pair("/health"), pair("/")] } },
      { name: "e", summary: { dataPoints: [pair("/health"), pair("/")] } },
      { name: "f" },
    ];
    const batch = batchOf("metrics", { resourceMetrics: [{ scopeMetrics: [{ metrics: kinds }] }] });
    const left = step.apply(batch);
    expect([batch.items, left.items]).toEqual([10, 4]);
    const [group] = groupsOf("metrics", applied(step, batch));
    const metrics = group?.scopes[0]?.leaves ?? [];
    expect(metrics.map(({ name }) => name)).toEqual(["b", "c", "d", "e", "f"]);
    const points = metrics.flatMap(
      ({ sum, histogram, exponentialHistogram, summary }) =>
        (sum ?? histogram ?? exponentialHistogram ?? summary)?.dataPoints ?? [],
    ) as NumberDataPoint[];
    expect(points.map(({ attributes }) => findAttribute(attributes, "route")?.stringValue)).toEqual(
      ["/", "/", "/", "/"],
    );
  });

  it("counts the data points of a metric that goes as a whole", async () => {
    const step = await openStep("filter", { keep: 'metric.type == "gauge"' });
    const batch = sampleBatch("metrics", { items: 10 }); // a sum and a gauge of 4, a histogram of 2
    expect(step.apply(batch).items).toBe(4);
    applied(step, batch);
  });

  it("knows resource and scope although they stand behind the spans", async () => {
    // resource_spans { scope_spans { spans {} scope { name: "b" } } resource { attributes … } }
    const resource = encodeMessage("Resource", { attributes: attributes({ env: "dev" }) });
    const scopeSpans = [0x12, 0, 0x0a, 3, 0x0a, 1, 0x62];
    const content = [0x12, scopeSpans.length, ...scopeSpans, 0x0a, resource.length, ...resource];
    const bytes = Uint8Array.of(0x0a, content.length, ...content);
    const batch = { signal: "traces", bytes, items: 1 } as const;
    const text = 'scope.name == "b" && resource.attributes.env == "dev"';
    expect((await openStep("filter", { drop: text })).apply(batch).items).toBe(0);
    expect((await openStep("filter", { keep: text })).apply(batch)).toBe(batch);
  });

  it("remembers a resource for its own spans only", async () => {
    const group = (env: string) => ({
      resource: { attributes: attributes({ env }) },
      scopeSpans: [{ spans: [{ name: env }, { name: env }] }],
    });
    const request: Request = { resourceSpans: [group("a"), group("b"), group("a")] };
    const step = await openStep("filter", { keep: "resource.attributes.env + '' == span.name" });
    const batch = batchOf("traces", request);
    expect(step.apply(batch)).toBe(batch);
    expect(step.apply(batchOf("traces", { resourceSpans: [group("b")] })).items).toBe(2);
  });

  it.each(["drop", "keep"])(
    "that says what to %s never loses an item by a failure",
    async (how) => {
      const step = await openStep("filter", { [how]: 'span.attributes["http.route"] > 5' });
      const batch = sampleBatch("traces", { items: 3 });
      expect(step.apply(batch)).toBe(batch);
      expect(step.told).toEqual(["step tested: no string > int; the item is kept"]);
    },
  );

  it("takes an absent attribute for one that is not equal to anything", async () => {
    const batch = sampleBatch("traces", { items: 5 });
    const keep = await openStep("filter", { keep: 'span.attributes["none"].startsWith("/")' });
    expect(keep.apply(batch).items).toBe(0);
    const drop = await openStep("filter", { drop: 'span.attributes["none"] != "prod"' });
    expect(drop.apply(batch).items).toBe(0);
    expect([...keep.told, ...drop.told]).toEqual([]);
  });

  it("does not let loops within loops go on for ever", async () => {
    const values = Array.from({ length: 20_000 }, (_, value) => ({ intValue: String(value) }));
    const body = { arrayValue: { values } };
    const batch = batchOf("logs", { resourceLogs: [{ scopeLogs: [{ logRecords: [{ body }] }] }] });
    const nested = await openStep("filter", {
      drop: "log.body.all(x, log.body.all(y, log.body.all(z, z >= 0)))",
    });
    const began = performance.now();
    expect(nested.apply(batch)).toBe(batch);
    expect(performance.now() - began).toBeLessThan(10_000);
    expect(nested.told[0]).toContain("loops that take too many steps");
    const single = await openStep("filter", { drop: "log.body.all(x, x >= 0)" });
    expect(single.apply(batch).items).toBe(0);
  });
});

/** Leaves everything. */
const allOf = { name: "all", apply: (batch: ReturnType<typeof batchOf>) => batch };

function without(
  groups: readonly Group[],
  stays: (leaf: Leaf, around: Around) => boolean,
): Group[] {
  return groups.flatMap((group) => {
    const scopes = group.scopes.flatMap((scopeGroup) => {
      const { leaves = [], scope = {} } = scopeGroup;
      const around = { resource: group.resource ?? {}, scope };
      const left = leaves.filter((leaf) => stays(leaf, around));
      if (left.length === leaves.length) return [scopeGroup];
      return left.length === 0 ? [] : [{ ...scopeGroup, leaves: left }];
    });
    return scopes.length === 0 && group.scopes.length > 0 ? [] : [{ ...group, scopes }];
  });
}
