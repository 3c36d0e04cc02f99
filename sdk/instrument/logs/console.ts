// console.log and its kin as log records. What they print stays as it is.

import { format } from "node:util";
import { load } from "../../packages.ts";
import { contextsInUse, isSuppressed } from "../../trace/context.ts";
import { isInsideLogger } from "./depth.ts";
import { thrownOf } from "./record.ts";

export function sendConsoleLogs(): void {
  const { logs, SeverityNumber } = load("@opentelemetry/api");
  const severities = {
    trace: SeverityNumber.TRACE,
    debug: SeverityNumber.DEBUG,
    log: SeverityNumber.INFO,
    info: SeverityNumber.INFO,
    warn: SeverityNumber.WARN,
    error: SeverityNumber.ERROR,
  };
  const logger = logs.getLogger("sonde/console");
  let isEmitting = false;
  for (const method of Object.keys(severities) as (keyof typeof severities)[]) {
    wrap(method, (args) => {
      // Printed by an exporter or by a logger that is bridged itself, or while making a record.
      if (isEmitting || isInsideLogger() || !logger.enabled() || isTracingOff()) return;
      isEmitting = true;
      try {
        const error = args.find((one) => one instanceof Error);
        logger.emit({
          severityNumber: severities[method],
          severityText: method === "log" ? "info" : method,
          body: format(...args),
          ...(error === undefined ? {} : { exception: thrownOf(error) }),
        });
      } finally {
        isEmitting = false;
      }
    });
  }
}

/** Where something is under way that must not be traced: an export, for one. */
export function isTracingOff(): boolean {
  return isSuppressed(contextsInUse().active());
}

function wrap(
  method: "trace" | "debug" | "log" | "info" | "warn" | "error",
  after: (args: unknown[]) => void,
): void {
  const original = console[method];
  const wrapped = function (this: unknown, ...args: unknown[]): void {
    Reflect.apply(original, this, args);
    try {
      after(args);
    } catch {
      // An argument that cannot be formatted was printed by the original, or it threw there.
    }
  };
  Object.defineProperty(wrapped, "name", { value: original.name, configurable: true });
  Object.defineProperty(wrapped, "length", { value: original.length, configurable: true });
  console[method] = wrapped;
}
