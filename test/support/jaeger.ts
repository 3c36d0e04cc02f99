// What Jaeger has of a trace, by the query API that is to stay.

import type { Request, Span } from "./otlp.ts";
import type { Peer } from "./peers.ts";

/** Undefined while it does not know the trace. */
export async function readTrace(jaeger: Peer, traceId: string): Promise<Request | undefined> {
  const response = await fetch(`${jaeger.url}/api/v3/traces/${traceId}`);
  if (!response.ok) return undefined;
  const { result } = (await response.json()) as { result: Request }; // as OTLP/JSON
  return result;
}

export function spansOf(request: Request): Span[] {
  return (request.resourceSpans ?? []).flatMap(({ scopeSpans = [] }) =>
    scopeSpans.flatMap(({ spans = [] }) => spans),
  );
}
