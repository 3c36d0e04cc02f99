// What the process takes of the machine, by OpenTelemetry's conventions. Told by the main thread alone:
// each of its threads would tell the same, and sums over them would be wrong.

import type { MetricData } from "@opentelemetry/sdk-metrics";
import type { Instrument, Measured, Reader } from "./reader.ts";

export const processInstruments = {
  cpuTime: {
    name: "process.cpu.time",
    description: "Total CPU seconds broken down by different CPU modes.",
    unit: "s",
  },
  cpuUtilization: {
    name: "process.cpu.utilization",
    description:
      "Difference in process.cpu.time since the last measurement, divided by the elapsed time and number of CPUs available to the process.",
    unit: "1",
  },
  memoryUsage: {
    name: "process.memory.usage",
    description: "The amount of physical memory in use.",
    unit: "By",
  },
  memoryVirtual: {
    name: "process.memory.virtual",
    description: "The amount of committed virtual memory.",
    unit: "By",
  },
  uptime: {
    name: "process.uptime",
    description: "The time the process has been running.",
    unit: "s",
  },
  files: {
    name: "process.unix.file_descriptor.count",
    description: "Number of unix file descriptors in use by the process.",
    unit: "{file_descriptor}",
  },
  switches: {
    name: "process.context_switches",
    description: "Number of times the process has been context switched.",
    unit: "{context_switch}",
  },
  faults: {
    name: "process.paging.faults",
    description: "Number of page faults the process has made.",
    unit: "{fault}",
  },
} satisfies Readonly<Record<string, Instrument>>;

const all = processInstruments;

export function watchProcess(reader: Reader): () => MetricData[] {
  const { availableParallelism } = process.getBuiltinModule("node:os");
  const cpus = availableParallelism();
  let last = process.cpuUsage();
  let lastMs = performance.now();

  const readCpu = (): MetricData[] => {
    const now = process.cpuUsage();
    const nowMs = performance.now();
    const available = (nowMs - lastMs) * 1000 * cpus;
    const share = (used: number): number => (available > 0 ? used / available : 0);
    const utilization: Measured[] = [
      [share(now.user - last.user), { "cpu.mode": "user" }],
      [share(now.system - last.system), { "cpu.mode": "system" }],
    ];
    [last, lastMs] = [now, nowMs];
    return [
      reader.counter(all.cpuTime, [
        [now.user / 1e6, { "cpu.mode": "user" }],
        [now.system / 1e6, { "cpu.mode": "system" }],
      ]),
      reader.gauge(all.cpuUtilization, utilization),
    ];
  };
  const readUse = (): MetricData[] => {
    const use = process.resourceUsage();
    return [
      reader.counter(all.switches, [
        [use.voluntaryContextSwitches, { "process.context_switch.type": "voluntary" }],
        [use.involuntaryContextSwitches, { "process.context_switch.type": "involuntary" }],
      ]),
      reader.counter(all.faults, [
        [use.minorPageFault, { "system.paging.fault.type": "minor" }],
        [use.majorPageFault, { "system.paging.fault.type": "major" }],
      ]),
    ];
  };
  return () => [
    ...readCpu(),
    reader.level(all.memoryUsage, [[process.memoryUsage.rss()]]),
    ...asked(virtualMemory(), (bytes) => reader.level(all.memoryVirtual, [[bytes]])),
    reader.gauge(all.uptime, [[process.uptime()]]),
    ...asked(openFiles(), (count) => reader.level(all.files, [[count]])),
    ...readUse(),
  ];
}

function asked(value: number | undefined, tell: (value: number) => MetricData): MetricData[] {
  return value === undefined ? [] : [tell(value)];
}

/** Neither has a place of its own in Node; where the system does not tell, they are left out. */
function openFiles(): number | undefined {
  const { readdirSync, statSync } = process.getBuiltinModule("node:fs");
  const folder = process.platform === "linux" ? "/proc/self/fd" : "/dev/fd";
  try {
    // Linux tells since 6.2 without making the list.
    const { size } = statSync(folder);
    const isTold = process.platform === "linux" && size > 0;
    return isTold ? size : readdirSync(folder).length - 1; // the folder is open meanwhile
  } catch {
    return undefined;
  }
}

function virtualMemory(): number | undefined {
  if (process.platform !== "linux") return undefined;
  const { readFileSync } = process.getBuiltinModule("node:fs");
  try {
    const kilobytes = /^VmSize:\s+(\d+) kB$/m.exec(
      readFileSync("/proc/self/status", "latin1"),
    )?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
  } catch {
    return undefined;
  }
}
