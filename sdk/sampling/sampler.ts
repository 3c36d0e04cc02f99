// Which traces are kept. The samplers decide as OpenTelemetry's of the same names, on the span itself: what
// they look at is there already, and there is no result to make.

import { loadOwn } from "../packages.ts";
import { describeResource } from "../resource.ts";
import type { Settings } from "../settings.ts";
import type { ParentCase, SamplerTree } from "./settings.ts";

/** A span that starts, as far as a sampler looks at it. */
export interface Starting {
  readonly name: string;
  /** The id in four parts. */
  readonly trace: readonly [number, number, number, number];
  readonly hasParent: boolean;
  readonly isParentRemote: boolean;
  readonly isParentSampled: boolean;
  /** It is not kept. */
  drop(): void;
}

/** What it does not drop is recorded and sampled. */
export type Sampler = (span: Starting) => void;

export function samplerOf(settings: Settings): Sampler {
  return build(settings.samplerTree, settings);
}

function build(tree: SamplerTree, settings: Settings): Sampler {
  switch (tree.kind) {
    case "on":
      return alwaysOn;
    case "off":
      return alwaysOff;
    case "ratio":
      return ratioOf(tree.ratio);
    case "jaeger": {
      const serviceName = String(describeResource(settings)["service.name"]);
      const initial = build(tree.initial, settings);
      return loadOwn("./sampling/remote").remoteSampler(tree, serviceName, initial);
    }
    case "parent":
      return byParent({
        root: build(tree.root, settings),
        remoteSampled: build(tree.remoteSampled, settings),
        remoteNotSampled: build(tree.remoteNotSampled, settings),
        localSampled: build(tree.localSampled, settings),
        localNotSampled: build(tree.localNotSampled, settings),
      });
    default:
      return tree satisfies never;
  }
}

function alwaysOn(): void {}

export function alwaysOff(span: Starting): void {
  span.drop();
}

/** As OpenTelemetry's: of one trace id all SDKs of JavaScript decide the same. */
export function ratioOf(ratio: number): Sampler {
  const isTaken = shareOf(ratio);
  return (span) => {
    if (!isTaken(span)) alwaysOff(span);
  };
}

/** Whether a span is in that share of the traces. */
export function shareOf(ratio: number): (span: Starting) => boolean {
  const bounded = Math.min(Math.max(ratio, 0), 1) || 0; // 0 for NaN
  const bound = bounded === 1 ? 0x1_0000_0000 : Math.floor(bounded * 0xffff_ffff);
  return (span) => {
    const [first, second, third, fourth] = span.trace;
    return (first ^ second ^ third ^ fourth) >>> 0 < bound;
  };
}

type ParentCases = Readonly<Record<ParentCase | "root", Sampler>>;

function byParent(cases: ParentCases): Sampler {
  return (span) => {
    if (!span.hasParent) cases.root(span);
    else if (span.isParentRemote) {
      (span.isParentSampled ? cases.remoteSampled : cases.remoteNotSampled)(span);
    } else (span.isParentSampled ? cases.localSampled : cases.localNotSampled)(span);
  };
}

/** As the parent was; without one, as `root` says. */
export function parentBased(root: Sampler): Sampler {
  return byParent({
    root,
    remoteSampled: alwaysOn,
    remoteNotSampled: alwaysOff,
    localSampled: alwaysOn,
    localNotSampled: alwaysOff,
  });
}
