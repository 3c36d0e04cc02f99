// A share of all traces, chosen by the trace's id.

import type { Sampler, SamplingResult } from "@opentelemetry/sdk-trace";

// Numbers of SamplingDecision, an enum of a package that need not be loaded.
export const recorded: SamplingResult = Object.freeze({ decision: 2 });
export const dropped: SamplingResult = Object.freeze({ decision: 0 });

export function byRatio(ratio: number): Sampler {
  const bound = ratio >= 1 ? 2 ** 32 : Math.floor(ratio * (2 ** 32 - 1));
  return {
    shouldSample: (_context, traceId) => (foldedOf(traceId) < bound ? recorded : dropped),
    toString: () => `TraceIdRatioBased{${ratio}}`,
  };
}

/** As OpenTelemetry for JavaScript does it, so that services of both kinds sample the same traces. */
function foldedOf(traceId: string): number {
  let folded = 0;
  let any = 0;
  for (let at = 0; at < 32; at += 8) {
    let part = 0;
    for (let index = at; index < at + 8; index++) {
      const digit = digitOf(traceId.charCodeAt(index));
      if (digit === undefined) return invalid;
      part = (part << 4) | digit;
    }
    folded ^= part;
    any |= part;
  }
  return any === 0 || traceId.length !== 32 ? invalid : folded >>> 0;
}

/** Above every bound. */
const invalid = 2 ** 32;

/** Of 0-9, a-f and A-F. */
function digitOf(code: number): number | undefined {
  if (code >= 48 && code <= 57) return code - 48;
  const letter = code | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : undefined;
}
