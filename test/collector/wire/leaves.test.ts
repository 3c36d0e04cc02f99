import { deepStrictEqual } from "node:assert";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { Signal } from "../../../collector/wire/batch.ts";
import { Leaves } from "../../../collector/wire/leaves.ts";
import { anyRequest, fuzz } from "../../support/otlp-arbitrary.ts";
import {
  decodeMessage,
  decodeRequest,
  encodeRequest,
  type Request,
  sampleBatch,
} from "../../support/otlp.ts";

test("the leaves of any request come in order, each with its resource and scope", () => {
  fc.assert(
    fc.property(anyRequest, ({ signal, request }) => {
      const bytes = encodeRequest(signal, request);
      deepStrictEqual(walk(signal, bytes), expected(signal, decodeRequest(signal, bytes)));
    }),
    fuzz(200),
  );
});

test("of two requests, one after the other, the leaves are those of both", () => {
  const [first, second] = [sampleBatch("logs", { seed: 1 }), sampleBatch("logs", { seed: 2 })];
  const merged = Buffer.concat([first.bytes, second.bytes]);
  const leaves = walk("logs", merged).map(({ leaf }) => leaf);
  expect(leaves).toEqual(
    [...walk("logs", first.bytes), ...walk("logs", second.bytes)].map(({ leaf }) => leaf),
  );
});

test("the numbers of resource and scope change exactly when these do", () => {
  const group = { scopeSpans: [{ spans: [{}, {}] }, { spans: [{}] }] };
  const leaves = new Leaves({
    bytes: encodeRequest("traces", { resourceSpans: [group, {}, { scopeSpans: [{}] }, group] }),
  });
  const numbers: number[][] = [];
  while (leaves.next()) numbers.push([leaves.index, leaves.resourceNumber, leaves.scopeNumber]);
  expect(numbers).toEqual([
    [0, 0, 0],
    [1, 0, 0],
    [2, 0, 1],
    [3, 3, 3],
    [4, 3, 3],
    [5, 3, 4],
  ]);
});

test("a resource that stands behind its scopes is known before the first leaf", () => {
  // resource_spans { scope_spans { spans {} scope { name: "b" } } resource { dropped: 7 } }
  const scopeSpans = [0x12, 0, 0x0a, 3, 0x0a, 1, 0x62];
  const content = [0x12, scopeSpans.length, ...scopeSpans, 0x0a, 2, 0x10, 7];
  const [found] = walk("traces", Uint8Array.of(0x0a, content.length, ...content));
  expect(found).toMatchObject({ resource: { droppedAttributesCount: 7 }, scope: { name: "b" } });
});

test("an empty request has no leaves", () => {
  expect(new Leaves({ bytes: new Uint8Array() }).next()).toBe(false);
});

interface Found {
  index: number;
  resource: object;
  scope: object;
  leaf: object;
}

function walk(signal: Signal, bytes: Uint8Array): Found[] {
  const leaves = new Leaves({ bytes });
  const name = { traces: "Span", metrics: "Metric", logs: "LogRecord" }[signal];
  const of = (name: string, { start, end }: { start: number; end: number }): object =>
    decodeMessage(name, bytes.subarray(start, end));
  const found: Found[] = [];
  while (leaves.next()) {
    found.push({
      index: leaves.index,
      resource: of("Resource", leaves.resource),
      scope: of("InstrumentationScope", leaves.scope),
      leaf: of(name, leaves),
    });
  }
  return found;
}

function expected(signal: Signal, request: Request): Found[] {
  const found: Found[] = [];
  const add = (resource: object = {}, scope: object = {}, leaves: object[] = []): void => {
    for (const leaf of leaves) found.push({ index: found.length, resource, scope, leaf });
  };
  for (const { resource, scopeSpans = [] } of request.resourceSpans ?? []) {
    for (const { scope, spans } of scopeSpans) add(resource, scope, spans);
  }
  for (const { resource, scopeMetrics = [] } of request.resourceMetrics ?? []) {
    for (const { scope, metrics } of scopeMetrics) add(resource, scope, metrics);
  }
  for (const { resource, scopeLogs = [] } of request.resourceLogs ?? []) {
    for (const { scope, logRecords } of scopeLogs) add(resource, scope, logRecords);
  }
  expect(Object.keys(request)).toEqual(found.length > 0 ? [groupOf[signal]] : expect.any(Array));
  return found;
}

const groupOf = { traces: "resourceSpans", metrics: "resourceMetrics", logs: "resourceLogs" };
