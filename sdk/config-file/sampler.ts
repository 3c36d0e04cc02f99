// The sampler of a configuration file → our tree of samplers, and its name where OTEL_TRACES_SAMPLER has one.

import { jaegerDefaults, jaegerUrl, parentBased } from "../sampling/settings.ts";
import type { SamplerSettings, SamplerTree } from "../sampling/settings.ts";
import type { Section } from "./section.ts";

export function readSamplerSection(section: Section | undefined): SamplerSettings {
  const tree = section === undefined ? parentBased({ kind: "on" }) : readTree(section);
  const root = tree.kind === "parent" ? tree.root : tree;
  const isPlain = tree.kind !== "parent" || isEqual(tree, parentBased(root));
  const name = {
    on: "always_on",
    off: "always_off",
    ratio: "traceidratio",
    jaeger: "jaeger_remote",
  };
  const known = root.kind === "parent" || !isPlain ? undefined : name[root.kind];
  return {
    // One of the names of the environment by construction.
    sampler: (known === undefined
      ? "composed"
      : `${tree.kind === "parent" ? "parentbased_" : ""}${known}`) as SamplerSettings["sampler"],
    samplerRatio: root.kind === "ratio" ? root.ratio : 1,
    samplerTree: tree,
  };
}

const kinds = [
  "always_on",
  "always_off",
  "trace_id_ratio_based",
  "parent_based",
  "jaeger_remote/development",
  "probability/development",
  "composite/development",
] as const;

function readTree(section: Section): SamplerTree {
  const [kind, options] = section.only(kinds);
  const tree = readKind(kind, options);
  if (kind !== "composite/development") options.done();
  return tree;
}

function readKind(kind: (typeof kinds)[number], options: Section): SamplerTree {
  const inner = (key: string): SamplerTree | undefined => {
    const section = options.section(key);
    return section && readTree(section);
  };
  switch (kind) {
    case "always_on":
      return { kind: "on" };
    case "always_off":
      return { kind: "off" };
    case "trace_id_ratio_based":
    case "probability/development":
      return { kind: "ratio", ratio: options.ratio("ratio", 1) };
    case "parent_based":
      return parentBased(inner("root") ?? { kind: "on" }, {
        remoteSampled: inner("remote_parent_sampled"),
        remoteNotSampled: inner("remote_parent_not_sampled"),
        localSampled: inner("local_parent_sampled"),
        localNotSampled: inner("local_parent_not_sampled"),
      });
    case "jaeger_remote/development": {
      const endpoint = options.text("endpoint") ?? options.fail("endpoint", "is missing");
      const url = jaegerUrl(endpoint, (what) => options.complain(undefined, what));
      return {
        kind: "jaeger",
        url: url ?? jaegerDefaults.url,
        intervalMs: options.whole("interval", jaegerDefaults.intervalMs, 1),
        initial: readTree(options.required("initial_sampler")),
      };
    }
    case "composite/development":
      options.complain(undefined, "not supported; parent_based with the root always_on it is");
      return parentBased({ kind: "on" });
    default:
      return kind satisfies never;
  }
}

function isEqual(left: SamplerTree, right: SamplerTree): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}
