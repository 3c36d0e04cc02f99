import { context, createContextKey, ROOT_CONTEXT, trace } from "@opentelemetry/api";
import { getRPCMetadata, suppressTracing } from "@opentelemetry/core";
import { describe, expect, test } from "vitest";
import {
  addressOf,
  errorType,
  isCancelled,
  isSuppressed,
  metadataOf,
  SpanScope,
} from "../../sdk/instrument/http-scope.ts";

const span = trace.wrapSpanContext({
  traceId: "0af7651916cd43dd8448eb211c80319c",
  spanId: "b7ad6b7169203331",
  traceFlags: 1,
});
const metadata = { type: "http", span, route: undefined } as const;

describe("a context with a span", () => {
  const key = createContextKey("a key of the app");
  const parent = ROOT_CONTEXT.setValue(key, "of the parent");

  test("is read by OpenTelemetry's own functions", () => {
    const scope = new SpanScope(parent, span, metadata);
    expect(trace.getSpan(scope)).toBe(span);
    expect(getRPCMetadata(scope)).toBe(metadata);
    expect(metadataOf(scope)).toBe(metadata);
    expect(isSuppressed(scope)).toBe(false);
    expect(isSuppressed(suppressTracing(scope))).toBe(true);
    expect(scope.getValue(key)).toBe("of the parent");
  });

  test("stays as it is when values are set and deleted, and what comes of it has them", () => {
    const scope = new SpanScope(parent, span, metadata);
    const other = trace.wrapSpanContext({ ...span.spanContext(), spanId: "1111111111111111" });
    const child = trace.setSpan(scope, other).setValue(key, "of the child");
    expect([trace.getSpan(scope), scope.getValue(key)]).toEqual([span, "of the parent"]);
    expect([trace.getSpan(child), child.getValue(key)]).toEqual([other, "of the child"]);
    expect(getRPCMetadata(child)).toBe(metadata);
    expect(trace.getSpan(trace.deleteSpan(scope))).toBeUndefined();
    expect(scope.deleteValue(key).getValue(key)).toBeUndefined();
    expect(trace.getSpan(scope.deleteValue(key))).toBe(span);
  });

  test("without metadata has that of its parent: a client's span is no server's", () => {
    const server = new SpanScope(parent, span, metadata);
    expect(getRPCMetadata(new SpanScope(server, span))).toBe(metadata);
    expect(metadataOf(context.active())).toBeUndefined();
  });
});

test.each([
  ["shop.example", "shop.example", undefined],
  ["shop.example:8080", "shop.example", 8080],
  ["shop.example:", "shop.example", undefined],
  ["shop.example:0", "shop.example", undefined],
  ["shop.example:65535", "shop.example", 65_535],
  ["shop.example:65536", "shop.example", undefined],
  ["shop.example:80a", "shop.example", undefined],
  ["[::1]", "::1", undefined],
  ["[::1]:443", "::1", 443],
  ["::1", "::1", undefined],
  [":80", ":80", undefined],
  ["[", "[", undefined],
  ["[]:1", "", 1],
  ["", "", undefined],
])("the address in %j is %j and %j", (text, host, port) => {
  expect(addressOf(text)).toEqual({ host, port });
});

test.each([
  [Object.assign(new Error("x"), { code: "ECONNRESET" }), "ECONNRESET"],
  [new TypeError("x"), "TypeError"],
  [new DOMException("x", "TimeoutError"), "TimeoutError"],
  [{ name: "AbortError", cause: { name: "TimeoutError" } }, "TimeoutError"],
  [Object.assign(new Error("x"), { code: 23, name: "" }), "Error"],
  [{}, "Error"],
  ["text", "string"],
  [undefined, "undefined"],
  [null, "object"],
])("the type of %o is %s", (error, type) => {
  expect(errorType(error)).toBe(type);
});

test("giving up on purpose is not the same as giving up for lack of time", () => {
  expect(isCancelled(new DOMException("x", "AbortError"))).toBe(true);
  expect(isCancelled({ name: "AbortError", cause: { name: "TimeoutError" } })).toBe(false);
  expect(isCancelled(new Error("x"))).toBe(false);
  expect(isCancelled(undefined)).toBe(false);
});
