import { metrics as api, trace } from "@opentelemetry/api";
import { AggregationTemporality, DataPointType, MeterProvider } from "@opentelemetry/sdk-metrics";
import { MetricReader } from "@opentelemetry/sdk-metrics";
import type { DataPoint, Histogram } from "@opentelemetry/sdk-metrics";
import { isPromise } from "node:util/types";
import { transform } from "esbuild";
import * as fc from "fast-check";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { metrics, tracked } from "../../../sdk/index.ts";
import { appFile, runApp } from "../support/app.ts";
import { plain, startSink } from "../support/sink.ts";

class TestReader extends MetricReader {
  onForceFlush = () => Promise.resolve();
  onShutdown = () => Promise.resolve();
}

let reader: TestReader;
beforeEach(() => {
  reader = new TestReader({ aggregationTemporalitySelector: () => AggregationTemporality.DELTA });
  api.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
});
afterEach(() => api.disable());
afterAll(() => trace.disable());

/** Of each series its attributes and its value, or how often it was recorded. */
async function recorded(name: string) {
  const { resourceMetrics } = await reader.collect();
  const all = resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics);
  const metric = all.find(({ descriptor }) => descriptor.name === name);
  const points: readonly DataPoint<unknown>[] = metric?.dataPoints ?? [];
  const isHistogram = metric?.dataPointType === DataPointType.HISTOGRAM;
  return points.map(({ attributes, value }) => [
    attributes,
    isHistogram ? (value as Histogram).count : value,
  ]);
}

describe.each(["main.cjs", "main.mjs"])("an app that uses them: %s", (file) => {
  const said = "true\n2\nkept\ntrue\ntrue\nfunction\n";

  test("all arrive, and what is wrong is told once", async () => {
    const sink = await startSink();
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url };
    const ended = await runApp(appFile(`helpers/${file}`), { env });
    await sink.close();
    expect([ended.code, ended.stdout]).toEqual([0, said]);
    expect(ended.stderr.trimEnd().split("\n")).toEqual([
      'sonde: "not a name" is no name for a metric, which is a letter, then letters, digits, _, ., - and /, 255 characters at most; it is left out',
      'sonde: the metric "orders" is a counter already; as a gauge it is left out',
    ]);
    const ours = sink.metrics.filter(({ scope }) => scope === "sonde/metrics");
    const found = ours.flatMap(({ name, unit = "", sum, gauge, histogram }) => {
      const numbers = sum?.dataPoints ?? gauge?.dataPoints ?? [];
      return [
        ...numbers.map((point) => [name, unit, plain(point.attributes), Number(point.asDouble)]),
        ...(histogram?.dataPoints ?? []).map((point) => [
          name,
          unit,
          plain(point.attributes),
          name === "query" ? point.sum : Number(point.count),
        ]),
      ];
    });
    const failure = { outcome: "failure", "error.type": "RangeError" };
    expect(found).toEqual([
      ["orders", "", {}, 1],
      ["orders", "", { kind: "book" }, 2],
      ["waiting", "", {}, 5],
      ["queue.length", "", { queue: "mail" }, 3],
      ["query", "s", {}, 0.25],
      ["drawn", "s", { shape: "circle" }, 1],
      ["sum", "s", { outcome: "success" }, 1],
      ["sum", "s", failure, 1],
      ["later", "s", { outcome: "success" }, 1],
      ["later", "s", failure, 1],
    ]);
  });

  test("without an SDK they do nothing, in silence", async () => {
    const ended = await runApp(appFile(`helpers/${file}`), { preload: "none" });
    expect(ended).toMatchObject({ code: 0, stdout: said, stderr: "" });
  });
});

test("a timer that is declared with `using` is recorded at the end of its block", async () => {
  {
    const timer = metrics.timer("block");
    timer[Symbol.dispose]();
    timer();
  }
  expect(await recorded("block")).toEqual([[{}, 1]]);
});

describe("track", () => {
  test("a promise that nobody handles is told of as ever, and one that is handled is not", async () => {
    const unhandled: unknown[] = [];
    const listener = (error: unknown): void => void unhandled.push(error);
    const others = process.listeners("unhandledRejection");
    process.removeAllListeners("unhandledRejection").on("unhandledRejection", listener);
    const fails = (message: string) => () => Promise.reject(new Error(message));
    await metrics.track("handled", fails("handled")).catch(() => {});
    void metrics.track("left", fails("left"));
    await new Promise((resolve) => setTimeout(resolve, 20));
    process.off("unhandledRejection", listener);
    for (const other of others) process.on("unhandledRejection", other);
    expect(unhandled).toEqual([new Error("left")]);
    const failure = { outcome: "failure", "error.type": "Error" };
    expect(await recorded("left")).toEqual([[failure, 1]]);
  });

  test("a promise is recorded at its end and not before", async () => {
    let finish = (): void => {};
    const work = metrics.track("slow", () => new Promise<void>((resolve) => (finish = resolve)));
    expect(await recorded("slow")).toEqual([]);
    finish();
    await work;
    expect(await recorded("slow")).toEqual([[{ outcome: "success" }, 1]]);
  });

  test("what has a `then` of its own is handed out itself, and not begun before its time", async () => {
    let begun = 0;
    class Query {
      // oxlint-disable-next-line unicorn/no-thenable -- as query builders have one
      then<Result>(onValue: (rows: string) => Result): Promise<Result> {
        begun++;
        return Promise.resolve("rows").then(onValue);
      }
    }
    const query = new Query();
    expect(metrics.track("query", () => query)).toBe(query);
    expect(begun).toBe(0);
    expect(await query).toBe("rows");
    expect(begun).toBe(1);
    expect(await recorded("query")).toEqual([[{ outcome: "success" }, 1]]);
  });

  test("a promise of another class stays of that class, and one with methods keeps them", async () => {
    class Other<Value> extends Promise<Value> {}
    const other = Other.resolve(1);
    expect(metrics.track("other", () => other)).toBe(other);
    expect(await other).toBe(1);
    expect(await recorded("other")).toEqual([[{ outcome: "success" }, 1]]);
    const request = Object.assign(Promise.resolve(2), { json: () => "body" });
    const followed = metrics.track("request", () => request);
    expect(followed.json()).toBe("body");
    expect(await followed).toBe(2);
  });

  test("what cannot be listened to is handed out as it is", async () => {
    const proxy = new Proxy(() => {}, { get: () => () => {} });
    expect(metrics.track("proxy", () => proxy)).toBe(proxy);
    const frozen = Object.freeze({ then: () => {} }); // oxlint-disable-line unicorn/no-thenable
    expect(metrics.track("frozen", () => frozen)).toBe(frozen);
    expect(await recorded("frozen")).toEqual([[{ outcome: "success" }, 1]]);
  });
});

const source = `
  class Shop {
    price = 2;
    @tracked() sell(count) { return this.price * count }
    @tracked("named", { kind: "b" }) async order() { throw new TypeError("as asked") }
    @tracked() static open() { return this === Shop }
  }
  module.exports = { Shop, length: Shop.prototype.sell.length, name: Shop.prototype.sell.name };
`;

interface ShopModule {
  readonly Shop: {
    new (): { sell(count: number): number; order(): Promise<void> };
    open(): boolean;
  };
  readonly length: number;
  readonly name: string;
}

test.each([
  ["of the language", {}],
  ["experimentalDecorators", { compilerOptions: { experimentalDecorators: true } }],
])("a decorated method is recorded, and is what it was: %s", async (_, tsconfigRaw) => {
  const { code } = await transform(source, { loader: "ts", target: "es2022", tsconfigRaw });
  const module = { exports: {} };
  // oxlint-disable-next-line typescript/no-implied-eval -- what esbuild has made of the source above
  new Function("module", "tracked", code)(module, tracked);
  const { Shop, length, name } = module.exports as ShopModule;
  expect([length, name]).toEqual([1, "sell"]);
  const shop = new Shop();
  expect(shop.sell(3)).toBe(6);
  await expect(shop.order()).rejects.toThrow(TypeError);
  expect(Shop.open()).toBe(true);
  expect(await recorded("Shop.sell")).toEqual([[{ outcome: "success" }, 1]]);
  await shop.order().catch(() => {});
  expect(await recorded("named")).toEqual([
    [{ kind: "b", outcome: "failure", "error.type": "TypeError" }, 1],
  ]);
  Shop.open();
  expect(await recorded("Shop.open")).toEqual([[{ outcome: "success" }, 1]]);
});

test("a decorator keeps what other decorators have noted about a method", async () => {
  await import("reflect-metadata");
  const method = (): void => {};
  Reflect.defineMetadata("path", "/items", method);
  const descriptor = { value: method, configurable: true };
  tracked()({}, "items", descriptor);
  expect(descriptor.value).not.toBe(method);
  expect(Reflect.getMetadata("path", descriptor.value)).toBe("/items");
});

test("attributes that cannot be are left out, and the rest is recorded", async () => {
  const attributes = { a: "x", big: 12n, object: {}, list: ["a"], nothing: undefined, not: NaN };
  metrics.increment("odd", 1, attributes);
  attributes.a = "changed later";
  expect(await recorded("odd")).toEqual([[{ a: "x", big: "12", not: "NaN" }, 1]]);
});

test("beyond 2000 sets of attributes all others are one", async () => {
  for (let id = 0; id < 2100; id++) metrics.increment("wide", 1, { id });
  const series = await recorded("wide");
  expect(series).toHaveLength(2000);
  expect(series.at(-1)).toEqual([{ "otel.metric.overflow": true }, 101]);
});

function throwing(thrown: unknown): never {
  throw thrown; // oxlint-disable-line typescript/only-throw-error -- apps throw anything
}

test("that there are so many is told", async () => {
  const sink = await startSink();
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url };
  const { stderr } = await runApp(appFile("helpers/main.cjs"), { env, args: ["wide"] });
  await sink.close();
  const lines = stderr.split("\n").filter((line) => line.includes('"wide"'));
  expect(lines).toEqual([expect.stringContaining("has more than 1999 sets of attributes")]);
});

test("whatever they are given, nothing is thrown", async () => {
  const fails = (): never => {
    throw new Error("hostile");
  };
  const hostile: readonly unknown[] = [
    new Proxy({}, { get: fails, ownKeys: fails, has: fails, getPrototypeOf: fails }),
    Object.defineProperty({}, "a", { enumerable: true, get: fails }),
    { toString: fails, valueOf: fails, [Symbol.toPrimitive]: fails },
    Object.create(null),
    Symbol("x"),
    10n,
    Promise.resolve(1),
    "ok",
    "a.b",
    () => 1,
    fails,
    Number.NaN,
  ];
  // By number, since fast-check itself looks into what it is given.
  const anything = fc.anything({ withBigInt: true, withDate: true }).map((value) => ({ value }));
  const any = fc.oneof(fc.nat(hostile.length - 1), anything);
  const valueOf = (chosen: number | { value: unknown }): unknown =>
    typeof chosen === "number" ? hostile[chosen] : chosen.value;
  await fc.assert(
    fc.asyncProperty(any, any, any, async (...chosen) => {
      const given = chosen.map(valueOf) as [never, never, never];
      const [one, two]: readonly unknown[] = given;
      metrics.increment(...given);
      metrics.gauge(...given);
      metrics.timing(...given);
      metrics.observe(...given)();
      const stop = metrics.timer(given[0], given[1]);
      stop(given[2]);
      stop[Symbol.dispose]();
      const returned = metrics.track(given[0], () => two, given[2]);
      // A plain promise is the one that follows; `await` it, so that none is left.
      if (!isPromise(two)) expect(Object.is(returned, two)).toBe(true);
      else await (returned as Promise<unknown>).catch(() => {});
      let caught: unknown;
      try {
        metrics.track(given[1], () => throwing(one), given[2]);
      } catch (error) {
        caught = error;
      }
      expect(Object.is(caught, one)).toBe(true);
      if (typeof two !== "function") metrics.track(given[0], given[1], given[2]);
      (tracked(given[0], given[1]) as (...all: unknown[]) => unknown)(...given);
    }),
    { numRuns: 5000 },
  );
  await reader.collect();
});

test("helpers are exported under the names of the documentation", () => {
  expect(Object.keys(metrics)).toEqual([
    "increment",
    "gauge",
    "observe",
    "timing",
    "timer",
    "track",
  ]);
});
