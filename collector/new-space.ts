// V8 lets its space for new objects grow with the machine, on a large one to 32 MiB and more, though next
// to nothing of ours outlives a request: what we keep is few large pieces of memory. It must be told so
// while it runs, since who starts us need not know of V8's flags.

import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";

const enoughBytes = 4 << 20;
const everyMs = 20;

/** Costs a few microseconds at a time, until there is enough. */
export function limitNewSpace(): void {
  const timer = setInterval(() => {
    const space = getHeapSpaceStatistics().find(({ space_name: name }) => name === "new_space");
    if (!space || space.space_size < enoughBytes) return;
    setFlagsFromString("--semi-space-growth-factor=1");
    clearInterval(timer);
  }, everyMs);
  timer.unref();
}
