// Looks through values for secrets. They are read first and edited only if there is something to mask,
// since nearly all of them have nothing.

import { Cursor, textOf } from "../../wire/cursor.ts";
import { Writer } from "../../wire/writer.ts";
import { isSame } from "../cel/view.ts";
import type { Edits } from "../edits.ts";
import { compilePattern, type Matcher } from "../pattern/pattern.ts";
import { allowed, chosen, Names, secret, type Verdict } from "./names.ts";
import { type Hits, Scanner } from "./scan.ts";
import type { Settings } from "./settings.ts";

export class Values {
  readonly #names: Names;
  readonly #scanner: Scanner;
  readonly #patterns: readonly Matcher[];
  readonly #mask: Uint8Array;
  /** The mask as a value. */
  readonly #masked: Uint8Array;
  readonly #hits: Hits = [];
  readonly #fields = new Cursor(new Uint8Array());

  /** Throws a PatternFault. */
  constructor(settings: Settings) {
    const { keys, allow, patterns, mask, credit_cards: hasCards } = settings;
    const { well_known: isWellKnown } = settings;
    this.#names = new Names({ keys, allow, isWellKnown });
    this.#scanner = new Scanner({ names: this.#names, isWellKnown, hasCards });
    this.#patterns = patterns.map((source) => compilePattern(source));
    this.#mask = Buffer.from(mask);
    const writer = new Writer(256);
    writer.text(1, mask);
    this.#masked = writer.finish();
  }

  /** The cursor is at a KeyValue, and it is there again afterwards. */
  attribute(bytes: Uint8Array, at: Cursor, edits: Edits): void {
    if (!this.#hasSecret(bytes, at)) return;
    edits.enter(at);
    const fields = new Cursor(bytes, at.start, at.end);
    let verdict: Verdict = 0;
    while (fields.next()) {
      if (fields.number === 1) verdict = this.#names.judge(bytes, fields.start, fields.end);
    }
    fields.over(at.start, at.end);
    while (fields.next()) {
      if (fields.number !== 2) continue;
      if (verdict >= secret) this.#maskValue(bytes, fields, { verdict, edits });
      else this.value(bytes, fields, edits);
    }
    edits.leave();
  }

  /** At an AnyValue. */
  value(bytes: Uint8Array, at: Cursor, edits: Edits): void {
    edits.enter(at);
    const fields = new Cursor(bytes, at.start, at.end);
    while (fields.next()) {
      if (fields.number === 1) this.text(bytes, fields, edits);
      else if (fields.number === 5 || fields.number === 6) {
        const isMap = fields.number === 6;
        edits.enter(fields);
        const inner = new Cursor(bytes, fields.start, fields.end);
        while (inner.next()) {
          if (inner.number !== 1) continue;
          if (isMap) this.attribute(bytes, inner, edits);
          else this.value(bytes, inner, edits);
        }
        edits.leave();
      }
    }
    edits.leave();
  }

  text(bytes: Uint8Array, at: Cursor, edits: Edits): void {
    const { start, end } = at;
    const hits = this.#hits;
    hits.length = 0;
    this.#find(bytes, start, end);
    if (hits.length === 0) return;
    edits.enter(at);
    for (let index = 0; index < hits.length; index += 2) {
      const range = { start: hits[index]!, end: hits[index + 1]! };
      if (!isSame(bytes, range, this.#mask)) edits.replace(range.start, range.end, this.#mask);
    }
    edits.leave();
  }

  /** Whether there is anything to mask in an attribute, without making anything. */
  #hasSecret(bytes: Uint8Array, { start, end }: Cursor): boolean {
    const fields = this.#fields.over(start, end, bytes);
    let verdict: Verdict = 0;
    let valueStart = end;
    let valueEnd = end;
    while (fields.next()) {
      if (fields.number === 1) verdict = this.#names.judge(bytes, fields.start, fields.end);
      else if (fields.number === 2) [valueStart, valueEnd] = [fields.start, fields.end];
    }
    if (verdict === allowed) return false;
    return verdict >= secret || this.#valueHasSecret(bytes, valueStart, valueEnd);
  }

  #valueHasSecret(bytes: Uint8Array, start: number, end: number): boolean {
    const fields = this.#fields.over(start, end, bytes);
    while (fields.next()) {
      if (fields.number === 1) {
        this.#hits.length = 0;
        this.#find(bytes, fields.start, fields.end);
        if (this.#hits.length > 0) return true;
      } else if (fields.number === 5 || fields.number === 6) return true;
    }
    return false;
  }

  #find(bytes: Uint8Array, start: number, end: number): void {
    this.#scanner.scan(bytes, start, end, this.#hits);
    if (this.#patterns.length === 0) return;
    const text = textOf(bytes, start, end);
    for (const pattern of this.#patterns) {
      if (pattern.test(text)) this.#add(text, start, pattern);
    }
  }

  /** From places in the text to places in the bytes; what overlaps is joined. */
  #add(text: string, start: number, pattern: Matcher): void {
    const found: [number, number][] = [];
    for (let index = 0; index < this.#hits.length; index += 2) {
      found.push([this.#hits[index]!, this.#hits[index + 1]!]);
    }
    let read = 0;
    let at = start;
    const placeOf = (offset: number): number => {
      at += Buffer.byteLength(text.slice(read, offset));
      read = offset;
      return at;
    };
    for (const [from, to] of pattern.find(text)) found.push([placeOf(from), placeOf(to)]);
    this.#hits.length = 0;
    for (const [from, to] of found.toSorted((a, b) => a[0] - b[0])) {
      const last = this.#hits.length - 1;
      if (last > 0 && from <= this.#hits[last]!) this.#hits[last] = Math.max(this.#hits[last]!, to);
      else this.#hits.push(from, to);
    }
  }

  /** Of a secret's name: every text and all that may have one in it, and numbers if the user says so. */
  #maskValue(bytes: Uint8Array, at: Cursor, { verdict, edits }: Masking): void {
    const fields = new Cursor(bytes, at.start, at.end);
    let isSecret = false;
    while (fields.next()) {
      const { number, start, end } = fields;
      isSecret = verdict === chosen || (![2, 3, 4].includes(number) && end > start);
    }
    if (!isSecret || isSame(bytes, at, this.#masked)) return;
    edits.enter(at);
    edits.replace(at.start, at.end, this.#masked);
    edits.leave();
  }
}

interface Masking {
  readonly verdict: Verdict;
  readonly edits: Edits;
}
