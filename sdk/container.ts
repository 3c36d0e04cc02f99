// Which container this process runs in, from what Linux tells about it.

import { closeSync, openSync, readSync } from "node:fs";

/** Undefined outside of one. */
export function containerId(
  read: (file: string) => string = beginningOf,
  platform: NodeJS.Platform = process.platform,
): string | undefined {
  if (platform !== "linux") return undefined;
  return idInGroups(read("/proc/self/cgroup")) ?? idInMounts(read("/proc/self/mountinfo"));
}

const mostBytes = 64 * 1024;

/** Files of /proc have no size; "" if it cannot be read. */
function beginningOf(file: string): string {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, "r");
    const bytes = Buffer.allocUnsafe(mostBytes);
    return bytes.toString("latin1", 0, readSync(descriptor, bytes, 0, mostBytes, 0));
  } catch {
    return "";
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** Control groups of version 1: the end of a path such as /kubepods/…/cri-containerd-{id}.scope. */
function idInGroups(groups: string): string | undefined {
  for (const line of groups.split("\n")) {
    const last = line.slice(line.lastIndexOf("/") + 1).trim();
    const [, id] = /^(?:[a-z-]+-)?([0-9a-f]{64})(?:\.scope)?$/.exec(last) ?? [];
    if (id !== undefined) return id;
  }
  return undefined;
}

/** Version 2 hides it; Docker and Podman mount files out of the container's folder. */
function idInMounts(mounts: string): string | undefined {
  return /\/(?:overlay-)?containers\/([0-9a-f]{64})\//.exec(mounts)?.[1];
}
