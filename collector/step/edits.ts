// The difference between a batch and what a step leaves of it: stretches to drop, bytes to put in, and
// the lengths of the messages around them. Everything else is copied as it is, in runs, once.
//
//   batch   ──run──┃length┃──run──┃drop┃──run──┃length┃─run─┃replace┃──run──
//   result  ──run──┃ new  ┃──run──      ──run──┃ new  ┃─run─┃  new  ┃──run──
//
// The length of a message is known only behind its end but stands before its content, so a place among
// the edits is kept for it — as soon as there is a first edit within, not before.

import type { Cursor } from "../wire/cursor.ts";
import { ownRoom, type Room } from "../wire/room.ts";
import { varintLength, writeVarint } from "../wire/varint.ts";

/** An edit takes four numbers: the stretch of the batch, and what is there instead. */
const slots = 4;
const startAt = 0;
const endAt = 1;
/** Of a length: the number to write. Else: where in the new bytes the replacement begins and ends. */
const fromAt = 2;
const toAt = 3;
const isLength = -1;

/** A message that is being walked: its length field and what has changed within. */
interface Open {
  fieldStart: number;
  lengthStart: number;
  start: number;
  end: number;
  /** How much longer its content has become. */
  growth: number;
  /** The place that is kept for its length, or none. */
  edit: number;
}

export class Edits {
  #bytes: Uint8Array = new Uint8Array();
  #edits = new Float64Array(64 * slots);
  #count = 0;
  #growth = 0;
  readonly #open: Open[] = [];
  #depth = 0;
  #fresh = Buffer.allocUnsafe(1024);
  #freshLength = 0;

  begin(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#count = this.#growth = this.#depth = this.#freshLength = 0;
  }

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** Into the message that is the cursor's present field. */
  enter({ fieldStart, start, end }: Cursor): void {
    const open = (this.#open[this.#depth++] ??= { ...closed });
    open.fieldStart = fieldStart;
    open.start = start;
    open.end = end;
    open.growth = 0;
    open.edit = -1;
    let at = fieldStart;
    while (this.#bytes[at]! >= 0x80) at++;
    open.lengthStart = at + 1;
  }

  /** Out of the message again. */
  leave(): void {
    const { lengthStart, start, end, growth, edit } = this.#open[--this.#depth]!;
    if (edit < 0) return;
    const length = end - start + growth;
    const numbers = this.#edits;
    numbers[edit * slots + startAt] = lengthStart;
    numbers[edit * slots + endAt] = start;
    numbers[edit * slots + fromAt] = isLength;
    numbers[edit * slots + toAt] = length;
    this.#grow(growth + varintLength(length) - (start - lengthStart));
  }

  /** Out of the message, which is dropped with all that was edited within. */
  leaveOut(): void {
    const { fieldStart, end, edit } = this.#open[--this.#depth]!;
    if (edit >= 0) this.#count = edit;
    this.drop(fieldStart, end);
  }

  drop(start: number, end: number): void {
    this.replace(start, end, noBytes);
  }

  /** Edits come in the order of the bytes. */
  replace(start: number, end: number, by: Uint8Array): void {
    this.#keepPlaces();
    const from = this.#freshLength;
    this.#add(by);
    const at = this.#place() * slots;
    const numbers = this.#edits;
    numbers[at + startAt] = start;
    numbers[at + endAt] = end;
    numbers[at + fromAt] = from;
    numbers[at + toAt] = this.#freshLength;
    this.#grow(by.length - (end - start));
  }

  /** The bytes as they are now. */
  finish(room: Room = ownRoom): Uint8Array {
    const result = room(this.#bytes.length + this.#growth);
    const numbers = this.#edits;
    let read = 0;
    let written = 0;
    for (let at = 0; at < this.#count * slots; at += slots) {
      const run = this.#bytes.subarray(read, numbers[at + startAt]);
      result.set(run, written);
      written += run.length;
      const [from, to] = [numbers[at + fromAt]!, numbers[at + toAt]!];
      if (from === isLength) written = writeVarint(result, written, to);
      else {
        result.set(this.#fresh.subarray(from, to), written);
        written += to - from;
      }
      read = numbers[at + endAt]!;
    }
    result.set(this.#bytes.subarray(read), written);
    this.#release();
    return result;
  }

  #grow(by: number): void {
    if (this.#depth === 0) this.#growth += by;
    else this.#open[this.#depth - 1]!.growth += by;
  }

  /** From the outside in, which is their order in the bytes. */
  #keepPlaces(): void {
    for (let depth = 0; depth < this.#depth; depth++) {
      const open = this.#open[depth]!;
      if (open.edit < 0) open.edit = this.#place();
    }
  }

  #place(): number {
    if ((this.#count + 1) * slots > this.#edits.length) {
      const larger = new Float64Array(this.#edits.length * 2);
      larger.set(this.#edits);
      this.#edits = larger;
    }
    return this.#count++;
  }

  #add(bytes: Uint8Array): void {
    const length = this.#freshLength + bytes.length;
    if (length > this.#fresh.length) {
      const larger = Buffer.allocUnsafe(Math.max(length, this.#fresh.length * 2));
      this.#fresh.copy(larger, 0, 0, this.#freshLength);
      this.#fresh = larger;
    }
    this.#fresh.set(bytes, this.#freshLength);
    this.#freshLength = length;
  }

  /** One large batch must not hold its memory for ever. */
  #release(): void {
    this.#bytes = noBytes;
    if (this.#fresh.length > maxKept) this.#fresh = Buffer.allocUnsafe(1024);
    if (this.#edits.length * 8 > maxKept) this.#edits = new Float64Array(64 * slots);
  }
}

const maxKept = 1 << 20;
const noBytes = new Uint8Array();
const closed: Open = { fieldStart: 0, lengthStart: 0, start: 0, end: 0, growth: 0, edit: -1 };
