// What Linux says of a process.

import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** What it has used once it uses no more, so that work behind the last answer is counted too. */
export async function restingCpuSeconds(
  pid: number,
  signal: AbortSignal,
  most = 20,
): Promise<number> {
  let seconds = cpuSeconds(pid);
  for (let tries = 0; tries < most; tries++) {
    await sleep(150, undefined, { signal });
    const now = cpuSeconds(pid);
    if (now === seconds) break;
    seconds = now;
  }
  return seconds;
}

/** User and system time of all threads, in steps of 10 ms. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" "); // from the third on
  const ticksPerSecond = 100; // what Linux shows to programs, on every machine
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** As `cpuSeconds`, but to the nanosecond; without threads that have ended. */
export function cpuMicros(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  return threads.reduce((sum, thread) => sum + threadMicros(pid, thread), 0);
}

export function mainThreadMicros(pid: number): number {
  return threadMicros(pid, String(pid));
}

function threadMicros(pid: number, thread: string): number {
  const [nanos] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "latin1").split(" ");
  return Number(nanos) / 1000;
}

export function peakBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

export function restBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}
