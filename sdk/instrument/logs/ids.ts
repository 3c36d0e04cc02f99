// The ids of the active span, for lines of JSON that loggers write: whoever collects these lines finds the
// trace. A line that names a trace already, and one that is not JSON, stays as it is.

import { contextsInUse, spanIn } from "../../trace/context.ts";
import { parentOf, Span } from "../../trace/span.ts";

export interface Ids {
  readonly trace_id: string;
  readonly span_id: string;
  readonly trace_flags: string;
}

export function activeIds(): Ids | undefined {
  const found = parentOf(spanIn(contextsInUse().active()));
  if (found === undefined) return undefined;
  const { traceId, spanId, traceFlags } = found instanceof Span ? found.spanContext() : found;
  const flags = traceFlags === 1 ? "01" : traceFlags.toString(16).padStart(2, "0");
  return { trace_id: traceId, span_id: spanId, trace_flags: flags };
}

/** `end` is how the line ends, brace and all. */
export function addIds(line: string, ids: Ids, end = "}"): string {
  if (!line.startsWith("{") || !line.endsWith(end) || line.includes('"trace_id":')) return line;
  const { trace_id: traceId, span_id: spanId, trace_flags: flags } = ids;
  const fields = `"trace_id":"${traceId}","span_id":"${spanId}","trace_flags":"${flags}"`;
  const head = line.slice(0, -end.length);
  return `${head}${head.length > 1 ? "," : ""}${fields}${end}`;
}

/** A record has its ids in places of their own; fields that say the same are left out. */
export function dropIds(fields: Record<string, unknown>, ids: Ids | undefined): void {
  if (ids === undefined || fields["trace_id"] !== ids.trace_id) return;
  delete fields["trace_id"];
  delete fields["span_id"];
  delete fields["trace_flags"];
}
