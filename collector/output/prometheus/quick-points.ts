// Points that come in the order that is expected, read in WebAssembly: a fifth of the time. What it does not
// accept — other attributes, other bounds, exemplars, whatever is rare — it leaves to point.ts, which says the
// same of what both accept.

import { Assembled, type Assembly } from "../../wire/assembled.ts";
import type { Point } from "./point.ts";
import { binary } from "./quick-points.binary.ts";
import * as layout from "./quick-points-layout.ts";

export const mostExpectedBytes = layout.expectedBytes;

/** Attributes as they stand among those that are expected: the length, and one character a byte. */
export function asExpected(attributes: string): string {
  const { length } = attributes;
  return String.fromCharCode(length & 0xff, (length >>> 8) & 0xff, length >>> 16, 0) + attributes;
}

/** Where the attributes end that begin there. */
export function behindExpected(attributes: string, at: number): number {
  const byte = (index: number): number => attributes.charCodeAt(at + index);
  return at + 4 + (byte(0) | (byte(1) << 8) | (byte(2) << 16));
}

/** What is to be read. */
export interface Expected {
  /** Of all points, one behind the other. */
  readonly attributes: string;
  /** Of histograms; undefined of numbers. */
  readonly bounds: readonly number[] | undefined;
}

export class QuickPoints {
  /** Behind those of the points that were read. */
  reached = 0;
  readonly #exports: Exports;
  readonly #memory: Buffer;
  readonly #view: DataView;
  #batch: Uint8Array = nothing;
  /** The stretch of it that is held. */
  #start = 0;
  #end = 0;
  /** What lies in the memory, not to be written again. */
  #held: Expected = { attributes: "", bounds: undefined };
  #recordBytes = 0;

  constructor() {
    this.#exports = assembled.instance();
    const { buffer } = this.#exports.memory;
    this.#memory = Buffer.from(buffer);
    this.#view = new DataView(buffer);
  }

  enter(batch: Uint8Array): void {
    this.#batch = batch;
    this.#start = this.#end = 0;
  }

  /** How many points it could read of the fields between the two; `from` is among those that are expected. */
  read(expected: Expected, from: number, start: number, end: number): number {
    if (start < this.#start || Math.min(end, start + mostPointBytes) > this.#end) this.#hold(start);
    this.#expect(expected);
    const { attributes, bounds } = expected;
    const boundCount = bounds?.length ?? 0;
    this.#recordBytes = 8 * (layout.counts + (bounds ? boundCount + 1 : 0));
    const shift = layout.stretchAt - this.#start;
    const points = this.#exports.read(
      boundCount,
      start + shift,
      Math.min(end, this.#end) + shift,
      layout.expectedAt + from,
      layout.expectedAt + attributes.length,
      Math.floor(layout.recordsBytes / this.#recordBytes),
    );
    this.reached = this.#exports.reached() - layout.expectedAt;
    return points;
  }

  /** Where the point lies that was read as the n-th. */
  startOf(index: number): number {
    return this.#numberOf(index, layout.pointStart) - layout.stretchAt + this.#start;
  }

  endOf(index: number): number {
    return this.#numberOf(index, layout.pointEnd) - layout.stretchAt + this.#start;
  }

  take(index: number, point: Point): void {
    const { bounds } = this.#held;
    point.clear();
    point.start = this.#numberOf(index, layout.began);
    point.time = this.#numberOf(index, layout.time);
    const value = this.#numberOf(index, layout.value);
    if (!bounds) {
      point.value = value;
      return;
    }
    point.count = value;
    point.sum = this.#numberOf(index, layout.sum);
    point.bounds = bounds;
    const { counts } = point;
    const length = bounds.length + 1;
    const view = this.#view;
    let from = layout.recordsAt + index * this.#recordBytes + layout.counts * 8;
    for (let at = 0; at < length; at++, from += 8) counts[at] = view.getFloat64(from, true);
    if (counts.length !== length) counts.length = length;
  }

  #numberOf(index: number, number: number): number {
    return this.#view.getFloat64(layout.recordsAt + index * this.#recordBytes + number * 8, true);
  }

  /** The stretch that begins there and is as long as there is room for. */
  #hold(start: number): void {
    this.#start = start;
    this.#end = Math.min(start + layout.stretchBytes, this.#batch.length);
    this.#memory.set(this.#batch.subarray(this.#start, this.#end), layout.stretchAt);
  }

  #expect(expected: Expected): void {
    const { attributes, bounds } = expected;
    if (attributes !== this.#held.attributes) {
      this.#memory.write(attributes, layout.expectedAt, "latin1");
    }
    if (bounds !== this.#held.bounds) {
      bounds?.forEach((bound, at) => this.#view.setFloat64(layout.boundsAt + at * 8, bound, true));
    }
    this.#held = expected;
  }
}

const nothing = new Uint8Array(0);

/** Longer ones are not read here. */
const mostPointBytes = 16_384 + 3;

/** See quick-points.assembly.ts. */
interface Exports extends Assembly {
  read(
    boundCount: number,
    start: number,
    end: number,
    expected: number,
    expectedEnd: number,
    most: number,
  ): number;
  reached(): number;
}

const assembled = new Assembled<Exports>(binary);
