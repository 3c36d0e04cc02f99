// What winston logs as log records, taken between its formats and its transports: people redact in
// formats, so nothing is sent that a transport would not see. The ids are put into what a transport writes,
// if that is JSON, and nowhere else.

import type { Context, LogRecord, SeverityNumber } from "@opentelemetry/api";
import { load } from "../../packages.ts";
import type { Settings } from "../../settings.ts";
import { isTracingOff } from "./console.ts";
import { insideLogger } from "./depth.ts";
import { activeIds, addIds, dropIds, type Ids } from "./ids.ts";
import { type Fields, type Thrown, thrownOf } from "./record.ts";

const levelKey = Symbol.for("level");
const splatKey = Symbol.for("splat");
const messageKey = Symbol.for("message");
/** On the info, where no format can see it: what inspects an info prints all that can be seen. */
const callKey = Symbol("sonde.call");

interface Call {
  readonly context: Context;
  readonly ids: Ids | undefined;
}

interface Info {
  message?: unknown;
  level?: unknown;
  [levelKey]?: string;
  [splatKey]?: readonly unknown[];
  [messageKey]?: unknown;
  [callKey]?: Call;
  [field: string]: unknown;
}

interface Transport {
  log?: (info: Info, done: () => void) => unknown;
  _write?: (info: Info, ...rest: unknown[]) => unknown;
}

interface WinstonLogger {
  push: (info: Info | false | null) => boolean;
  write: (info: Info, ...rest: unknown[]) => boolean;
  _transform: (info: Info, ...rest: unknown[]) => unknown;
  isLevelEnabled?: (level: string) => boolean;
  readonly transports?: readonly Transport[];
}

/** Of the info that is being formatted or written: formats make copies, and on these it would be lost. */
let current: Call | undefined;

export function bridgeWinston(exports: unknown, settings: Settings): void {
  const prototype = (exports as { Logger?: { prototype?: WinstonLogger } }).Logger?.prototype;
  if (typeof prototype?.push !== "function" || Object.hasOwn(prototype, "push")) return;
  const { context, logs } = load("@opentelemetry/api");
  const emitter = logs.getLogger("sonde/winston");
  const { push, write, _transform: transform } = prototype;
  prototype.write = function (this: WinstonLogger, info, ...rest) {
    stamp(info, { context: context.active(), ids: activeIds() });
    return write.call(this, info, ...rest);
  };
  prototype._transform = function (this: WinstonLogger, info, ...rest) {
    return during(info, () => transform.call(this, info, ...rest));
  };
  prototype.push = function (this: WinstonLogger, info) {
    try {
      const level = info ? info[levelKey] : undefined;
      if (info && level !== undefined && !isTracingOff()) {
        if (current) stamp(info, current);
        if (settings.logIds) this.transports?.forEach(putIdsIntoLines);
        const isSent = emitter.enabled() && !hasOwnTransport(this);
        if (isSent && this.isLevelEnabled?.(level) !== false) emitter.emit(recordOf(info, level));
      }
    } catch {
      // A field that throws when it is read is the app's affair.
    }
    return insideLogger(() => push.call(this, info));
  };
}

/** What is to be formatted or written may have to wait, so the call is noted on it. */
function stamp(info: Info, call: Call): void {
  if (typeof info !== "object" || info === null || !Object.isExtensible(info)) return;
  Object.defineProperty(info, callKey, { value: call, configurable: true });
}

function during<Result>(info: Info, run: () => Result): Result {
  const before = current;
  current = typeof info === "object" && info !== null ? info[callKey] : undefined;
  try {
    return run();
  } finally {
    current = before;
  }
}

/** OpenTelemetry's transport sends it, too. */
function hasOwnTransport({ transports = [] }: WinstonLogger): boolean {
  return transports.some(({ constructor }) => constructor.name === "OpenTelemetryTransportV3");
}

const seen = new WeakSet<Transport>();

/** A transport may have a format of its own, so only here it is known what is written. */
function putIdsIntoLines(transport: Transport): void {
  if (seen.has(transport)) return;
  seen.add(transport);
  const { log, _write: write } = transport;
  if (typeof log !== "function" || typeof write !== "function") return;
  transport._write = function (info, ...rest) {
    return during(info, () => write.call(this, info, ...rest));
  };
  transport.log = function (info, done) {
    const line = info?.[messageKey];
    const ids = (info?.[callKey] ?? current)?.ids;
    if (ids && typeof line === "string") info[messageKey] = addIds(line, ids);
    return log.call(this, info, done);
  };
}

function recordOf(info: Info, level: string): LogRecord {
  const { SeverityNumber } = load("@opentelemetry/api");
  const severities: Readonly<Record<string, SeverityNumber>> = {
    emerg: SeverityNumber.FATAL3,
    alert: SeverityNumber.FATAL2,
    crit: SeverityNumber.FATAL,
    fatal: SeverityNumber.FATAL,
    error: SeverityNumber.ERROR,
    warning: SeverityNumber.WARN,
    warn: SeverityNumber.WARN,
    notice: SeverityNumber.INFO2,
    info: SeverityNumber.INFO,
    http: SeverityNumber.DEBUG3,
    verbose: SeverityNumber.DEBUG2,
    debug: SeverityNumber.DEBUG,
    silly: SeverityNumber.TRACE,
    trace: SeverityNumber.TRACE,
  };
  const { message, level: _, ...fields } = info;
  dropIds(fields, info[callKey]?.ids);
  const exception = exceptionOf(info);
  if (exception) delete fields["stack"];
  return {
    severityNumber: severities[level] ?? SeverityNumber.UNSPECIFIED,
    severityText: level,
    body: message instanceof Error ? message.message : message,
    attributes: attributesOf(fields),
    ...(info[callKey] ? { context: info[callKey].context } : {}),
    ...(exception ? { exception } : {}),
  };
}

/** Logged by itself, as the first argument after the message, or as a field. */
function exceptionOf(info: Info): Thrown | undefined {
  const { message, err, error, stack } = info;
  for (const one of [info, message, info[splatKey]?.[0], err, error]) {
    if (one instanceof Error) return thrownOf(one);
  }
  // What format.errors() leaves of an error.
  if (typeof stack !== "string" || typeof message !== "string") return undefined;
  const name = /^([A-Z]\w*)(?::|\n|$)/.exec(stack)?.[1] ?? "Error";
  return { name, message, stack };
}

/** An error is told by the record's exception; as a field it would be an empty object. */
function attributesOf(fields: Fields): Fields {
  const entries = Object.entries(fields).filter(([, value]) => !(value instanceof Error));
  return Object.fromEntries(entries);
}
