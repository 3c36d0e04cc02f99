// What bunyan logs as log records, taken where bunyan hands a record to its streams: serializers have
// been applied by then, and it happens once, however many streams there are.

import { load } from "../../packages.ts";
import type { Settings } from "../../settings.ts";
import { isTracingOff } from "./console.ts";
import { insideLogger } from "./depth.ts";
import { activeIds, dropIds } from "./ids.ts";
import { detailsOf, type Fields, severityOfLevel, thrownOf } from "./record.ts";

interface BunyanLogger {
  readonly streams?: readonly { readonly stream?: object }[];
  _emit: (this: BunyanLogger, record: Fields, isOnlyText?: boolean) => unknown;
}

interface Bunyan {
  readonly prototype?: BunyanLogger;
  readonly nameFromLevel?: Readonly<Record<number, string>>;
}

const bridged = new WeakSet();

export function bridgeBunyan(exports: unknown, settings: Settings): void {
  const { prototype, nameFromLevel = {} } = exports as Bunyan;
  if (typeof prototype?._emit !== "function" || bridged.has(prototype)) return;
  bridged.add(prototype);
  const { logs } = load("@opentelemetry/api");
  const logger = logs.getLogger("sonde/bunyan");
  const original = prototype._emit;
  prototype._emit = function (this: BunyanLogger, record, isOnlyText) {
    try {
      if (!isOnlyText && !isTracingOff()) {
        const ids = activeIds();
        if (logger.enabled() && !hasOwnStream(this)) {
          const { fields, ...entry } = recordOf(record, nameFromLevel);
          dropIds(fields, ids);
          // The logger takes out what is no value.
          logger.emit({ ...entry, attributes: fields });
        }
        // The record is this call's own, and every line of bunyan's is JSON.
        if (settings.logIds && record["trace_id"] === undefined) Object.assign(record, ids);
      }
    } catch {
      // A field that cannot be read is the app's affair.
    }
    return insideLogger(() => original.call(this, record, isOnlyText));
  };
}

/** OpenTelemetry's stream sends it, too. */
function hasOwnStream({ streams = [] }: BunyanLogger): boolean {
  return streams.some(({ stream }) => stream?.constructor.name === "OpenTelemetryBunyanStream");
}

function recordOf(record: Fields, names: Readonly<Record<number, string>>) {
  const { level, msg, time, v: _, pid: _1, hostname: _2, err, ...fields } = record;
  const number = Number(level);
  const exception = thrownOf(err);
  const kept = exception ? detailsOf(err) : err;
  if (kept !== undefined) fields["err"] = kept;
  return {
    severityNumber: severityOfLevel(number),
    severityText: names[number] ?? "",
    body: msg,
    fields,
    ...(time instanceof Date ? { timestamp: time } : {}),
    ...(exception ? { exception } : {}),
  };
}
