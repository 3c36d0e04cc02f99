// What the machine is doing, by OpenTelemetry's conventions, for those who run no agent on it. Off unless
// asked for, since all processes of a machine would tell the same; of a cluster only the primary does.

import type { CpuInfo } from "node:os";
import type { MetricData } from "@opentelemetry/sdk-metrics";
import type { Instrument, Measured, Reader } from "./reader.ts";

export const hostInstruments = {
  cpuTime: {
    name: "system.cpu.time",
    description: "Seconds all CPUs together spent in each mode.",
    unit: "s",
  },
  cpuUtilization: {
    name: "system.cpu.utilization",
    description: "Share of all CPUs' time in each mode since the last measurement.",
    unit: "1",
  },
  cpuCount: {
    name: "system.cpu.logical.count",
    description: "Number of logical processor cores.",
    unit: "{cpu}",
  },
  memoryUsage: {
    name: "system.memory.usage",
    description: "Memory in use by state; what could be had at once is free.",
    unit: "By",
  },
  memoryLimit: {
    name: "system.memory.limit",
    description: "Total memory of the machine.",
    unit: "By",
  },
  memoryUtilization: {
    name: "system.memory.utilization",
    description: "Share of the machine's memory in each state.",
    unit: "1",
  },
  filesystemUsage: {
    name: "system.filesystem.usage",
    description: "Space of the root file system by state.",
    unit: "By",
  },
  filesystemUtilization: {
    name: "system.filesystem.utilization",
    description: "Share of the root file system that is used.",
    unit: "1",
  },
  networkIo: {
    name: "system.network.io",
    description: "Bytes that went through each network interface.",
    unit: "By",
  },
  diskIo: {
    name: "system.disk.io",
    description: "Bytes read from and written to each disk.",
    unit: "By",
  },
  uptime: {
    name: "system.uptime",
    description: "The time the system has been running.",
    unit: "s",
  },
} satisfies Readonly<Record<string, Instrument>>;

const all = hostInstruments;

/** A machine may have thousands of interfaces, one for each container. */
const mostDevices = 16;

export function watchHost(reader: Reader): () => MetricData[] {
  const os = process.getBuiltinModule("node:os");
  let last = cpuTimes(os.cpus());

  const readCpu = (): MetricData[] => {
    const cpus = os.cpus();
    const now = cpuTimes(cpus);
    const passed = sumOf(now) - sumOf(last);
    const shares = Object.entries(now).map(([mode, seconds]): Measured => {
      const share = passed > 0 ? (seconds - (last[mode] ?? 0)) / passed : 0;
      return [share, { "cpu.mode": mode }];
    });
    last = now;
    return [
      reader.counter(
        all.cpuTime,
        Object.entries(now).map(([mode, seconds]) => [seconds, { "cpu.mode": mode }]),
      ),
      reader.gauge(all.cpuUtilization, shares),
      reader.level(all.cpuCount, [[cpus.length]]),
    ];
  };
  const readMemory = (): MetricData[] => {
    const [total, free] = [os.totalmem(), os.freemem()];
    const states: readonly (readonly [string, number])[] = [
      ["used", total - free],
      ["free", free],
    ];
    return [
      reader.level(
        all.memoryUsage,
        states.map(([state, bytes]) => [bytes, { "system.memory.state": state }]),
      ),
      reader.level(all.memoryLimit, [[total]]),
      reader.gauge(
        all.memoryUtilization,
        states.map(([state, bytes]) => [bytes / total, { "system.memory.state": state }]),
      ),
    ];
  };
  return () => [
    ...readCpu(),
    ...readMemory(),
    ...readFilesystem(reader),
    ...counted(reader, all.networkIo, networkBytes()),
    ...counted(reader, all.diskIo, diskBytes()),
    reader.gauge(all.uptime, [[os.uptime()]]),
  ];
}

function counted(reader: Reader, instrument: Instrument, values: readonly Measured[]) {
  return values.length > 0 ? [reader.counter(instrument, values)] : [];
}

function cpuTimes(cpus: readonly CpuInfo[]): Record<string, number> {
  const times: Record<string, number> = { user: 0, system: 0, idle: 0, nice: 0, interrupt: 0 };
  for (const { times: one } of cpus) {
    times["user"]! += one.user / 1000;
    times["system"]! += one.sys / 1000;
    times["idle"]! += one.idle / 1000;
    times["nice"]! += one.nice / 1000;
    times["interrupt"]! += one.irq / 1000;
  }
  return times;
}

function sumOf(times: Readonly<Record<string, number>>): number {
  return Object.values(times).reduce((sum, value) => sum + value, 0);
}

function readFilesystem(reader: Reader): MetricData[] {
  const { statfsSync } = process.getBuiltinModule("node:fs");
  try {
    const { bsize, blocks, bfree, bavail } = statfsSync("/");
    const at = { "system.filesystem.mountpoint": "/" };
    const state = (state: string) => ({ ...at, "system.filesystem.state": state });
    const used = blocks - bfree;
    return [
      reader.level(all.filesystemUsage, [
        [used * bsize, state("used")],
        [bavail * bsize, state("free")],
        [(bfree - bavail) * bsize, state("reserved")],
      ]),
      reader.gauge(all.filesystemUtilization, [
        [used + bavail > 0 ? used / (used + bavail) : 0, at],
      ]),
    ];
  } catch {
    return [];
  }
}

/** Of Linux alone: Node knows nothing of either. */
function linesOf(file: string): readonly string[] {
  if (process.platform !== "linux") return [];
  const { readFileSync } = process.getBuiltinModule("node:fs");
  try {
    return readFileSync(file, "latin1").split("\n");
  } catch {
    return [];
  }
}

function networkBytes(): readonly Measured[] {
  const devices = linesOf("/proc/net/dev").flatMap((line) => {
    const [, name, rest = ""] = /^\s*([^\s:]+):\s*(.*)$/.exec(line) ?? [];
    const fields = rest.split(/\s+/).map(Number);
    const [received = 0, sent = 0] = [fields[0], fields[8]];
    const isUsed = name !== undefined && name !== "lo" && received + sent > 0;
    return isUsed ? [{ name, received, sent }] : [];
  });
  return devices.slice(0, mostDevices).flatMap(({ name, received, sent }): Measured[] => [
    [received, { "network.interface.name": name, "network.io.direction": "receive" }],
    [sent, { "network.interface.name": name, "network.io.direction": "transmit" }],
  ]);
}

const sectorBytes = 512; // by the kernel's documentation, whatever the disk has
const wholeDisk = /^((s|v|xv|h)d[a-z]+|nvme\d+n\d+|mmcblk\d+)$/;

function diskBytes(): readonly Measured[] {
  const disks = linesOf("/proc/diskstats").flatMap((line) => {
    const fields = line.trim().split(/\s+/);
    const [name = "", read, written] = [fields[2], fields[5], fields[9]];
    return wholeDisk.test(name) ? [{ name, read: Number(read), written: Number(written) }] : [];
  });
  return disks.slice(0, mostDevices).flatMap(({ name, read, written }): Measured[] => [
    [read * sectorBytes, { "system.device": name, "disk.io.direction": "read" }],
    [written * sectorBytes, { "system.device": name, "disk.io.direction": "write" }],
  ]);
}
