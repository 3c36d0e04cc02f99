// What can be set of the Prometheus output.

import { z } from "zod";
import { bytes, port } from "../../config/fields.ts";
import { aliasedMetrics, aliases } from "./alias-settings.ts";
import { strategies } from "./names.ts";

const unitMs: ReadonlyMap<string, number> = new Map([
  ["ms", 1],
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
]);

export const settings = z.strictObject({
  /** Where /metrics is served. */
  port: port().default(8889),
  /** A series that no point came for in this time is not shown any more; 0 keeps all for ever. */
  metric_expiration: duration().default(300_000),
  /** What becomes of OpenTelemetry's names, by the words of Prometheus's own `otlp` settings. */
  translation_strategy: z.enum(strategies).default("UnderscoreEscapingWithSuffixes"),
  /** Attributes of resources that stand on every series, beside job and instance. */
  promote_resource_attributes: z.array(z.string().min(1).max(255)).max(50).default([]),
  /** otel_scope_name and the like on every series. Without them two scopes must not have one metric. */
  scope_labels: z.boolean().default(true),
  /** In OpenMetrics, when each counter and histogram began: one more series of each to a Prometheus. */
  created_series: z.boolean().default(true),
  /** Other names and labels under which metrics are shown as well, such as those of prom-client. */
  aliases,
  aliased_metrics: aliasedMetrics,
  /**
   * New series beyond it are left out. Counted as Prometheus counts: every bucket of a histogram is one.
   * A million is more than one scrape of a middling Prometheus should bring.
   */
  max_series: z.int().min(1).default(1_000_000),
  /** Of one metric of one sender: those beyond it are shown as one series, which has their sum. */
  max_series_per_metric: z.int().min(1).default(100_000),
  /**
   * The same limit in memory, estimated and rounded up, since one label may be as large as a hundred.
   * The default is room for some 400,000 counters, or 180,000 histograms of twelve buckets.
   */
  max_bytes: bytes({ min: 65_536, max: 2 ** 36 }).default(268_435_456),
});

export type Settings = z.output<typeof settings>;

/** Milliseconds, or a text such as 5m. */
function duration(): z.ZodType<number, number | string> {
  const error = "is not a duration; give milliseconds, or a number with ms, s, m or h";
  return z
    .union([z.number(), z.string()], error)
    .transform((given, context) => {
      if (Number.isInteger(given)) return Number(given);
      const [, count, unit = "ms"] = /^(\d{1,12}) ?([a-z]{1,2})?$/.exec(String(given).trim()) ?? [];
      const factor = unitMs.get(unit);
      if (count !== undefined && factor !== undefined) return Number(count) * factor;
      context.issues.push({ code: "custom", message: error, input: given });
      return z.NEVER;
    })
    .pipe(
      z
        .number()
        .min(0)
        .max(2 ** 40),
    );
}
