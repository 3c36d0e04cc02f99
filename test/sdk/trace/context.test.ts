import { EventEmitter } from "node:events";
import { Readable } from "node:stream";
import { createContextKey, ROOT_CONTEXT, trace } from "@opentelemetry/api";
import { suppressTracing } from "@opentelemetry/core";
import { AsyncContexts, isSuppressed, rootContext, spanIn } from "../../../sdk/trace/context.ts";
import { expect, test } from "vitest";

const key = createContextKey("test");
const other = createContextKey("another");
const span = trace.wrapSpanContext({
  traceId: "1".repeat(32),
  spanId: "2".repeat(16),
  traceFlags: 1,
});

test("a context has what was set in it and in those it was made of, and is never changed", () => {
  const first = rootContext.setValue(key, 1);
  const second = trace.setSpan(first, span).setValue(other, 2);
  expect([second.getValue(key), second.getValue(other), trace.getSpan(second)]).toEqual([
    1,
    2,
    span,
  ]);
  expect([first.getValue(other), trace.getSpan(first)]).toEqual([undefined, undefined]);
  const third = trace.deleteSpan(second.deleteValue(key));
  expect([third.getValue(key), third.getValue(other), spanIn(third)]).toEqual([
    undefined,
    2,
    undefined,
  ]);
  expect(second.getValue(key)).toBe(1);
});

test("suppressed tracing is seen in contexts of ours and of the API's", () => {
  expect(isSuppressed(suppressTracing(rootContext))).toBe(true);
  expect(isSuppressed(suppressTracing(ROOT_CONTEXT))).toBe(true);
  expect(isSuppressed(rootContext.setValue(key, true))).toBe(false);
});

test("a chain of contexts does not keep those that it was made of", () => {
  let context = rootContext;
  for (let at = 0; at < 100_000; at++) context = trace.setSpan(context, span);
  const begun = performance.now();
  for (let at = 0; at < 1000; at++) context.getValue(key);
  // With every ancestor to look through it takes minutes.
  expect(performance.now() - begun).toBeLessThan(1000);
});

test("what is active follows promises, timers, generators and streams that are bound", async () => {
  const contexts = new AsyncContexts();
  const context = rootContext.setValue(key, "kept");
  const active = (): unknown => contexts.active().getValue(key);
  await contexts.with(context, async () => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    expect(active()).toBe("kept");
    await new Promise<void>((resolve) => setImmediate(resolve));
    queueMicrotask(() => expect(active()).toBe("kept"));
    const generate = async function* (): AsyncGenerator {
      yield active();
    };
    for await (const seen of generate()) expect(seen).toBe("kept");
  });
  expect(active()).toBeUndefined();
  const stream = contexts.bind(context, Readable.from(["a", "b"]));
  const seen: unknown[] = [];
  stream.on("data", () => seen.push(active()));
  await new Promise<void>((resolve) => {
    stream.on("end", () => {
      seen.push(active());
      resolve();
    });
  });
  expect(seen).toEqual(["kept", "kept", "kept"]);
});

test("a bound emitter is bound once, to the first context, and stays as it is otherwise", () => {
  const contexts = new AsyncContexts();
  const emitter = new EventEmitter();
  const alone = Object.keys(emitter);
  contexts.bind(rootContext.setValue(key, "first"), emitter);
  contexts.bind(rootContext.setValue(key, "second"), emitter);
  const seen: unknown[] = [];
  const listener = (): void => void seen.push(contexts.active().getValue(key));
  emitter.once("a", listener).on("b", listener);
  expect([emitter.emit("a"), emitter.emit("a"), emitter.emit("b")]).toEqual([true, false, true]);
  expect([seen, emitter.listeners("b"), Object.keys(emitter)]).toEqual([
    ["first", "first"],
    [listener],
    alone,
  ]);
});

test("what runs outside sees nothing of the app's, and is not traced", () => {
  const contexts = new AsyncContexts();
  const outside = contexts.outside();
  contexts.with(rootContext.setValue(key, "of a request"), () => {
    outside(() => {
      expect(contexts.active().getValue(key)).toBeUndefined();
      expect(isSuppressed(contexts.active())).toBe(true);
    });
    expect(contexts.active().getValue(key)).toBe("of a request");
  });
});
