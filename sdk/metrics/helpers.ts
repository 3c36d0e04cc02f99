// `import { metrics, tracked } from "sonde"`: metrics in a line each, for people who know StatsD or
// prom-client. Whatever they are given, they throw nothing into the app, and without an SDK they do nothing
// but run what they were to track. What is wrong with a call is told once.

import type { Attributes, Counter, Gauge, Histogram, MeterProvider } from "@opentelemetry/api";
import type { Observable } from "@opentelemetry/api";
import { load } from "../packages.ts";
import { messageOf, tell } from "../tell.ts";
import { printable } from "../values.ts";
import { attributesFrom } from "./plain-attributes.ts";
import { bounds } from "./series.ts";
import { whenDone } from "./when-done.ts";

export interface Timer extends Disposable {
  /** Records the time since it began, once, and returns it in milliseconds. */
  (attributes?: Attributes): number;
}

export interface Metrics {
  /** Counts: `increment("orders")`, `increment("bytes.sent", 512, { to: "shop" })`. */
  increment(name: string, value?: number, attributes?: Attributes): void;
  /** A value that goes up and down, as it is now. */
  gauge(name: string, value: number, attributes?: Attributes): void;
  /** The same, asked for whenever metrics are sent. Returns what ends it. */
  observe(name: string, read: () => number | Promise<number>, attributes?: Attributes): () => void;
  /** How long something took, in milliseconds; sent as a histogram of seconds. */
  timing(name: string, milliseconds: number, attributes?: Attributes): void;
  /** Begins to measure; call what it returns at the end, or declare it with `using`. */
  timer(name: string, attributes?: Attributes): Timer;
  /**
   * Runs the function, and records how long it took and its outcome, `success` or `failure`. What it
   * returns or throws is its own; of a promise it waits for the end.
   */
  track<Result>(name: string, work: () => Result, attributes?: Attributes): Result;
}

export const metrics: Metrics = {
  increment(name, value = 1, attributes) {
    guarded("increment", name, () => {
      const counter = find("counter", name, (meter) => meter.createCounter(name));
      if (counter && isNumber("increment", name, value, 0)) {
        counter.add(value, attributesFrom(attributes, name));
      }
    });
  },
  gauge(name, value, attributes) {
    guarded("gauge", name, () => {
      const gauge = find("gauge", name, (meter) => meter.createGauge(name));
      if (gauge && isNumber("gauge", name, value)) {
        gauge.record(value, attributesFrom(attributes, name));
      }
    });
  },
  observe(name, read, attributes) {
    let stop: (() => void) | undefined;
    guarded("observe", name, () => {
      if (!isFunction("observe", name, read)) return;
      const observed = find("observed", name, (meter) => meter.createObservableGauge(name));
      if (observed) stop = observe(observed, name, { read, attributes });
    });
    return () => guarded("observe", name, () => stop?.());
  },
  timing(name, milliseconds, attributes) {
    guarded("timing", name, () => {
      const histogram = find("timing", name, (meter) => createTiming(meter, name));
      if (histogram && isNumber("timing", name, milliseconds, 0)) {
        histogram.record(milliseconds / 1000, attributesFrom(attributes, name));
      }
    });
  },
  timer(name, attributes) {
    const begun = performance.now();
    let took: number | undefined;
    const stop = (more?: Attributes): number => {
      if (took !== undefined) return took;
      took = performance.now() - begun;
      metrics.timing(name, took, more === undefined ? attributes : joined(attributes, more));
      return took;
    };
    return Object.assign(stop, { [Symbol.dispose]: () => void stop() });
  },
  track(name, work, attributes) {
    if (!isFunction("track", name, work)) return undefined as ReturnType<typeof work>; // nothing ran
    return tracking(name, attributes, work);
  },
};

/** Runs it; nothing of ours is between it and its caller when it throws. */
export function tracking<Result>(
  name: string,
  attributes: Attributes | undefined,
  work: () => Result,
): Result {
  const begun = performance.now();
  const done = (error?: { readonly thrown: unknown }): void => {
    const outcome: Attributes =
      error === undefined
        ? { outcome: "success" }
        : { outcome: "failure", "error.type": typeOf(error.thrown) };
    metrics.timing(name, performance.now() - begun, joined(attributes, outcome));
  };
  let result: Result;
  try {
    result = work();
  } catch (error) {
    done({ thrown: error });
    throw error;
  }
  return whenDone(result, done);
}

type Meter = ReturnType<MeterProvider["getMeter"]>;
type Observer = Parameters<Observable["addCallback"]>[0];

interface Made {
  readonly kind: Kind;
  readonly instrument: Instruments[Kind];
}
interface Instruments {
  counter: Counter;
  gauge: Gauge;
  timing: Histogram;
  observed: Observable;
}
type Kind = keyof Instruments;

const kinds: Readonly<Record<Kind, string>> = {
  counter: "counter",
  gauge: "gauge",
  timing: "timing",
  observed: "observed gauge",
};

/** Names are meant to be few: the rest of an endless number is left out. */
const mostNames = 2000;
const validName = /^[a-z][a-z0-9_.\-/]{0,254}$/i;

/** Made by this provider; another one begins anew. */
let made = new Map<string, Made>();
let maker: MeterProvider | undefined;

const registry = Symbol.for("opentelemetry.js.api.1");

/** Undefined where there is no SDK, which is asked for without loading anything. */
function providerNow(): MeterProvider | undefined {
  const registered = (globalThis as { [registry]?: { readonly metrics?: unknown } })[registry];
  return registered?.metrics === undefined
    ? undefined
    : load("@opentelemetry/api").metrics.getMeterProvider();
}

function find<Wanted extends Kind>(
  kind: Wanted,
  name: unknown,
  create: (meter: Meter) => Instruments[Wanted],
): Instruments[Wanted] | undefined {
  const provider = providerNow();
  if (provider === undefined) return undefined;
  if (provider !== maker) [made, maker] = [new Map(), provider];
  if (typeof name !== "string" || !validName.test(name)) {
    const said =
      typeof name === "string" ? `"${printable(name)}"` : `something of type ${typeof name}`;
    const rule = "a letter, then letters, digits, _, ., - and /, 255 characters at most";
    tell(`${said} is no name for a metric, which is ${rule}; it is left out`);
    return undefined;
  }
  const key = name.toLowerCase(); // names that differ in case only are one to OpenTelemetry
  const known = made.get(key);
  if (known === undefined) {
    if (made.size >= mostNames) {
      tell(`there are ${mostNames} names of metrics, further ones are left out`);
      return undefined;
    }
    const instrument = create(provider.getMeter("sonde/metrics"));
    made.set(key, { kind, instrument });
    return instrument;
  }
  if (known.kind === kind) return known.instrument as Instruments[Wanted]; // of that kind
  const was = `the metric "${printable(name)}" is a ${kinds[known.kind]} already`;
  tell(`${was}; as a ${kinds[kind]} it is left out`);
  return undefined;
}

function createTiming(meter: Meter, name: string): Histogram {
  return meter.createHistogram(name, {
    unit: "s",
    advice: { explicitBucketBoundaries: [...bounds] },
  });
}

interface Observed {
  readonly read: () => number | Promise<number>;
  readonly attributes: Attributes | undefined;
}

function observe(observed: Observable, name: string, { read, attributes }: Observed): () => void {
  const kept = attributesFrom(attributes, name);
  const callback: Observer = async (result) => {
    try {
      const value = await read();
      if (isNumber("observe", name, value)) result.observe(value, kept);
    } catch (error) {
      tell(`metrics.observe("${name}") failed: ${messageOf(error)}`, `observe ${name}`);
    }
  };
  observed.addCallback(callback);
  return () => observed.removeCallback(callback);
}

function guarded(call: string, name: unknown, work: () => void): void {
  try {
    work();
  } catch (error) {
    const said = typeof name === "string" ? printable(name) : "";
    tell(`metrics.${call}("${said}") failed: ${safeMessage(error)}`, `${call} ${said}`);
  }
}

function safeMessage(error: unknown): string {
  try {
    return printable(messageOf(error), 200);
  } catch {
    return "an error that cannot be read";
  }
}

function isNumber(call: string, name: string, value: unknown, least = -Infinity): boolean {
  if (typeof value === "number" && Number.isFinite(value) && value >= least) return true;
  const isNegative = typeof value === "number" && value < least;
  const what = isNegative ? "a negative number" : `no number (${typeof value})`;
  tell(`metrics.${call}("${name}"): ${what} is left out`, `${call} ${name} value`);
  return false;
}

function isFunction(call: string, name: unknown, work: unknown): boolean {
  if (typeof work === "function") return true;
  const said = typeof name === "string" ? printable(name) : "";
  tell(`metrics.${call}("${said}"): no function was given`);
  return false;
}

/** Neither is trusted to be what its type says. */
function joined(attributes: unknown, more: unknown): Attributes {
  try {
    return { ...(attributes as object), ...(more as object) };
  } catch {
    return {};
  }
}

function typeOf(error: unknown): string {
  try {
    if (typeof error !== "object" || error === null) return typeof error;
    const { name } = error as { name?: unknown };
    return typeof name === "string" && name !== "" ? name.slice(0, 100) : "Error";
  } catch {
    return "Error";
  }
}
