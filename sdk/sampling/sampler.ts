// The samplers that the settings ask for, behind OpenTelemetry's interface. Theirs of the same names decide
// the same; these load nothing, and give the same result object every time.

import type { Context, SpanContext } from "@opentelemetry/api";
import type { Sampler, SamplingResult } from "@opentelemetry/sdk-trace";
import { load } from "../packages.ts";
import { describeResource } from "../resource.ts";
import type { Settings } from "../settings.ts";
import { RemoteSampler } from "./remote.ts";
import { byRatio, dropped, recorded } from "./ratio.ts";
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
      return new RemoteSampler(tree, serviceName(), build(tree.initial, serviceName));
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

function always(result: SamplingResult, name: string): Sampler {
  return { shouldSample: () => result, toString: () => name };
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
