// Keeps V8's own heap small, though the machine be large. What we keep is few large pieces of memory
// outside of it; nearly all that is in it lives no longer than a request. It must be told so while it
// runs, since who starts us need not know of V8's flags.

import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";

/**
 * V8 lets the space for new objects grow to 32 MiB and more. With half of this, more of what lives as long
 * as a delivery is taken for old and stays until the next collection of all: that takes more than it saves.
 */
const enoughBytes = 16 << 20;
/**
 * Beyond what was alive, old objects may grow by so much until they are collected. V8 would wait until
 * they are three times as much: measured, 30 MiB of garbage, to save a collection of 20 ms in some seconds.
 */
const growingPercent = 40;

const whileStartingMs = 20;
const laterMs = 1_000;

/** Costs a few microseconds at a time. */
export function limitHeap(): void {
  setFlagsFromString(`--heap-growing-percent=${growingPercent}`);
  let isEnough = false;
  let timer = setInterval(look, whileStartingMs).unref();
  function look(): void {
    const space = getHeapSpaceStatistics().find(({ space_name: name }) => name === "new_space");
    const wasEnough = isEnough;
    // It becomes smaller by itself when little happens, and must be able to grow again.
    isEnough = (space?.space_size ?? 0) >= enoughBytes;
    if (isEnough === wasEnough) return;
    setFlagsFromString(`--semi-space-growth-factor=${isEnough ? 1 : 2}`);
    clearInterval(timer);
    timer = setInterval(look, laterMs).unref();
  }
}
