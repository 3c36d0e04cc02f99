// A million calls of everything an app can call, with whatever an app can get wrong. None may throw, none may
// leave a rejection behind, and what is sent stays OTLP. More of them: SONDE_TEST_GARBAGE_CALLS=100000000.

import { EventEmitter } from "node:events";
import { createContextKey, ROOT_CONTEXT } from "@opentelemetry/api";
import type { Context, Span } from "@opentelemetry/api";
import {
  CompositePropagator,
  W3CBaggagePropagator,
  W3CTraceContextPropagator,
} from "@opentelemetry/core";
import { expect, test } from "vitest";
import { validate } from "../../collector/wire/validate.ts";
import { Batch } from "../../sdk/export/batch.ts";
import { LoggerProvider } from "../../sdk/logs/logger.ts";
import { redactorOf } from "../../sdk/instrument/scrub.ts";
import { readSettings } from "../../sdk/settings.ts";
import { AsyncContexts, rootContext } from "../../sdk/trace/context.ts";
import { logLimitsOf, spanLimitsOf } from "../../sdk/trace/limits.ts";
import { parentBased, ratioOf } from "../../sdk/sampling/sampler.ts";
import { TracerProvider } from "../../sdk/trace/tracer.ts";
import { Attributes } from "../../sdk/trace/values.ts";
import { root } from "../support/otlp.ts";

const calls = Number(process.env["SONDE_TEST_GARBAGE_CALLS"] ?? 1_000_000);

/** The same calls every time. */
let state = 20_261_121;
function random(below: number): number {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((state / 0x1_0000_0000) * below);
}

function pick<Item>(items: readonly Item[]): Item {
  return items[random(items.length)]!;
}

const fails = (): never => {
  throw new Error("as asked");
};
const circle: { self?: unknown } = {};
circle.self = circle;
let deep: unknown = "bottom";
for (let depth = 0; depth < 5000; depth++) deep = depth % 2 === 0 ? [deep] : { deep };
const revoked = Proxy.revocable({}, {});
revoked.revoke();

const garbage: readonly unknown[] = [
  [undefined, null, true, false, 0, -0, 1, -1, 0.1, Number.NaN, Infinity, -Infinity, 2 ** 60],
  [Number.MAX_VALUE, 1n, -(2n ** 63n), 2n ** 200n, "", "a", "ž🐎", "\ud800", "\udfff x", "\0"],
  ["__proto__", "constructor", "http.route", "url.full", "x".repeat(300), "ů".repeat(100)],
  ["https://user:secret@host/?token=1", "%", "a=b;c,d=e", "0".repeat(32), "f".repeat(16)],
  [Symbol("s"), Symbol.iterator, fails, () => {}, async () => {}, EventEmitter, new Date(), /x/],
  [new Date(Number.NaN), new Error("boo"), new Map([[1, 2]]), new Set([1]), new WeakMap()],
  [Promise.resolve(1), new Proxy({}, { get: fails, ownKeys: fails, has: fails }), revoked.proxy],
  [{}, { a: 1 }, { toString: fails }, { valueOf: fails, [Symbol.toPrimitive]: fails }, circle],
  [Object.create(null), Object.freeze({ a: [1] }), JSON.parse('{"__proto__":{"a":1}}'), deep],
  [
    [],
    [1, 2],
    [1, "a", null],
    [undefined],
    [fails],
    Array(50),
    [[[[1]]]],
    Object.assign([], { length: 2 ** 32 - 1 }),
  ],
  [new Uint8Array(3), new Float64Array(2), Buffer.from("x"), new ArrayBuffer(4)],
  [[1_770_000_000, 5], [Number.NaN, 1], [-1, -1], [1e300, 0], Date.now(), performance.now()],
  [{ code: 1 }, { code: 2, message: "m" }, { code: "x" }, { code: 2, message: Symbol("m") }],
  [{ message: "m", stack: {} }, { name: { toString: fails } }, { kind: 9, links: 5 }],
  [{ root: true }, { attributes: { a: fails } }, { links: [null, {}] }, { startTime: "now" }],
  [Object.defineProperty({ b: 1 }, "attributes", { enumerable: true, get: fails })],
  [Object.defineProperty({ b: 1 }, "a", { enumerable: true, get: fails })],
].flat();
const notCalled = garbage.filter((one) => typeof one !== "function"); // for it is called, and some throw

const spanKey = createContextKey("OpenTelemetry Context Key SPAN");
const someContexts: readonly Context[] = [
  ROOT_CONTEXT,
  rootContext,
  ROOT_CONTEXT.setValue(spanKey, { spanContext: fails }),
  rootContext.setValue(spanKey, "no span"),
];

test(`${calls} calls with garbage: none throws, and what is sent can be read`, async () => {
  const engine = startEngine();
  const failures: unknown[] = [];
  const rejections: unknown[] = [];
  const onRejection = (reason: unknown): void => void rejections.push(reason);
  process.on("unhandledRejection", onRejection);
  for (let call = 0; call < calls; call++) {
    try {
      engine.call();
    } catch (error) {
      failures.push(error);
      if (failures.length > 10) break;
    }
  }
  engine.flush();
  await new Promise((resolve) => setImmediate(resolve));
  process.off("unhandledRejection", onRejection);
  expect(failures).toEqual([]);
  expect(rejections).toEqual([]);
  expect(engine.counts.problems).toEqual([]);
  expect(engine.counts.requests).toBeGreaterThan(20);
  expect(engine.counts.read).toBe(engine.counts.sent);
}, 300_000);

function startEngine() {
  const counts = { requests: 0, sent: 0, read: 0, problems: [] as unknown[] };
  const batchOf = (signal: "traces" | "logs"): Batch =>
    new Batch({
      resource: () => new Attributes(),
      settings: { maxBatch: 512, delayMs: 1e9, timeoutMs: 0, maxQueue: 0 },
      redactor: redactorOf,
      sends: [
        (body, items) => {
          const checked = validate(signal, body);
          if (checked.kind === "valid") counts.read += checked.batch.items;
          else counts.problems.push(checked.problem);
          // By another's hand too; it takes long.
          if (counts.requests++ % 10 === 0) types[signal].decode(body);
          counts.sent += items;
          return true;
        },
      ],
    });
  const contexts = new AsyncContexts();
  const flush = (): Promise<void> => Promise.resolve();
  const spans = batchOf("traces");
  const records = batchOf("logs");
  const limits = spanLimitsOf(noLimits);
  const samplers = [parentBased(() => {}), ratioOf(0.5)];
  const tracers = samplers.map(
    (sampler) => new TracerProvider({ contexts, sampler, limits, batch: spans, flush }),
  );
  const loggers = new LoggerProvider({
    contexts,
    limits: logLimitsOf(noLimits),
    batch: records,
    flush,
  });
  const operations = operationsOf(contexts, tracers, loggers);
  return {
    counts,
    call: () => pick(operations)(),
    flush() {
      spans.flush();
      records.flush();
    },
  };
}

const types = {
  traces: root.lookupType("ExportTraceServiceRequest"),
  logs: root.lookupType("ExportLogsServiceRequest"),
};
const noLimits = readSettings({}).settings.limits;

/** Called as JavaScript lets anyone call them. */
type Anything = Record<string, (...args: unknown[]) => unknown>;

function operationsOf(
  contexts: AsyncContexts,
  tracers: readonly TracerProvider[],
  loggers: LoggerProvider,
): readonly (() => void)[] {
  const any = (): unknown => pick(garbage);
  const started: Span[] = [];
  let tracer = tracers[0]!.getTracer("first") as unknown as Anything;
  let logger = loggers.getLogger("first") as unknown as Anything;
  const call = (object: unknown, method: string, ...args: unknown[]): unknown =>
    (object as Anything)[method]!(...args);
  const start = (): void => {
    const options = pick([any(), { kind: any(), attributes: any(), links: any() }]);
    const context = pick([undefined, any(), ...someContexts]);
    const span = tracer["startSpan"]!(any(), options, context) as Span;
    if (started.length < 20) started.push(span);
    else started[random(20)] = span;
  };
  start();
  const onSpan = (method: string, ...args: (() => unknown)[]) => {
    return () => call(pick(started), method, ...args.map((arg) => arg()));
  };
  const propagator = new CompositePropagator({
    propagators: [new W3CTraceContextPropagator(), new W3CBaggagePropagator()],
  });
  return [
    start,
    start,
    onSpan("setAttribute", any, any),
    onSpan("setAttribute", any, any),
    onSpan("setAttributes", any),
    onSpan("addEvent", any, any, any),
    onSpan("addLink", () =>
      pick([any(), { context: any(), attributes: any() }, { context: good }]),
    ),
    onSpan("addLinks", any),
    onSpan("setStatus", () => pick([any(), { code: any(), message: any() }])),
    onSpan("updateName", any),
    onSpan("recordException", any, any),
    onSpan("end", any),
    onSpan("end"),
    onSpan("isRecording"),
    onSpan("spanContext"),
    () => void JSON.stringify(pick(started).spanContext()),
    () => void (pick(started) as unknown as { attributes: unknown }).attributes,
    () => void (tracer = call(pick(tracers), "getTracer", any(), any(), any()) as Anything),
    () => void tracer["startActiveSpan"]!(any(), pick(notCalled)),
    () => void tracer["startActiveSpan"]!(any(), any(), pick(someContexts), () => start()),
    () => call(contexts, "with", any(), () => start()),
    () => call(contexts, "with", pick(someContexts), pick([5, undefined, {}, start]), any()),
    () => call(contexts, "bind", any(), pick([5, undefined, {}, start, new EventEmitter()])),
    () => (call(contexts, "bind", pick(someContexts), start) as () => void)(),
    () => call(call(contexts, "attach", any()), "dispose"),
    () => void contexts.active().setValue(spanKey, any()).getValue(spanKey),
    () => propagator.inject(contexts.active(), any(), { set: fails }),
    () => void propagator.extract(rootContext, any(), { get: any as never, keys: () => [] }),
    () => void (logger = call(loggers, "getLogger", any(), any(), any()) as Anything),
    () => void logger["emit"]!(any()),
    () => void logger["emit"]!({ body: any(), attributes: any(), exception: any() }),
    () => void logger["emit"]!({ timestamp: any(), observedTimestamp: any(), context: any() }),
    () => void logger["emit"]!({ severityNumber: any(), severityText: any(), eventName: any() }),
    () => void logger["enabled"]!(any()),
  ];
}

const good = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" };
