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
/** Where the call was made: transforming and writing may happen later. */
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
}

interface WinstonLogger {
  push: (info: Info | false | null) => boolean;
  write: (info: Info, ...rest: unknown[]) => boolean;
  isLevelEnabled?: (level: string) => boolean;
  readonly transports?: readonly Transport[];
}

export function bridgeWinston(exports: unknown, settings: Settings): void {
  const prototype = (exports as { Logger?: { prototype?: WinstonLogger } }).Logger?.prototype;
  if (typeof prototype?.push !== "function" || Object.hasOwn(prototype, "push")) return;
  const { context, logs } = load("@opentelemetry/api");
  const emitter = logs.getLogger("sonde/winston");
  const { push, write } = prototype;
  prototype.write = function (this: WinstonLogger, info, ...rest) {
    if (typeof info === "object" && info !== null && Object.isExtensible(info)) {
      const call: Call = { context: context.active(), ids: activeIds() };
      Object.defineProperty(info, callKey, { value: call, configurable: true, enumerable: true });
    }
    return write.call(this, info, ...rest);
  };
  prototype.push = function (this: WinstonLogger, info) {
    try {
      const level = info ? info[levelKey] : undefined;
      if (info && level !== undefined && !isTracingOff()) {
        if (settings.logIds) this.transports?.forEach(putIdsIntoLines);
        if (this.isLevelEnabled?.(level) !== false && !hasOwnTransport(this)) {
          emitter.emit(recordOf(info, level));
        }
      }
    } catch {
      // A field that throws when it is read is the app's affair.
    }
    return insideLogger(() => push.call(this, info));
  };
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
  const original = transport.log;
  if (typeof original !== "function") return;
  transport.log = function (info, done) {
    const ids = info?.[callKey]?.ids;
    const line = info?.[messageKey];
    if (ids && typeof line === "string") info[messageKey] = addIds(line, ids);
    return original.call(this, info, done);
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
