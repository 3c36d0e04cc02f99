import { ROOT_CONTEXT, SpanKind, trace } from "@opentelemetry/api";
import * as official from "@opentelemetry/sdk-trace";
import type { Sampler } from "@opentelemetry/sdk-trace";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { officialSampler } from "../../../sdk/sampling/official.ts";
import { samplerOf } from "../../../sdk/sampling/sampler.ts";
import { readSettings } from "../../../sdk/settings.ts";

const { AlwaysOffSampler, AlwaysOnSampler, ParentBasedSampler, TraceIdRatioBasedSampler } =
  official;

const sampler = (name: string, argument = "") =>
  officialSampler(
    samplerOf(
      readSettings({ OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: argument }).settings,
    ),
  );

/** A context with that parent; none without a trace. */
function contextOf(parent: { traceId: string; isRemote: boolean; traceFlags: number } | undefined) {
  return parent
    ? trace.setSpanContext(ROOT_CONTEXT, { spanId: "b7ad6b7169203331", ...parent })
    : ROOT_CONTEXT;
}

const decisionOf = (sampler: Sampler, traceId: string, context = ROOT_CONTEXT): number =>
  sampler.shouldSample(context, traceId, "a span", SpanKind.SERVER, {}, []).decision;

const digits = "0123456789abcdef".split("");

const hex = (length: number) =>
  fc
    .array(fc.constantFrom(...digits), { minLength: length, maxLength: length })
    .map((d) => d.join(""));

const traceIds = fc
  .oneof(hex(32), fc.constantFrom("f".repeat(32), "1".padStart(32, "0")))
  .filter((id) => !/^0+$/.test(id));

const parents = fc.option(
  fc.record({ traceId: hex(32), isRemote: fc.boolean(), traceFlags: fc.constantFrom(0, 1, 2, 3) }),
  { nil: undefined },
);

describe("each sampler decides as OpenTelemetry's of the same name", () => {
  test.each([
    ["always_on", () => new AlwaysOnSampler()],
    ["always_off", () => new AlwaysOffSampler()],
    ["parentbased_always_on", () => new ParentBasedSampler({ root: new AlwaysOnSampler() })],
    ["parentbased_always_off", () => new ParentBasedSampler({ root: new AlwaysOffSampler() })],
  ])("%s", (name, make) => {
    const [ours, theirs] = [sampler(name), make()];
    fc.assert(
      fc.property(traceIds, parents, (traceId, parent) => {
        const context = contextOf(parent);
        expect(decisionOf(ours, traceId, context)).toBe(decisionOf(theirs, traceId, context));
      }),
    );
  });

  test("traceidratio and parentbased_traceidratio, for every ratio and id", () => {
    const ratios = fc.oneof(fc.double({ min: 0, max: 1, noNaN: true }), fc.constantFrom(0, 1, 0.5));
    fc.assert(
      fc.property(ratios, traceIds, parents, (ratio, traceId, parent) => {
        const theirs = new TraceIdRatioBasedSampler(Number(ratio.toFixed(9)));
        const context = contextOf(parent);
        for (const [ours, other] of [
          [sampler("traceidratio", ratio.toFixed(9)), theirs],
          [
            sampler("parentbased_traceidratio", ratio.toFixed(9)),
            new ParentBasedSampler({ root: theirs }),
          ],
        ] as const) {
          expect(decisionOf(ours, traceId, context)).toBe(decisionOf(other, traceId, context));
        }
      }),
    );
  });
});

test("a ratio takes its share", () => {
  const half = sampler("traceidratio", "0.5");
  let taken = 0;
  for (let index = 0; index < 2000; index++) {
    const id = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) =>
      byte.toString(16).padStart(2, "0"),
    );
    if (decisionOf(half, id.join("")) === 2) taken++;
  }
  expect(taken).toBeGreaterThan(800);
  expect(taken).toBeLessThan(1200);
});
