// Collects encoded spans or log records into requests. Each is encoded once, as it ends, behind the others
// in one buffer; a request is put together of that buffer's stretches, by scope, below the resource.
//
//   buffer    │ a1 a2 │ b1 │ a3 │        stretches of scope a: 0–2, 3–4; of b: 2–3
//   request   resource, scope a, a1 a2 a3, scope b, b1

import { setTimeout } from "node:timers";
import type { BatchSettings } from "../settings.ts";
import type { Fields } from "../trace/values.ts";
import { Encoder } from "./encoder.ts";
import type { Redactor } from "./encoder.ts";
import type { Remains } from "./remains.ts";
import { keptBytes, SpareBytes } from "./spare-bytes.ts";

export interface Scope {
  readonly name: string;
  readonly version: string | undefined;
  readonly schemaUrl: string | undefined;
  readonly attributes?: Fields;
}

/**
 * Takes a request with so many items; false when there is no room for it. If it says when it has read the
 * body for the last time, that is used for another.
 */
export type Send = (body: Uint8Array, items: number, done?: () => void) => boolean;

/** What a scope has in the buffer. */
export interface Section {
  /** The scope's fields, in front of the items and behind them. */
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
  /** From, to, from, to … */
  readonly stretches: number[];
  sizeBytes: number;
}

const mostBytes = 1 << 20;

export class Batch {
  readonly encoder: Encoder;
  readonly #fieldsOf: () => Fields;
  #encodedResource: Uint8Array | undefined;
  readonly #settings: BatchSettings;
  readonly #sends: readonly Send[];
  readonly #sections: Section[] = [];
  /** Of a thread that may be terminated: what is here, for another to find. */
  readonly #remains: Remains | undefined;
  readonly #spare = new SpareBytes();
  #last: Section | undefined;
  #items = 0;
  #timer: NodeJS.Timeout | undefined;
  isClosed = false;
  /** Items that could not be encoded, or found no room to wait in. */
  dropped = 0;

  constructor(options: {
    /** Asked for when there is something to send. */
    readonly resource: () => Fields;
    readonly settings: BatchSettings;
    readonly sends: readonly Send[];
    readonly redactor?: Redactor;
    readonly remains?: Remains | undefined;
  }) {
    this.encoder = new Encoder(options.redactor);
    this.#settings = options.settings;
    this.#sends = options.sends;
    this.#remains = options.remains;
    this.#fieldsOf = options.resource;
  }

  section({ name, version, schemaUrl, attributes }: Scope): Section {
    const encoder = new Encoder();
    const start = encoder.begin(0x0a);
    encoder.text(0x0a, name);
    if (version !== undefined) encoder.text(0x12, version);
    if (attributes !== undefined) encoder.attributes(0x1a, attributes);
    encoder.end(start);
    const head = encoder.take();
    if (schemaUrl !== undefined) encoder.text(0x1a, schemaUrl);
    return { head, tail: encoder.take(), stretches: [], sizeBytes: 0 };
  }

  /** Encodes an item as the section's next; one that throws leaves nothing behind. */
  add<Item>(section: Section, encode: (encoder: Encoder, item: Item) => void, item: Item): void {
    if (this.isClosed) return;
    const { encoder } = this;
    const from = encoder.at;
    try {
      encode(encoder, item);
    } catch {
      encoder.at = from;
      this.dropped++;
      return;
    }
    const to = encoder.at;
    const { stretches } = section;
    if (section === this.#last) stretches[stretches.length - 1] = to;
    else {
      if (stretches.length === 0) this.#sections.push(section);
      stretches.push(from, to);
      this.#last = section;
    }
    section.sizeBytes += to - from;
    this.#items++;
    const isFull = this.#remains !== undefined && !this.#keep(section, encoder, from);
    if (isFull || this.#items >= this.#settings.maxBatch || to >= mostBytes) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), this.#settings.delayMs).unref();
  }

  /** Done when it returns. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#items === 0) return;
    const items = this.#items;
    const { bytes, at } = this.#request();
    this.#items = 0;
    for (const section of this.#sections.splice(0)) {
      section.stretches.length = 0;
      section.sizeBytes = 0;
    }
    this.#last = undefined;
    this.encoder.at = 0;
    if (this.encoder.bytes.length > keptBytes) this.encoder.bytes = Buffer.allocUnsafe(0);
    const done = this.#sends.length === 1 ? () => this.#spare.give(bytes) : undefined;
    if (this.#remains?.isTaken !== true) this.pass(bytes.subarray(0, at), items, done);
    this.#remains?.empty(); // not before: twice is better than never
  }

  /** A request, perhaps one that another thread has put together. */
  pass(body: Uint8Array, items: number, done?: () => void): void {
    for (const send of this.#sends) if (!send(body, items, done)) this.dropped += items;
  }

  /** What comes after this is as good as not recorded. */
  close(): void {
    this.flush();
    this.isClosed = true;
  }

  get #resource(): Uint8Array {
    if (this.#encodedResource) return this.#encodedResource;
    const encoder = new Encoder();
    const start = encoder.begin(0x0a);
    encoder.attributes(0x0a, this.#fieldsOf());
    encoder.end(start);
    return (this.#encodedResource = encoder.take());
  }

  #keep({ head, tail }: Section, { bytes, at }: Encoder, from: number): boolean {
    return this.#remains!.add(this.#resource, head, bytes.subarray(from, at), tail);
  }

  #request(): Encoder {
    const scopes = this.#sections.map(
      ({ head, tail, sizeBytes }) => head.length + sizeBytes + tail.length,
    );
    const resource = this.#resource;
    const size = scopes.reduce((sum, scope) => sum + headSize(scope) + scope, resource.length);
    const request = new Encoder();
    request.bytes = this.#spare.take(headSize(size) + size + 16); // some room to reserve
    request.head(0x0a, size);
    request.raw(resource);
    for (const [index, section] of this.#sections.entries()) {
      request.head(0x12, scopes[index]!);
      request.raw(section.head);
      const { stretches } = section;
      for (let at = 0; at < stretches.length; at += 2) {
        request.raw(this.encoder.bytes.subarray(stretches[at], stretches[at + 1]));
      }
      request.raw(section.tail);
    }
    return request;
  }
}

/** Of a tag and a length. */
function headSize(size: number): number {
  let bytes = 2;
  for (let rest = size; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes++;
  return bytes;
}
