// What a server for Jaeger's remote sampling answers → a sampler: a share of the traces, a number of traces
// a second, or a share for each operation with a number a second that is reached anyway.

import { alwaysOff, ratioOf, shareOf } from "./sampler.ts";
import type { Sampler, Starting } from "./sampler.ts";

/** More operations than this share the default: names may come without end. */
const mostOperations = 2000;

/** Or what is wrong with the answer. */
export function samplerOf(answer: string): Sampler | string {
  let strategy: unknown;
  try {
    strategy = JSON.parse(answer);
  } catch {
    return "answers what is not JSON";
  }
  const operations = fieldOf(strategy, "operationSampling");
  if (isObject(operations)) return perOperation(operations);
  const type = fieldOf(strategy, "strategyType") ?? 0;
  if (type === "RATE_LIMITING" || type === 1) {
    const rate = fieldOf(fieldOf(strategy, "rateLimitingSampling"), "maxTracesPerSecond");
    return isShare(rate, 1e6) ? rateOf(rate) : "answers no maxTracesPerSecond";
  }
  if (type !== "PROBABILISTIC" && type !== 0) return "answers a strategyType that is not known";
  const share = fieldOf(fieldOf(strategy, "probabilisticSampling"), "samplingRate");
  return isShare(share, 1) ? ratioOf(share) : "answers no samplingRate between 0 and 1";
}

export function rateOf(rate: number): Sampler {
  const takes = bucketOf(rate);
  return (span) => {
    if (!takes()) alwaysOff(span);
  };
}

/** It fills by `rate` a second, holds a second's worth and at least one, and starts full. */
export function bucketOf(rate: number, now: () => number = () => performance.now()): () => boolean {
  const most = Math.max(rate, 1);
  let credit = rate === 0 ? 0 : most;
  let then = now();
  return () => {
    const at = now();
    credit = Math.min(most, credit + ((at - then) / 1000) * rate);
    then = at;
    if (credit < 1) return false;
    credit--;
    return true;
  };
}

function perOperation(strategy: object): Sampler | string {
  const share = fieldOf(strategy, "defaultSamplingProbability");
  const least = fieldOf(strategy, "defaultLowerBoundTracesPerSecond") ?? 0;
  if (!isShare(share, 1) || !isShare(least, 1e6)) return "answers no shares between 0 and 1";
  const otherwise = shareOf(share);
  const shares = new Map<string, (span: Starting) => boolean>();
  const list = fieldOf(strategy, "perOperationStrategies");
  for (const one of Array.isArray(list) ? list.slice(0, mostOperations) : []) {
    const operation = fieldOf(one, "operation");
    const share = fieldOf(fieldOf(one, "probabilisticSampling"), "samplingRate");
    if (typeof operation === "string" && isShare(share, 1)) shares.set(operation, shareOf(share));
  }
  const guaranteed = new Map<string, () => boolean>();
  const isGuaranteed = (operation: string): boolean => {
    if (least === 0) return false;
    let takes = guaranteed.get(operation);
    if (takes === undefined) {
      if (guaranteed.size >= mostOperations) return false;
      takes = bucketOf(least);
      guaranteed.set(operation, takes);
    }
    return takes();
  };
  return (span) => {
    // What the share takes counts against the guarantee, or that would come on top.
    const isTaken = isGuaranteed(span.name);
    if (!(shares.get(span.name) ?? otherwise)(span) && !isTaken) alwaysOff(span);
  };
}

function isShare(value: unknown, most: number): value is number {
  return typeof value === "number" && value >= 0 && value <= most;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function fieldOf(value: unknown, name: string): unknown {
  return isObject(value) && Object.hasOwn(value, name)
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined;
}
