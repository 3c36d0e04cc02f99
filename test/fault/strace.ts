// Runs the collector under strace, which can count its calls to the disk, make one of them fail, or kill
// the process where it makes one. Only calls on the given paths are seen, so that what Node does for
// itself neither counts nor fails. strace stands behind the process (-D), not before it: the process that
// is started is the collector, with its own exit and its own process id, which may stand in a path as $$.

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { until } from "../support/until.ts";

export const reading = ["read", "readv", "pread64", "preadv", "preadv2", "getdents64"] as const;
const calls = [
  ...reading,
  "mkdir",
  "openat",
  "write",
  "writev",
  "pwrite64",
  "pwritev",
  "pwritev2",
  "ftruncate",
  "fdatasync",
  "fsync",
  "rename",
  "renameat2",
  "link",
  "linkat",
  "unlink",
  "unlinkat",
  "rmdir",
] as const;

export type Call = (typeof calls)[number];

export interface Strace {
  /** Where it writes down what it sees. */
  readonly trace: string;
  /** Undefined sees all paths. */
  readonly paths: readonly string[] | undefined;
  /** Such as `fdatasync:error=EIO:when=3`. */
  readonly inject?: string;
}

export function isStraceAbsent(): boolean {
  if (spawnSync("strace", ["-V"]).status === 0) return false;
  if (process.env["CI"]) throw new Error("strace cannot be had");
  process.stderr.write("\n  SKIPPED: strace cannot be had\n\n");
  return true;
}

/** One thread for the disk, because strace counts calls for each thread apart. */
export const oneDiskThread = { UV_THREADPOOL_SIZE: "1" } as const;

/** The command to put before the collector's. */
export function under({ trace, paths = [], inject }: Strace): readonly string[] {
  const quoted = (text: string): string => `"${text.replaceAll(/["\\`]/g, "\\$&")}"`;
  const words = [
    "exec strace -D -f -y --quiet=attach,personality,path-resolution -o",
    quoted(trace),
  ];
  // Quicker, but then strace delivers no signal.
  if (!inject?.includes("signal=")) words.push("--seccomp-bpf");
  for (const path of paths) words.push("-P", quoted(path));
  words.push("-e", quoted(`trace=${calls.join(",")}`));
  if (inject) words.push("-e", quoted(`inject=${inject}`));
  return ["sh", "-c", `${words.join(" ")} -- "$@"`, "strace"];
}

export interface SeenCall {
  readonly call: Call;
  readonly thread: string;
  /** What it was done to. */
  readonly path: string;
  readonly isInjected: boolean;
}

/** Waits for strace to have written all down: it ends after the collector. */
export async function seenBy({ trace }: Strace, pid: number): Promise<SeenCall[]> {
  const isWhole = (): boolean =>
    existsSync(trace) && new RegExp(`^${pid} +\\+\\+\\+`, "m").test(readFileSync(trace, "utf8"));
  await until("strace has ended", isWhole);
  const seen: SeenCall[] = [];
  for (const line of readFileSync(trace, "utf8").split("\n")) {
    const found = /^(\d+) +(\w+)\((.*)/.exec(line);
    const [, thread = "", call = "", rest = ""] = found ?? [];
    if (!isCall(call)) continue;
    const path = /"(\/[^"]*)"/.exec(rest)?.[1] ?? /^\d+<([^>]*)>/.exec(rest)?.[1] ?? "";
    seen.push({ call, thread, path, isInjected: line.includes("(INJECTED)") });
  }
  return seen;
}

function isCall(word: string): word is Call {
  return (calls as readonly string[]).includes(word);
}
