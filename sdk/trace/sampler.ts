// Which traces are kept. Built in are OpenTelemetry's samplers that need nothing but the span, with the same
// decisions; any other of the API's shape is adapted.

import type { Context, Sampler as ApiSampler } from "@opentelemetry/api";
import { makeSampler } from "../sampling/sampler.ts";
import type { ParentCase, SamplerTree } from "../sampling/settings.ts";
import type { Settings } from "../settings.ts";
import type { Span } from "./span.ts";
import { plain } from "./values.ts";

/** Decides on a span that starts, by `span.decide`; what it does not decide on is recorded and sampled. */
export type Sampler = (span: Span, context: Context) => void;

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
    case "jaeger":
      return adapt(makeSampler({ ...settings, samplerTree: tree }));
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

function alwaysOff(span: Span): void {
  span.decide(false, false);
}

/** As OpenTelemetry's: of one trace id all SDKs of JavaScript decide the same. */
export function ratioOf(ratio: number): Sampler {
  const bounded = Math.min(Math.max(ratio, 0), 1) || 0; // 0 for NaN
  const bound = bounded === 1 ? 0x1_0000_0000 : Math.floor(bounded * 0xffff_ffff);
  return (span) => {
    const [first, second, third, fourth] = span.trace;
    if ((first ^ second ^ third ^ fourth) >>> 0 >= bound) alwaysOff(span);
  };
}

type ParentCases = Readonly<Record<ParentCase | "root", Sampler>>;

function byParent(cases: ParentCases): Sampler {
  return (span, context) => {
    if (!span.hasParent) cases.root(span, context);
    else if (span.isParentRemote) {
      (span.isParentSampled ? cases.remoteSampled : cases.remoteNotSampled)(span, context);
    } else (span.isParentSampled ? cases.localSampled : cases.localNotSampled)(span, context);
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

/** One that throws, or answers nonsense, keeps all: nothing is lost by it. */
export function adapt(sampler: ApiSampler): Sampler {
  return (span, context) => {
    try {
      const { traceId } = span.spanContext();
      const { name, kind, attributes } = span;
      const links = span.links.map((link) => ({
        context: link.context,
        attributes: plain(link.attributes),
      }));
      const result = sampler.shouldSample(context, traceId, name, kind, attributes, links);
      span.setAttributes(result.attributes);
      const decision: number = result.decision;
      span.decide(decision !== 0, decision !== 0 && decision !== 1, result.traceState);
    } catch {
      span.decide(true, true);
    }
  };
}
