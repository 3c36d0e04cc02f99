// Which version of Node each target runs on, as prom-client's nodejs_version_info. No metric tells it: it
// stands in the resource, and is shown as long as the target sends anything.

import type { Label } from "../../telemetry/exposition.ts";
import type { Attribute, Labels } from "./labels.ts";
import { NumberSeries, type Problem, type Series, type Stream, type Target } from "./series.ts";
import { isProblem, type Store } from "./store.ts";

export interface NodeVersionsOptions {
  readonly store: Store;
  readonly labels: Labels;
  /** One that cannot be shown, such as for another metric of its name. */
  readonly leftOut: (name: string, problem: Problem) => void;
}

const name = "nodejs_version_info";
const described = {
  name,
  type: "gauge",
  help: "The version of Node, of process.runtime.version",
} as const;
const source = `process.runtime.version, as ${name}`;

interface Version {
  readonly labels: readonly Label[];
  /** Undefined until its target has sent something, or where it cannot be shown. */
  series: Series | undefined;
  isLeftOut: boolean;
}

export class NodeVersions {
  readonly #options: NodeVersionsOptions;
  readonly #versions = new WeakMap<Target, Version>();

  constructor(options: NodeVersionsOptions) {
    this.#options = options;
  }

  /** What a resource says that a target has sent. */
  read(target: Target, resource: readonly Attribute[]): void {
    const labels = labelsOf(resource);
    if (labels) this.#versions.set(target, { labels, series: undefined, isLeftOut: false });
    else this.#versions.delete(target);
  }

  /** To be called behind its points: whoever sends a metric of this name has it shown before ours. */
  sent(target: Target, nowMs: number): void {
    const version = this.#versions.get(target);
    if (!version || version.isLeftOut) return;
    if (!version.series) this.#show(target, version);
    // So it is heard of no earlier than any other series of its target, and does not end before these.
    if (version.series) version.series.seenMs = nowMs;
  }

  #show(target: Target, version: Version): void {
    const series = this.#seriesOf(target, version.labels);
    version.isLeftOut = isProblem(series);
    if (isProblem(series)) this.#options.leftOut(name, series);
    else version.series = series;
  }

  #seriesOf(target: Target, labels: readonly Label[]): Series | Problem {
    const { store } = this.#options;
    const stream = store.aliasStream(target, described, source);
    if (isProblem(stream)) return stream;
    const text = this.#options.labels.text(labels, target.labels && ",");
    const series = store.aliasSeries(stream, text);
    if (series instanceof NumberSeries) this.#replace(stream, series);
    return series;
  }

  /** A target that has come back with another version does not have the one before any more. */
  #replace(stream: Stream, series: NumberSeries): void {
    const { store } = this.#options;
    for (const other of stream.series.values()) {
      if (other !== series) store.remove(stream, other);
    }
    series.value = 1;
  }
}

/** In order of their names; undefined for what is not Node, or does not say which. */
function labelsOf(resource: readonly Attribute[]): Label[] | undefined {
  const valueOf = (key: string): string => resource.findLast((one) => one.key === key)?.value ?? "";
  const runtime = valueOf("process.runtime.name") || valueOf("telemetry.sdk.language");
  const version = valueOf("process.runtime.version").replace(/^v/, "");
  const [, major, minor, patch] = /^(\d+)\.(\d+)\.(\d+)(?:-|$)/.exec(version) ?? [];
  if (runtime !== "nodejs" || major === undefined) return undefined;
  return [
    ["major", major],
    ["minor", minor!],
    ["patch", patch!],
    ["version", `v${version}`],
  ];
}
