// `import { health } from "sonde"`: whether the app and what it depends on work, for whoever balances load
// or restarts containers. A check has a time limit, and is not begun again while it hangs; what is found is
// used for a moment, so that many who ask do not become the load. Nothing here throws into the app.

import type { IncomingMessage, ServerResponse } from "node:http";
import { scrubText } from "./instrument/scrub.ts";
import { metrics } from "./metrics/helpers.ts";
import { load } from "./packages.ts";
import { messageOf, tell } from "./tell.ts";
import { suppressed } from "./trace/context.ts";
import { printable } from "./values.ts";

export interface CheckOptions {
  /** Milliseconds, 2000 unless set. */
  readonly timeout?: number;
  /** Whether the app is of no use without it, which it is unless set. */
  readonly critical?: boolean;
}

/** Fails by `false` or by an error. The signal is aborted when its time is over. */
export type Check = (signal: AbortSignal) => unknown;

export interface HealthReport {
  /** `degraded`: only what is not critical has failed. */
  readonly status: "ok" | "degraded" | "failed";
  /** Of a detailed one. */
  readonly checks?: Readonly<Record<string, CheckReport>>;
}

export interface CheckReport {
  readonly status: "ok" | "failed";
  readonly critical: boolean;
  readonly durationMs: number;
  /** What went wrong, without the secrets that can be told as such. */
  readonly error?: string;
}

export interface ReportOptions {
  /** Names, times and errors of all checks: not for strangers. */
  readonly detailed?: boolean;
  /** How old what was found may be, in milliseconds; 1000 unless set. */
  readonly maxAge?: number;
}

export interface HandlerOptions {
  /** For all, or for those requests for which it returns true. */
  readonly detailed?: boolean | ((request: IncomingMessage) => boolean);
  readonly maxAge?: number;
}

/** Of node:http, express, or fastify, whose request and reply have these inside. */
export type HealthHandler = (request: unknown, response: unknown) => void;

export interface Health {
  /** Returns what takes it away again. One of the same name takes the place of the other. */
  check(name: string, check: Check, options?: CheckOptions): () => void;
  /** Never rejects. */
  report(options?: ReportOptions): Promise<HealthReport>;
  /** Answers 200, or 503 where a critical check fails. */
  handler(options?: HandlerOptions): HealthHandler;
}

export const healthMetrics = {
  status: { name: "health.check.status", unit: "" },
  duration: { name: "health.check.duration", unit: "s" },
} as const;

const mostChecks = 100;
const mostMs = 60_000;

interface Registered {
  readonly name: string;
  readonly check: Check;
  readonly timeoutMs: number;
  readonly isCritical: boolean;
  /** Since when one is under way that may have been given up. */
  runningSinceMs: number | undefined;
}

const registered = new Map<string, Registered>();

/** The last round, or the one that is under way. */
let round: Round | undefined;
interface Round {
  readonly found: Promise<Found>;
  endedMs: number | undefined;
}
type Found = readonly (readonly [name: string, report: CheckReport])[];

export const health: Health = {
  check(name, check, options) {
    const problem = problemOf(name, check);
    if (problem !== undefined) {
      tell(`health.check: ${problem}; it is left out`);
      return () => {};
    }
    const { timeout, critical } = fieldsOf(options);
    const made: Registered = {
      name,
      check,
      timeoutMs: milliseconds(timeout, 2000),
      isCritical: critical !== false,
      runningSinceMs: undefined,
    };
    registered.set(name, made);
    round = undefined;
    return () => {
      if (registered.get(name) === made) registered.delete(name);
      round = undefined;
    };
  },
  async report(options) {
    try {
      const { detailed, maxAge } = fieldsOf(options);
      const found = await findOut(milliseconds(maxAge, 1000));
      const status = statusOf(found);
      return detailed === true ? { status, checks: Object.fromEntries(found) } : { status };
    } catch (error) {
      tell(`health.report failed: ${messageOf(error)}`);
      return { status: "failed" };
    }
  },
  handler(options) {
    const { detailed, maxAge } = fieldsOf(options);
    return (request, response) => {
      void answer(request, response, (bare) => ({
        detailed: detailed === true || isGranted(detailed, bare),
        maxAge: milliseconds(maxAge, 1000),
      }));
    };
  },
};

function isGranted(detailed: unknown, request: IncomingMessage): boolean {
  try {
    return typeof detailed === "function" && detailed(request) === true;
  } catch (error) {
    tell(`health.handler: "detailed" failed: ${describe(error)}`);
    return false;
  }
}

function problemOf(name: unknown, check: unknown): string | undefined {
  if (typeof name !== "string" || name === "" || name.length > 100) {
    return "a name is a text of at most 100 characters";
  }
  if (typeof check !== "function") return `"${printable(name)}" has no function`;
  if (registered.has(name) || registered.size < mostChecks) return undefined;
  return `there are ${mostChecks} checks already, and "${printable(name)}" is one more`;
}

type Options = CheckOptions & ReportOptions;

/** Whatever was given, and whatever happens when it is read. */
function fieldsOf(options: unknown): { readonly [Name in keyof Options]?: unknown } {
  try {
    const { timeout, critical, detailed, maxAge } = (options ?? {}) as Partial<Options>;
    return { timeout, critical, detailed, maxAge };
  } catch {
    return {};
  }
}

function milliseconds(given: unknown, otherwise: number): number {
  const isOne = typeof given === "number" && given >= 0;
  return isOne ? Math.min(given, mostMs) : otherwise;
}

function findOut(maxAgeMs: number): Promise<Found> {
  const ageMs = round?.endedMs === undefined ? 0 : performance.now() - round.endedMs;
  if (round === undefined || ageMs > maxAgeMs) {
    const next: Round = {
      found: runAll(() => (next.endedMs = performance.now())),
      endedMs: undefined,
    };
    round = next;
  }
  return round.found;
}

async function runAll(ended: () => void): Promise<Found> {
  const found = await Promise.all(
    [...registered.values()].map(async (one) => [one.name, await run(one)] as const),
  );
  ended();
  return found;
}

function statusOf(found: Found): HealthReport["status"] {
  const failed = found.filter(([, { status }]) => status === "failed");
  if (failed.length === 0) return "ok";
  return failed.some(([, { critical }]) => critical) ? "failed" : "degraded";
}

async function run(one: Registered): Promise<CheckReport> {
  const begunMs = performance.now();
  const error = await outcomeOf(one, begunMs);
  const durationMs = performance.now() - begunMs;
  const attributes = { "health.check.name": one.name, "health.check.critical": one.isCritical };
  metrics.gauge(healthMetrics.status.name, error === undefined ? 1 : 0, attributes);
  metrics.timing(healthMetrics.duration.name, durationMs, attributes);
  return {
    status: error === undefined ? "ok" : "failed",
    critical: one.isCritical,
    durationMs: Math.round(durationMs * 10) / 10,
    ...(error === undefined ? {} : { error }),
  };
}

/** What went wrong, if anything did. */
async function outcomeOf(one: Registered, nowMs: number): Promise<string | undefined> {
  if (one.runningSinceMs !== undefined) {
    return `has not come back for ${Math.round(nowMs - one.runningSinceMs)} ms`;
  }
  one.runningSinceMs = nowMs;
  const aborter = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => {
      resolve(`took longer than ${one.timeoutMs} ms`);
      aborter.abort();
    }, one.timeoutMs).unref();
  });
  const outcome = attempt(one.check, aborter.signal).finally(() => {
    one.runningSinceMs = undefined;
  });
  const first = await Promise.race([outcome, late]);
  clearTimeout(timer);
  return first;
}

/** Its requests are no part of the traces of the app. */
async function attempt(check: Check, signal: AbortSignal): Promise<string | undefined> {
  try {
    const { context } = load("@opentelemetry/api");
    const result = await context.with(suppressed(context.active()), check, undefined, signal);
    return result === false ? "said no" : undefined;
  } catch (error) {
    return describe(error);
  }
}

function describe(error: unknown): string {
  try {
    return printable(scrubText(messageOf(error)), 200);
  } catch {
    return "an error that cannot be read";
  }
}

type Bare = Partial<Pick<ServerResponse, "writeHead" | "end" | "headersSent">>;

async function answer(
  request: unknown,
  response: unknown,
  optionsFor: (request: IncomingMessage) => ReportOptions,
): Promise<void> {
  try {
    const bare = bareOf(request) as IncomingMessage; // what the three of them hand over
    const reply = response as { hijack?: () => void };
    if (typeof reply?.hijack === "function") reply.hijack(); // fastify leaves it to us then
    const to = bareOf(response) as Bare;
    const report = await health.report(optionsFor(bare));
    if (to.headersSent) return;
    const body = JSON.stringify(report);
    to.writeHead?.(report.status === "failed" ? 503 : 200, {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
      "cache-control": "no-store",
    });
    to.end?.(bare.method === "HEAD" ? undefined : body);
  } catch (error) {
    tell(`health.handler failed: ${describe(error)}`);
  }
}

/** Of fastify's request and reply what Node has made. */
function bareOf(given: unknown): unknown {
  const { raw } = (given ?? {}) as { raw?: unknown };
  return typeof raw === "object" && raw !== null ? raw : given;
}
