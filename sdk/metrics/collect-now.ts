// What counters, histograms and gauges hold, at once. sdk-metrics collects asynchronously for the sake of the
// callbacks of observable instruments, and at process.exit() nothing asynchronous happens any more; those
// are left out. This reads what sdk-metrics keeps to itself: its version is pinned, a test would tell, and
// where it is built otherwise there is nothing to collect.

import type { HrTime } from "@opentelemetry/api";
import type {
  IMetricReader,
  MeterProvider,
  MetricData,
  ScopeMetrics,
} from "@opentelemetry/sdk-metrics";
import { hrTimeOf } from "../trace/clock.ts";

/** The parts of a MeterProvider that matter here, by their names in sdk-metrics 3.0. */
interface Inside {
  readonly _sharedState: {
    readonly metricCollectors: readonly Collector[];
    readonly meterSharedStates: ReadonlyMap<string, Meter>;
  };
}
interface Collector {
  readonly _metricReader: IMetricReader;
}
interface Meter {
  readonly _instrumentationScope: ScopeMetrics["scope"];
  readonly metricStorageRegistry: { getStorages(collector: Collector): readonly Storage[] };
}
interface Storage {
  getInstrumentDescriptor(): { readonly type: string };
  collect(collector: Collector, time: HrTime): MetricData | undefined;
}

export function collectNow(
  provider: MeterProvider | undefined,
  reader: IMetricReader,
): readonly ScopeMetrics[] {
  if (provider === undefined) return [];
  const { metricCollectors, meterSharedStates } = (provider as unknown as Inside)._sharedState;
  const collector = metricCollectors.find(({ _metricReader }) => _metricReader === reader);
  if (collector === undefined) return [];
  // Half a millisecond later: sdk-metrics may have collected in this one, and the same time is the same growth.
  const time = hrTimeOf(Date.now() + 0.5);
  return [...meterSharedStates.values()].flatMap((meter): ScopeMetrics[] => {
    const metrics = meter.metricStorageRegistry
      .getStorages(collector)
      .filter((storage) => !storage.getInstrumentDescriptor().type.startsWith("OBSERVABLE"))
      .flatMap((storage) => storage.collect(collector, time) ?? []);
    return metrics.length > 0 ? [{ scope: meter._instrumentationScope, metrics }] : [];
  });
}
