import { expect, test } from "vitest";
import { readSettings } from "../../../sdk/settings.ts";
import { spanLimitsOf } from "../../../sdk/trace/limits.ts";
import { type Recorder, Span } from "../../../sdk/trace/span.ts";

test("a span is released when it has ended, not before, and still tells which it was", () => {
  const taken: object[] = [];
  const recorder: Recorder = {
    scope: { name: "shop", version: undefined, schemaUrl: undefined },
    limits: spanLimitsOf(readSettings({}).settings.limits),
    exceptions: undefined,
    take: ({ attributes }) => void taken.push(attributes),
  };
  const span = new Span(recorder, "order", { kind: 0 }, undefined).setAttribute("items", 3);
  const ids = span.spanContext();
  span.release();
  expect(span.attributes).toEqual({ items: 3 });
  span.end();
  span.release();
  span.setAttribute("late", true);
  expect(taken).toEqual([{ items: 3 }]);
  expect(span.attributes).toEqual({});
  expect(new Span(recorder, "another", { kind: 0 }, undefined).attributes).toEqual({});
  expect(span.spanContext()).toBe(ids);
});
