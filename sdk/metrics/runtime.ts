// How Node is doing: its event loop, its heap and its garbage collection, by the names of OpenTelemetry's
// conventions. Read when a reader asks; what cannot be read then is a histogram of Node's own, fed by a
// timer in C++, and an observer that is called after collections.

import { setImmediate } from "node:timers";
import type { monitorEventLoopDelay } from "node:perf_hooks";
import type { MetricData } from "@opentelemetry/sdk-metrics";
import { messageOf, tell } from "../tell.ts";
import { watchCollections } from "./collections.ts";
import type { Instrument, Measured, Reader } from "./reader.ts";
import type { Series } from "./series.ts";

/**
 * How often the delay is measured. Each time costs 55 µs of CPU here, so that OpenTelemetry's 10 ms are half
 * a percent of a core in an app that is idle. By the conventions the values have the interval in them.
 */
const delayResolutionMs = 20;

const delay = (name: string, what: string): Instrument => ({
  name: `nodejs.eventloop.delay.${name}`,
  description: `Event loop ${what} delay.`,
  unit: "s",
});

export const runtimeInstruments = {
  delayMin: delay("min", "minimum"),
  delayMax: delay("max", "maximum"),
  delayMean: delay("mean", "mean"),
  delayStddev: delay("stddev", "standard deviation"),
  delayP50: delay("p50", "50 percentile"),
  delayP90: delay("p90", "90 percentile"),
  delayP99: delay("p99", "99 percentile"),
  utilization: {
    name: "nodejs.eventloop.utilization",
    description: "Event loop utilization",
    unit: "1",
  },
  time: {
    name: "nodejs.eventloop.time",
    description: "Cumulative duration of time the event loop has been in each state.",
    unit: "s",
  },
  gc: {
    name: "v8js.gc.duration",
    description: "Garbage collection duration by kind, one of major, minor, incremental or weakcb.",
    unit: "s",
  },
  heapSize: {
    name: "v8js.memory.heap.space.size",
    description: "Total heap memory size pre-allocated for a heap space.",
    unit: "By",
  },
  heapUsed: {
    name: "v8js.memory.heap.used",
    description: "Heap Memory size allocated.",
    unit: "By",
  },
  heapAvailable: {
    name: "v8js.memory.heap.space.available_size",
    description: "Heap space available size.",
    unit: "By",
  },
  heapPhysical: {
    name: "v8js.memory.heap.space.physical_size",
    description: "Committed size of a heap space.",
    unit: "By",
  },
  resources: {
    name: "v8js.resource.active",
    description: "Count of the active resources that are currently keeping the event loop alive.",
    unit: "{resource}",
  },
} satisfies Readonly<Record<string, Instrument>>;

const all = runtimeInstruments;

/** One reader's view: what has been since it asked last. */
export function watchRuntime(reader: Reader): () => MetricData[] {
  let delays: Delays | undefined;
  let collections: readonly Series[] = [];
  let last = performance.eventLoopUtilization();
  // Once the app has got going: what measures these takes longer to load than all settings to be read.
  setImmediate(() => {
    try {
      const { monitorEventLoopDelay } = process.getBuiltinModule("node:perf_hooks");
      delays = monitorEventLoopDelay({ resolution: delayResolutionMs });
      delays.enable();
      collections = watchCollections(all.gc.name);
    } catch (error) {
      tell(`metrics of runtime are missing: ${messageOf(error)}`);
    }
  }).unref();
  const kinds = new Set<string>();

  const readLoop = (): MetricData[] => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    return [
      reader.gauge(all.utilization, [[utilization]]),
      reader.counter(all.time, [
        [now.active / 1000, { "nodejs.eventloop.state": "active" }],
        [now.idle / 1000, { "nodejs.eventloop.state": "idle" }],
      ]),
    ];
  };
  const readHeap = (): MetricData[] => {
    const { getHeapSpaceStatistics } = process.getBuiltinModule("node:v8");
    const spaces = getHeapSpaceStatistics();
    const of = (pick: (space: (typeof spaces)[number]) => number): Measured[] =>
      spaces.map((space) => [pick(space), { "v8js.heap.space.name": space.space_name }]);
    return [
      reader.level(
        all.heapSize,
        of((space) => space.space_size),
      ),
      reader.gauge(
        all.heapUsed,
        of((space) => space.space_used_size),
      ),
      reader.gauge(
        all.heapAvailable,
        of((space) => space.space_available_size),
      ),
      reader.gauge(
        all.heapPhysical,
        of((space) => space.physical_space_size),
      ),
    ];
  };
  return () => [
    ...readDelays(reader, delays),
    ...readLoop(),
    ...readHeap(),
    ...reader.histogram(all.gc, collections),
    reader.gauge(all.resources, countResources(kinds)),
  ];
}

type Delays = ReturnType<typeof monitorEventLoopDelay>;

function readDelays(reader: Reader, delays: Delays | undefined): MetricData[] {
  if (delays === undefined || delays.count < 2) return [];
  const nanos: readonly (readonly [Instrument, number])[] = [
    [all.delayMin, delays.min],
    [all.delayMax, delays.max],
    [all.delayMean, delays.mean],
    [all.delayStddev, delays.stddev],
    [all.delayP50, delays.percentile(50)],
    [all.delayP90, delays.percentile(90)],
    [all.delayP99, delays.percentile(99)],
  ];
  delays.reset();
  return nanos.map(([instrument, value]) =>
    reader.gauge(instrument, [[Number.isNaN(value) ? 0 : value / 1e9]]),
  );
}

const mostKinds = 100;

/** One that has gone is told as none. */
function countResources(kinds: Set<string>): readonly Measured[] {
  const counts = new Map<string, number>([...kinds].map((kind) => [kind, 0]));
  for (const kind of process.getActiveResourcesInfo()) {
    if (kinds.size < mostKinds) kinds.add(kind);
    if (kinds.has(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return [...counts].map(([kind, count]) => [count, { "v8js.resource.type": kind }]);
}
