// What winston logs as log records, taken between its formats and its transports: people redact in
// formats, so nothing is sent that a transport would not see.

import type { Context, LogRecord, SeverityNumber } from "@opentelemetry/api";
import { load } from "../packages.ts";
import { insideLogger } from "./logger-depth.ts";

const levelKey = Symbol.for("level");
/** Where OpenTelemetry's instrumentation keeps the context of the call: transforming may happen later. */
const contextKey = Symbol.for("opentelemetry.js.contrib.winston.context");

interface Info {
  readonly message?: unknown;
  readonly level?: unknown;
  readonly [levelKey]?: string;
  readonly [contextKey]?: Context;
  readonly [field: string]: unknown;
}

interface WinstonLogger {
  push: (info: Info | false | null) => boolean;
  isLevelEnabled?: (level: string) => boolean;
}

export function sendWinstonLogs(exports: unknown): void {
  const prototype = (exports as { Logger?: { prototype?: WinstonLogger } }).Logger?.prototype;
  if (typeof prototype?.push !== "function" || Object.hasOwn(prototype, "push")) return;
  const { logs } = load("@opentelemetry/api");
  const emitter = logs.getLogger("sonde/winston");
  const original = prototype.push;
  prototype.push = function (this: WinstonLogger, info) {
    try {
      const level = info ? info[levelKey] : undefined;
      if (info && level !== undefined && this.isLevelEnabled?.(level) !== false) {
        emitter.emit(recordOf(info, level));
      }
    } catch {
      // A field that throws when it is read is the app's affair.
    }
    return insideLogger(() => original.call(this, info));
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
  const { message, level: _, trace_id: _1, span_id: _2, trace_flags: _3, ...fields } = info;
  const context = info[contextKey];
  return {
    severityNumber: severities[level] ?? SeverityNumber.UNSPECIFIED,
    severityText: level,
    body: message,
    attributes: fields,
    ...(context ? { context } : {}),
  };
}
