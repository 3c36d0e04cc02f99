// Whatever is logged, what a logger prints or throws is the same with its bridge as without.

import { createRequire } from "node:module";
import { Writable } from "node:stream";
import { logs } from "@opentelemetry/api";
import {
  InMemoryLogRecordExporter,
  LoggerProvider,
  SimpleLogRecordProcessor,
} from "@opentelemetry/sdk-logs";
import {
  anything,
  assert,
  constantFrom,
  oneof,
  property,
  record,
  sample,
  string,
  tuple,
} from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { bridgeBunyan } from "../../sdk/instrument/logs/bunyan.ts";
import { bridgePino } from "../../sdk/instrument/logs/pino.ts";
import { bridgeWinston } from "../../sdk/instrument/logs/winston.ts";
import { scrubAttribute, scrubText, scrubUrl } from "../../sdk/instrument/scrub.ts";
import { scrubLogs } from "../../sdk/instrument/scrubbers.ts";
import { scrubSql } from "../../sdk/instrument/sql.ts";
import { readSettings } from "../../sdk/settings.ts";

type Log = (level: "error" | "info", values: readonly unknown[]) => void;
type Loggers = Readonly<Record<string, (write: (line: unknown) => void) => Log>>;
type Method = (...values: readonly unknown[]) => void;

const require = createRequire(import.meta.url);
const { settings } = readSettings({});

/** Made anew for each use: loggers write into what they are given. */
const oddities: readonly (() => unknown)[] = [
  () => ({
    get field() {
      throw new Error("a getter that throws");
    },
  }),
  () => new Proxy({}, { ownKeys: () => ["a"], get: () => fail() }),
  () => {
    const circular: Record<string, unknown> = { name: "circular" };
    circular["self"] = { circular };
    return circular;
  },
  () => Symbol("odd"),
  () => Object.freeze({ a: 1 }),
  () => () => {},
  () => Number.NaN,
  () => new Error("plain"),
  () => Object.assign(new Error("odd"), { stack: 5, message: null }),
  () => new Date(Number.NaN),
  () => JSON.parse('{"__proto__":{"a":1},"constructor":2}') as unknown,
  () => "\ud800",
  () => new Map([[1, 2]]),
];
const odd = oneof(
  anything({
    withBigInt: true,
    withNullPrototype: true,
    withObjectString: true,
    withSparseArray: true,
  }),
  constantFrom(...oddities).map((make) => make()),
);
const calls = tuple(
  constantFrom("info" as const, "error" as const),
  oneof(
    tuple(odd),
    tuple(string(), odd),
    tuple(odd, string()),
    tuple(
      record({ err: odd, error: odd, message: odd, level: odd, trace_id: odd, password: odd }),
      string(),
    ),
  ),
);

const loggers: Loggers = {
  pino(write) {
    const pino = require("pino") as (options: object, stream: object) => Record<string, Method>;
    const log = pino({ base: null, timestamp: false, redact: ["password", "a.b"] }, { write });
    return (level, values) => log[level]?.(...values);
  },
  bunyan(write) {
    const bunyan = require("bunyan") as { createLogger(options: object): Record<string, Method> };
    const log = bunyan.createLogger({ name: "garbage", streams: [{ stream: { write } }] });
    return (level, values) => log[level]?.(...values);
  },
  winston(write) {
    const winston = require("winston") as {
      createLogger(options: object): Record<string, Method>;
      transports: { Stream: new (options: object) => object };
    };
    return (level, values) => {
      // One that has thrown once is never written to again, with a bridge or without.
      const stream = new Writable({
        decodeStrings: false,
        write(line: unknown, _encoding, done) {
          write(line);
          done();
        },
      });
      const log = winston.createLogger({ transports: [new winston.transports.Stream({ stream })] });
      log[level]?.(...values);
    };
  },
};

const exporter = new InMemoryLogRecordExporter();
beforeAll(() => {
  const processors = [scrubLogs, new SimpleLogRecordProcessor({ exporter })];
  logs.setGlobalLoggerProvider(new LoggerProvider({ processors }));
});

test.each([
  ["pino", bridgePino],
  ["bunyan", bridgeBunyan],
  ["winston", bridgeWinston],
] as const)("%s prints and throws the same", (name, bridge) => {
  const parameters = { numRuns: 2000, seed: Date.now() };
  const before = outcomes(name, sample(calls, parameters));
  bridge(require(name), settings);
  expect(outcomes(name, sample(calls, parameters)), `seed ${parameters.seed}`).toEqual(before);
  expect(exporter.getFinishedLogRecords().length).toBeGreaterThan(500);
  exporter.reset();
});

test("scrubbing throws at nothing and gives texts for texts", () => {
  assert(
    property(odd, string(), (value, name) => {
      scrubAttribute(name, value);
      for (const scrub of [scrubText, scrubUrl, scrubSql]) {
        expect(typeof scrub(name)).toBe("string");
      }
    }),
    { numRuns: 2000 },
  );
});

function outcomes(
  name: string,
  given: readonly (readonly ["info" | "error", readonly unknown[]])[],
) {
  let outcome: unknown[] = [];
  const log = loggers[name]?.((line) => outcome.push(String(line)));
  return given.map(([level, values]) => {
    outcome = [];
    try {
      log?.(level, values);
    } catch (error) {
      outcome.push(error instanceof Error ? error.message : typeof error);
    }
    return outcome.join("").replaceAll(/"time":"[^"]*"/g, "");
  });
}

function fail(): never {
  throw new Error("a trap that throws");
}
