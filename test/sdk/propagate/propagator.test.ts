import {
  defaultTextMapGetter,
  defaultTextMapSetter,
  propagation,
  ROOT_CONTEXT,
  trace,
} from "@opentelemetry/api";
import type { Context } from "@opentelemetry/api";
import { suppressTracing, TraceState, W3CTraceContextPropagator } from "@opentelemetry/core";
import { B3InjectEncoding, B3Propagator } from "@opentelemetry/propagator-b3";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { propagatorNames, readSettings } from "../../../sdk/settings.ts";
import type { PropagatorName } from "../../../sdk/settings.ts";
import { makePropagator } from "../../../sdk/propagate/propagator.ts";
import { spanLimitsOf } from "../../../sdk/trace/limits.ts";
import { Span } from "../../../sdk/trace/span.ts";

type Headers = Record<string, string | string[]>;

const traceId = "0af7651916cd43dd8448eb211c80319c";
const spanId = "b7ad6b7169203331";

const extract = (headers: Headers, ...names: PropagatorName[]): Context =>
  makePropagator({ propagators: names }).extract(ROOT_CONTEXT, headers, defaultTextMapGetter);

function inject(context: Context, ...names: PropagatorName[]): Record<string, string> {
  const headers: Record<string, string> = {};
  makePropagator({ propagators: names }).inject(context, headers, defaultTextMapSetter);
  return headers;
}

const spanOf = (context: Context) => trace.getSpanContext(context);
const baggageOf = (context: Context) =>
  Object.fromEntries(
    propagation
      .getBaggage(context)
      ?.getAllEntries()
      .map(([key, { value }]) => [key, value]) ?? [],
  );

const contextOf = (traceFlags: number, baggage: Record<string, string> = {}): Context =>
  propagation.setBaggage(
    trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags }),
    propagation.createBaggage(
      Object.fromEntries(Object.entries(baggage).map(([key, value]) => [key, { value }])),
    ),
  );

describe.each(propagatorNames.filter((name) => name !== "baggage"))("%s", (name) => {
  test.each([0, 1])("brings a trace with the flags %i to the other side", (traceFlags) => {
    const arrived = spanOf(extract(inject(contextOf(traceFlags), name), name));
    const half = name === "ottrace" ? traceId.slice(16).padStart(32, "0") : traceId;
    expect(arrived).toMatchObject({ traceId: half, spanId, traceFlags, isRemote: true });
  });

  test("writes nothing where there is no trace, where it is not valid, and where tracing is off", () => {
    const invalid = { traceId: "0".repeat(32), spanId, traceFlags: 1 };
    expect(inject(ROOT_CONTEXT, name)).toEqual({});
    expect(inject(trace.setSpanContext(ROOT_CONTEXT, invalid), name)).toEqual({});
    expect(inject(suppressTracing(contextOf(1, { a: "b" })), name)).toEqual({});
  });

  test("writes only headers that it names", () => {
    const fields = makePropagator({ propagators: [name] }).fields();
    for (const header of Object.keys(inject(contextOf(1), name))) expect(fields).toContain(header);
  });
});

describe("the headers of jaeger", () => {
  test("are written as Jaeger reads them", () => {
    expect(inject(contextOf(1, { user: "a b", "not a header": "x" }), "jaeger")).toEqual({
      "uber-trace-id": `${traceId}:${spanId}:0:01`,
      "uberctx-user": "a%20b",
    });
  });

  test.each([
    [`${traceId}:${spanId}:0:1`, { traceId, spanId, traceFlags: 1 }],
    [`${traceId}%3A${spanId}%3a0%3A03`, { traceId, spanId, traceFlags: 1 }],
    [`${traceId}:${spanId}:0:2`, { traceFlags: 1 }], // debug
    [`${traceId}:${spanId}:0:0`, { traceFlags: 0 }],
    [` ${traceId.toUpperCase()}:${spanId}:ff:1 `, { traceId }],
    ["1:2:0:1", { traceId: "1".padStart(32, "0"), spanId: "2".padStart(16, "0") }],
  ])("%s is read", (header, expected) => {
    expect(spanOf(extract({ "uber-trace-id": header }, "jaeger"))).toMatchObject(expected);
  });

  test.each([
    "",
    ":",
    `${traceId}:${spanId}:0`,
    `${traceId}:${spanId}:0:1:1`,
    `${traceId}0:${spanId}:0:1`,
    `${traceId}:${spanId}0:0:1`,
    `${"0".repeat(32)}:${spanId}:0:1`,
    `${traceId}:${"0".repeat(16)}:0:1`,
    `${traceId}:${spanId}:0:xyz`,
    `${traceId}:${spanId}:0:001`,
    `${"g".repeat(32)}:${spanId}:0:1`,
    `${traceId}:${spanId}:0:1`.padEnd(1025),
  ])("%s is ignored", (header) => {
    expect(extract({ "uber-trace-id": header }, "jaeger")).toBe(ROOT_CONTEXT);
  });

  test("bring baggage, decoded where it can be", () => {
    const headers = { "uberctx-user": "a%20b", "UberCtx-x": "%", "uberctx-": "no name" };
    expect(baggageOf(extract(headers, "jaeger"))).toEqual({ user: "a b", x: "%" });
  });
});

describe("the header of xray", () => {
  const root = `1-${traceId.slice(0, 8)}-${traceId.slice(8)}`;

  test("is written as AWS reads it", () => {
    expect(inject(contextOf(1), "xray")).toEqual({
      "x-amzn-trace-id": `Root=${root};Parent=${spanId};Sampled=1`,
    });
  });

  test.each([
    [`Root=${root};Parent=${spanId};Sampled=1`, 1],
    [`Sampled=0; parent=${spanId};Self=1-67891233-abcdef;ROOT=${root}`, 0],
    [`Root=${root};Parent=${spanId};Sampled=?`, 0],
    [`Root=${root};Parent=${spanId}`, 0],
    [`Root=${root};Parent=${spanId};Sampled=1;Lineage=a87bd80c:0|68fd508a:5`, 1],
  ])("%s is read", (header, traceFlags) => {
    expect(spanOf(extract({ "x-amzn-trace-id": header }, "xray"))).toEqual({
      traceId,
      spanId,
      traceFlags,
      isRemote: true,
    });
  });

  test.each([
    "",
    `Root=${root}`,
    `Parent=${spanId}`,
    `Root=2${root.slice(1)};Parent=${spanId};Sampled=1`,
    `Root=${root}0;Parent=${spanId};Sampled=1`,
    `Root=${root};Parent=${spanId}0;Sampled=1`,
    `Root=${root};Parent=${"0".repeat(16)};Sampled=1`,
    `Root=1-00000000-${"0".repeat(24)};Parent=${spanId};Sampled=1`,
    `Root=${root};Parent=${spanId};Sampled=1;${"x".repeat(1000)}`,
  ])("%s is ignored", (header) => {
    expect(extract({ "x-amzn-trace-id": header }, "xray")).toBe(ROOT_CONTEXT);
  });
});

describe("the headers of ottrace", () => {
  test("are written with half of the trace id, and baggage as it is", () => {
    expect(inject(contextOf(1, { user: "a b", bad: "line\nbreak", empty: "" }), "ottrace")).toEqual(
      {
        "ot-tracer-traceid": traceId.slice(16),
        "ot-tracer-spanid": spanId,
        "ot-tracer-sampled": "true",
        "ot-baggage-user": "a b",
      },
    );
  });

  test.each([
    ["true", 1],
    ["1", 1],
    ["TRUE", 1],
    ["false", 0],
    ["0", 0],
    ["maybe", 0],
  ])("are read, sampled as %s", (sampled, traceFlags) => {
    const headers = {
      "ot-tracer-traceid": traceId,
      "ot-tracer-spanid": spanId,
      "ot-tracer-sampled": sampled,
      "ot-baggage-user": "a%20b",
    };
    const context = extract(headers, "ottrace");
    expect(spanOf(context)).toMatchObject({ traceId, spanId, traceFlags });
    expect(baggageOf(context)).toEqual({ user: "a%20b" });
  });

  test.each([
    { "ot-tracer-traceid": traceId },
    { "ot-tracer-spanid": spanId },
    { "ot-tracer-traceid": "x", "ot-tracer-spanid": spanId, "ot-baggage-a": "b" },
  ])("%o are ignored", (headers) => {
    expect(extract(headers as Headers, "ottrace")).toBe(ROOT_CONTEXT);
  });
});

describe("those that OpenTelemetry has are OpenTelemetry's", () => {
  test.each([
    ["tracecontext", new W3CTraceContextPropagator()],
    ["b3", new B3Propagator()],
    ["b3multi", new B3Propagator({ injectEncoding: B3InjectEncoding.MULTI_HEADER })],
  ] as const)("%s writes the same headers and reads the same traces", (name, theirs) => {
    const headers = {};
    theirs.inject(contextOf(1), headers, defaultTextMapSetter);
    expect(inject(contextOf(1), name)).toEqual(headers);
    const read = theirs.extract(ROOT_CONTEXT, headers, defaultTextMapGetter);
    expect(spanOf(extract(headers, name))).toEqual(spanOf(read));
  });
});

test.each([undefined, new TraceState("a=1,b=2")])(
  "of a span of ours the same headers are written as of another's with its ids, with the state %o",
  (traceState) => {
    const theirs = new W3CTraceContextPropagator();
    const parent = { traceId, spanId, traceFlags: 1, ...(traceState ? { traceState } : {}) };
    for (const isDropped of [false, true]) {
      const span = new Span(recorder, "ours", { kind: 0 }, parent);
      if (isDropped) span.drop();
      const headers: Record<string, string> = {};
      const context = trace.setSpanContext(ROOT_CONTEXT, span.spanContext());
      theirs.inject(context, headers, defaultTextMapSetter);
      expect(Object.keys(headers)).toHaveLength(traceState ? 2 : 1);
      const own = trace.setSpan(ROOT_CONTEXT, span);
      expect(inject(own, "tracecontext")).toEqual(headers);
      expect(inject(suppressTracing(own), "tracecontext")).toEqual({});
    }
  },
);

const recorder = {
  limits: spanLimitsOf(readSettings({}).settings.limits),
  scope: { name: "", version: undefined, schemaUrl: undefined },
  take() {},
};

test("of two formats both are written, and the later one read wins", () => {
  const headers = inject(contextOf(1), "tracecontext", "jaeger", "tracecontext");
  expect(Object.keys(headers)).toEqual(["traceparent", "uber-trace-id"]);
  headers["uber-trace-id"] = `${"1".repeat(32)}:${spanId}:0:1`;
  expect(spanOf(extract(headers, "tracecontext", "jaeger"))?.traceId).toBe("1".repeat(32));
  expect(spanOf(extract(headers, "jaeger", "tracecontext"))?.traceId).toBe(traceId);
});

describe("hostile headers", () => {
  const names = fc.oneof(
    fc.constantFrom(
      "traceparent",
      "tracestate",
      "baggage",
      "b3",
      "x-b3-traceid",
      "x-b3-spanid",
      "x-b3-sampled",
      "uber-trace-id",
      "uberctx-a",
      "uberctx-__proto__",
      "x-amzn-trace-id",
      "ot-tracer-traceid",
      "ot-tracer-spanid",
      "ot-tracer-sampled",
      "ot-baggage-a",
      "ot-baggage-constructor",
    ),
    fc.string(),
  );
  const texts = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string({ maxLength: 3000, unit: fc.constantFrom("0", "f", ":", ";", "=", "-", ",", "%") }),
    fc.constantFrom(`${traceId}:${spanId}:0:1`, traceId, spanId, `00-${traceId}-${spanId}-01`, "1"),
  );
  const values = fc.oneof(texts, fc.array(texts), fc.constantFrom<unknown>(undefined, null, 7, {}));

  test("never throw, make no trace that is not valid, and no baggage without bounds", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(names, values)), (pairs) => {
        const headers = Object.fromEntries(pairs) as Headers;
        const context = extract(headers, ...propagatorNames);
        const span = spanOf(context);
        if (span !== undefined) {
          expect(span.traceId).toMatch(/^(?!0+$)[0-9a-f]{32}$/);
          expect(span.spanId).toMatch(/^(?!0+$)[0-9a-f]{16}$/);
        }
        const size = JSON.stringify(Object.entries(baggageOf(context))).length;
        expect(size).toBeLessThan(100_000);
        inject(context, ...propagatorNames);
      }),
      { numRuns: 1000 },
    );
  });

  test.each([
    ["uberctx-", "jaeger"],
    ["ot-baggage-", "ottrace"],
  ] as const)("without end of %s: 180 entries are read, and 8192 bytes", (prefix, name) => {
    const parent = {
      "uber-trace-id": `${traceId}:${spanId}:0:1`,
      "ot-tracer-traceid": traceId,
      "ot-tracer-spanid": spanId,
    };
    const many = (count: number, value: string): Headers => ({
      ...parent,
      ...Object.fromEntries(
        Array.from({ length: count }, (_, index) => [`${prefix}${index}`, value]),
      ),
    });
    const entries = (headers: Headers) => Object.keys(baggageOf(extract(headers, name))).length;
    expect(entries(many(180, "v"))).toBe(180);
    expect(entries(many(5000, "v"))).toBe(180);
    expect(entries(many(9, "v".repeat(1023)))).toBe(8);
    expect(entries(many(9, "v".repeat(1024)))).toBe(7);
    expect(entries(many(9, "v".repeat(1025)))).toBe(0);
  });

  test("carriers that throw are as good as empty", () => {
    const throwing = (): never => {
      throw new Error("no");
    };
    const propagator = makePropagator({ propagators: propagatorNames });
    expect(propagator.extract(ROOT_CONTEXT, {}, { get: throwing, keys: throwing })).toBe(
      ROOT_CONTEXT,
    );
    propagator.inject(contextOf(1, { a: "b" }), {}, { set: throwing });
  });

  test("baggage that makes no header, or too many, stays here", () => {
    const many = Object.fromEntries(
      Array.from({ length: 100 }, (_, i) => [`k${i}`, "v".repeat(200)]),
    );
    const headers = inject(
      contextOf(1, { ...many, lone: "\ud800", "a\r\nb": "c" }),
      "jaeger",
      "ottrace",
    );
    const size = Object.entries(headers).reduce(
      (sum, [key, value]) => sum + key.length + value.length,
      0,
    );
    expect(size).toBeLessThan(2 * 10_000);
    for (const [key, value] of Object.entries(headers)) {
      expect(key).toMatch(/^[a-z0-9-]+$/);
      expect(value).toMatch(/^[ -~]+$/);
    }
  });
});
