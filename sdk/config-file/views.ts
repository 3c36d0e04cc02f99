// The views of a configuration file: which metrics are told otherwise than their instruments say, and how.

import { finestScale } from "../metrics/exponential.ts";
import type { Settings } from "../settings.ts";
import type { Section } from "./section.ts";

export const instrumentTypes = [
  "counter",
  "gauge",
  "histogram",
  "observable_counter",
  "observable_gauge",
  "observable_up_down_counter",
  "up_down_counter",
] as const;

export type ViewAggregation =
  | { readonly kind: "default" | "drop" | "last_value" | "sum" }
  | {
      readonly kind: "explicit_bucket_histogram";
      readonly boundaries: readonly number[] | undefined;
      readonly hasMinMax: boolean;
    }
  | {
      readonly kind: "base2_exponential_bucket_histogram";
      readonly maxSize: number | undefined;
      readonly maxScale: number | undefined;
      readonly hasMinMax: boolean;
    };

export interface MetricView {
  /** What it is for: all that is named here has to fit. */
  readonly selector: {
    /** With * for any characters, ? for one. */
    readonly instrumentName: string | undefined;
    readonly instrumentType: (typeof instrumentTypes)[number] | undefined;
    readonly unit: string | undefined;
    readonly meterName: string | undefined;
    readonly meterVersion: string | undefined;
    readonly meterSchemaUrl: string | undefined;
  };
  readonly name: string | undefined;
  readonly description: string | undefined;
  readonly aggregation: ViewAggregation | undefined;
  readonly mostSeries: number | undefined;
  /** Names of attributes, with * and ? likewise; all where undefined. */
  readonly included: readonly string[] | undefined;
  readonly excluded: readonly string[];
}

export function readViews(
  provider: Section,
  exporters: Settings["metrics"]["exporters"],
): readonly MetricView[] {
  return provider.sections("views").map((view) => {
    const selector = readSelector(view.required("selector"));
    const stream = view.section("stream");
    const name = stream?.text("name");
    if (name !== undefined && /[*?]|^$/.test(selector.instrumentName ?? "")) {
      stream?.fail("name", "one name for many needs a selector with one instrument_name");
    }
    const keys = stream?.section("attribute_keys");
    const read: MetricView = {
      selector,
      name,
      description: stream?.text("description"),
      aggregation: readAggregation(stream?.section("aggregation")),
      mostSeries: stream?.whole("aggregation_cardinality_limit", undefined, 1),
      included: keys?.has("included") ? keys.texts("included") : undefined,
      excluded: keys?.texts("excluded") ?? [],
    };
    for (const section of [keys, stream, view]) section?.done();
    const { kind } = read.aggregation ?? {};
    if (kind === "base2_exponential_bucket_histogram" && exporters.includes("prometheus")) {
      stream?.complain(
        "aggregation",
        "Prometheus is not told the app's histograms that are exponential, and the SDK's in fixed buckets",
      );
    }
    return read;
  });
}

function readSelector(section: Section): MetricView["selector"] {
  const selector = {
    instrumentName: section.text("instrument_name"),
    instrumentType: section.choice("instrument_type", instrumentTypes),
    unit: section.text("unit"),
    meterName: section.text("meter_name"),
    meterVersion: section.text("meter_version"),
    meterSchemaUrl: section.text("meter_schema_url"),
  };
  section.done();
  if (Object.values(selector).every((value) => value === undefined)) {
    section.fail("instrument_name", 'is missing, as is all else to choose by; "*" is every one');
  }
  return selector;
}

function readAggregation(section: Section | undefined): ViewAggregation | undefined {
  if (section === undefined) return undefined;
  const [kind, options] = section.only([
    "default",
    "drop",
    "explicit_bucket_histogram",
    "base2_exponential_bucket_histogram",
    "last_value",
    "sum",
  ]);
  const read = (): ViewAggregation => {
    if (kind === "explicit_bucket_histogram") {
      const boundaries = options.has("boundaries") ? options.rising("boundaries") : undefined;
      return { kind, boundaries, hasMinMax: options.flag("record_min_max") ?? true };
    }
    if (kind !== "base2_exponential_bucket_histogram") return { kind };
    const maxSize = options.whole("max_size", undefined, 2);
    const maxScale = options.whole("max_scale", undefined, -10);
    if (maxScale !== undefined && maxScale > finestScale) {
      options.fail("max_scale", `${maxScale} is too fine, at most ${finestScale} is allowed`);
    }
    return { kind, maxSize, maxScale, hasMinMax: options.flag("record_min_max") ?? true };
  };
  const aggregation = read();
  options.done();
  return aggregation;
}
