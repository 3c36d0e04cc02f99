// Which traces are recorded, as the environment says it: OTEL_TRACES_SAMPLER and its argument → a tree of
// samplers, which is also what a configuration file describes.

import type { Environment } from "../environment.ts";
import { httpUrl } from "../otlp-settings.ts";
import { choose, membersOf, quoted } from "../values.ts";

export const samplerNames = [
  "always_on",
  "always_off",
  "traceidratio",
  "parentbased_always_on",
  "parentbased_always_off",
  "parentbased_traceidratio",
] as const;
export type SamplerName = (typeof samplerNames)[number];

const remoteNames = ["jaeger_remote", "parentbased_jaeger_remote"] as const;
type AnyName = SamplerName | (typeof remoteNames)[number];

export type SamplerTree =
  | { readonly kind: "on" | "off" }
  | { readonly kind: "ratio"; readonly ratio: number }
  | ({ readonly kind: "jaeger" } & JaegerSettings)
  | {
      readonly kind: "parent";
      /** Where there is no parent. */
      readonly root: SamplerTree;
      readonly remoteSampled: SamplerTree;
      readonly remoteNotSampled: SamplerTree;
      readonly localSampled: SamplerTree;
      readonly localNotSampled: SamplerTree;
    };

export interface JaegerSettings {
  /** The server that is asked, without /sampling. */
  readonly url: string;
  readonly intervalMs: number;
  /** Until the server has answered. */
  readonly initial: SamplerTree;
}

export interface SamplerSettings {
  /** "composed" if only a configuration file can say it; then, as always, the tree does. */
  readonly sampler: AnyName | "composed";
  /** Of the samplers by ratio. */
  readonly samplerRatio: number;
  readonly samplerTree: SamplerTree;
}

export function readSampler(read: Environment): SamplerSettings {
  const name = "OTEL_TRACES_SAMPLER";
  const asked = membersOf((read.text(name) ?? "").toLowerCase()).slice(0, 1);
  const [sampler = "parentbased_always_on"] = choose(
    asked,
    { known: [...samplerNames, ...remoteNames], elsewhere },
    (what) => read.complain(`${name}: ${what}`),
  );
  const samplerRatio = sampler.includes("ratio") ? readRatio(read) : 1;
  return { sampler, samplerRatio, samplerTree: treeOf(sampler, read, samplerRatio) };
}

const elsewhere = {
  xray: "the rules of AWS X-Ray are not asked for, all is recorded; set parentbased_traceidratio and its OTEL_TRACES_SAMPLER_ARG",
};

function treeOf(sampler: AnyName, read: Environment, ratio: number): SamplerTree {
  switch (sampler) {
    case "always_on":
      return { kind: "on" };
    case "always_off":
      return { kind: "off" };
    case "traceidratio":
      return { kind: "ratio", ratio };
    case "jaeger_remote":
      return readJaeger(read);
    case "parentbased_always_on":
      return parentBased({ kind: "on" });
    case "parentbased_always_off":
      return parentBased({ kind: "off" });
    case "parentbased_traceidratio":
      return parentBased({ kind: "ratio", ratio });
    case "parentbased_jaeger_remote":
      return parentBased(readJaeger(read));
    default:
      return sampler satisfies never;
  }
}

export type ParentCase = "remoteSampled" | "remoteNotSampled" | "localSampled" | "localNotSampled";

/** As the parent was, unless it says otherwise for one of the cases. */
export function parentBased(
  root: SamplerTree,
  others: { readonly [Case in ParentCase]?: SamplerTree | undefined } = {},
): SamplerTree {
  return {
    kind: "parent",
    root,
    remoteSampled: others.remoteSampled ?? { kind: "on" },
    remoteNotSampled: others.remoteNotSampled ?? { kind: "off" },
    localSampled: others.localSampled ?? { kind: "on" },
    localNotSampled: others.localNotSampled ?? { kind: "off" },
  };
}

const argument = "OTEL_TRACES_SAMPLER_ARG";

function readRatio(read: Environment): number {
  const text = read.text(argument);
  if (text === undefined || isRatio(text)) return Number(text ?? 1);
  read.complain(`${argument}: ${quoted(text)} is not between 0 and 1, 1 it is`);
  return 1;
}

function isRatio(text: string): boolean {
  return /^(\d+(\.\d*)?|\.\d+)(e-?\d{1,3})?$/i.test(text) && Number(text) <= 1;
}

/** `endpoint=http://jaeger:5778,pollingIntervalMs=60000,initialSamplingRate=0.001` */
function readJaeger(read: Environment): SamplerTree {
  const complain = (what: string): void => read.complain(`${argument}: ${what}`);
  const members = membersOf(read.text(argument) ?? "").map((member) => {
    const at = member.indexOf("=");
    return [member.slice(0, Math.max(at, 0)).trim(), member.slice(at + 1).trim()] as const;
  });
  choose(
    members.map(([key]) => key),
    { known: ["endpoint", "pollingIntervalMs", "initialSamplingRate"] },
    complain,
  );
  const values = new Map(members);
  const endpoint = values.get("endpoint") ?? jaegerDefaults.url;
  const interval = values.get("pollingIntervalMs") ?? String(jaegerDefaults.intervalMs);
  const rate = values.get("initialSamplingRate") ?? String(jaegerDefaults.rate);
  const isInterval = /^\d{1,9}$/.test(interval) && Number(interval) > 0;
  if (!isInterval) {
    complain(`pollingIntervalMs ${quoted(interval)} is not a whole number above 0, ignored`);
  }
  if (!isRatio(rate))
    complain(`initialSamplingRate ${quoted(rate)} is not between 0 and 1, ignored`);
  return {
    kind: "jaeger",
    url: jaegerUrl(endpoint, complain) ?? jaegerDefaults.url,
    intervalMs: isInterval ? Number(interval) : jaegerDefaults.intervalMs,
    initial: { kind: "ratio", ratio: isRatio(rate) ? Number(rate) : jaegerDefaults.rate },
  };
}

export const jaegerDefaults = { url: "http://localhost:5778", intervalMs: 60_000, rate: 0.001 };

/** People write the address without a scheme, and the one of gRPC, which older documents have. */
export function jaegerUrl(text: string, complain: (what: string) => void): string | undefined {
  const url = httpUrl(text.includes("://") ? text : `http://${text}`);
  if (url === undefined) {
    complain(`endpoint ${quoted(text)} is not a URL such as ${jaegerDefaults.url}, ignored`);
    return undefined;
  }
  if (url.port === "14250") {
    complain("14250 is Jaeger's port for gRPC; strategies are asked for over HTTP, at port 5778");
  }
  return url.href.replace(/\/+$/, "").replace(/\/sampling$/, "");
}
