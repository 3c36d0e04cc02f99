// The samplers that the settings ask for, behind OpenTelemetry's interface. Theirs of the same names decide
// the same; these load nothing, and give the same result object every time.

import type { Context, SpanContext } from "@opentelemetry/api";
import type { Sampler, SamplingResult } from "@opentelemetry/sdk-trace";
import { load, loadOwn } from "../packages.ts";
import { describeResource } from "../resource.ts";
import type { Settings } from "../settings.ts";
import type { SamplerTree } from "./settings.ts";

export function makeSampler(settings: Settings): Sampler {
  return build(settings.samplerTree, () => String(describeResource(settings)["service.name"]));
}

function build(tree: SamplerTree, serviceName: () => string): Sampler {
  switch (tree.kind) {
    case "on":
      return always(recorded, "AlwaysOnSampler");
    case "off":
      return always(dropped, "AlwaysOffSampler");
    case "ratio":
      return byRatio(tree.ratio);
    case "jaeger":
      return new (loadOwn("./sampling/remote").RemoteSampler)(
        tree,
        serviceName(),
        build(tree.initial, serviceName),
      );
    case "parent":
      return byParent({
        root: build(tree.root, serviceName),
        remoteSampled: build(tree.remoteSampled, serviceName),
        remoteNotSampled: build(tree.remoteNotSampled, serviceName),
        localSampled: build(tree.localSampled, serviceName),
        localNotSampled: build(tree.localNotSampled, serviceName),
      });
    default:
      return tree satisfies never;
  }
}

// Numbers of SamplingDecision, an enum of a package that need not be loaded.
export const recorded: SamplingResult = Object.freeze({ decision: 2 });
export const dropped: SamplingResult = Object.freeze({ decision: 0 });

function always(result: SamplingResult, name: string): Sampler {
  return { shouldSample: () => result, toString: () => name };
}

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

interface ParentCases {
  readonly root: Sampler;
  readonly remoteSampled: Sampler;
  readonly remoteNotSampled: Sampler;
  readonly localSampled: Sampler;
  readonly localNotSampled: Sampler;
}

function byParent(cases: ParentCases): Sampler {
  const { isSpanContextValid, trace } = load("@opentelemetry/api");
  const parentOf = (context: Context): SpanContext | undefined => trace.getSpanContext(context);
  return {
    shouldSample(context, ...rest) {
      const parent = parentOf(context);
      const delegate =
        parent === undefined || !isSpanContextValid(parent)
          ? cases.root
          : caseOf(cases, parent.isRemote === true, (parent.traceFlags & 1) === 1);
      return delegate.shouldSample(context, ...rest);
    },
    toString() {
      const { root, remoteSampled, remoteNotSampled, localSampled, localNotSampled } = cases;
      return (
        `ParentBased{root=${root.toString()}, remoteParentSampled=${remoteSampled.toString()}, ` +
        `remoteParentNotSampled=${remoteNotSampled.toString()}, ` +
        `localParentSampled=${localSampled.toString()}, ` +
        `localParentNotSampled=${localNotSampled.toString()}}`
      );
    },
  };
}

function caseOf(cases: ParentCases, isRemote: boolean, isSampled: boolean): Sampler {
  if (isRemote) return isSampled ? cases.remoteSampled : cases.remoteNotSampled;
  return isSampled ? cases.localSampled : cases.localNotSampled;
}
