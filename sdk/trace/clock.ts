// Time. What a span lasts is measured by the monotonic clock; when it began is told by the wall clock, by
// an anchor between the two that the spans of one request share, so that none of them begins before its
// parent when the wall clock is set. An app's tests may replace the global clocks; ours are taken before.

import type { HrTime, TimeInput } from "@opentelemetry/api";
import { isDate } from "node:util/types";

const { performance } = globalThis;
const wallMs = Date.now;

/** Milliseconds of the monotonic clock. */
export const monotonicMs: () => number = performance.now.bind(performance);

/** The wall time at which the monotonic clock was 0. */
let anchorMs = performance.timeOrigin;

/** Reading the wall clock loses up to a millisecond; more than this is a clock that was set. */
const anchorToleranceMs = 10;
/** A process that slept has a monotonic clock that stood still. */
const parentToleranceMs = 1000;

/** The anchor for a span that starts now; that of its parent if there is one, unless it is far off. */
export function anchorFor(nowMs: number, parentAnchorMs?: number): number {
  const driftMs = wallMs() - nowMs;
  if (Math.abs(driftMs - anchorMs) > anchorToleranceMs) anchorMs = driftMs;
  if (parentAnchorMs === undefined) return anchorMs;
  return Math.abs(driftMs - parentAnchorMs) > parentToleranceMs ? anchorMs : parentAnchorMs;
}

/** The last second that fits the 64 bits of OTLP when counted in the steps below. */
const lastSecond = Math.floor(Number.MAX_SAFE_INTEGER / 1_953_125);

export function hrTimeOf(epochMs: number): HrTime {
  const seconds = Math.floor(epochMs / 1000);
  const nanos = Math.round((epochMs - seconds * 1000) * 1e6);
  return nanos < 1e9 ? [seconds, nanos] : [seconds + 1, nanos - 1e9];
}

/** Every form that the API takes; undefined for what is no time, or none that OTLP can say. */
export function readTime(input: unknown, anchorMs: number): HrTime | undefined {
  let time: HrTime | undefined;
  if (typeof input === "number") {
    // A small number is one of performance.now().
    time = hrTimeOf(input <= monotonicMs() ? anchorMs + input : input);
  } else if (isDate(input)) {
    time = hrTimeOf(Date.prototype.getTime.call(input));
  } else if (isHrTime(input)) {
    const [seconds, nanos] = input;
    const carried = Math.floor(nanos / 1e9);
    const rest = Math.round((seconds - Math.floor(seconds)) * 1e9 + (nanos - carried * 1e9));
    time = [Math.floor(seconds) + carried + Math.floor(rest / 1e9), rest % 1e9];
  }
  return time && time[0] >= 0 && time[0] <= lastSecond ? time : undefined;
}

export function isTime(input: unknown): input is TimeInput {
  return typeof input === "number" || isDate(input) || isHrTime(input);
}

function isHrTime(input: unknown): input is HrTime {
  try {
    if (!Array.isArray(input)) return false;
    const [seconds, nanos] = input as unknown[];
    return input.length === 2 && typeof seconds === "number" && typeof nanos === "number";
  } catch {
    return false; // a Proxy
  }
}

export function isBefore(left: HrTime, right: HrTime): boolean {
  return left[0] < right[0] || (left[0] === right[0] && left[1] < right[1]);
}
