// The documents of usual log records, in WebAssembly: that takes a tenth of the time. What it does not
// accept — nested values, names that stand twice, whatever is rare — it leaves to log-documents.ts, which
// writes the same bytes of what both accept.

import type { Range } from "../../wire/leaves.ts";
import type { FieldNames } from "./field-names.ts";
import { type JsonWriter, textOfDouble } from "./json-writer.ts";
import { before } from "./members.ts";
import { binary } from "./quick-record.binary.ts";
import * as layout from "./quick-record-layout.ts";
import { severityName } from "./severity.ts";

/** What the documents of a group have in common. */
export interface Frame {
  /** Up to where the record's number in its batch stands in the id. */
  readonly action: Uint8Array;
  /** Behind the record's own part. */
  readonly tail: Uint8Array;
  /** Seconds: events of this time go where the action says. */
  readonly from: number;
  readonly to: number;
}

export class QuickRecords {
  readonly #memory: Buffer;
  readonly #exports: Exports;
  #hasRequest = false;
  #hasFrame = false;
  /** Of action and tail, and of all that is the same in every document. */
  #frameBytes = 0;
  /** Where the next document begins. */
  #end = layout.documentsAt;

  constructor(names: FieldNames) {
    const imports = { "quick-json.assembly": { writeDouble: this.#writeDouble } };
    module ??= new WebAssembly.Module(Buffer.from(binary, "base64"));
    // What a module has is known to its compiler only.
    this.#exports = new WebAssembly.Instance(module, imports).exports as Exports;
    this.#memory = Buffer.from(this.#exports.memory.buffer);
    this.#prepare(names);
  }

  /** Of what is written and not yet taken. */
  get length(): number {
    return this.#end - layout.documentsAt;
  }

  /** The request that the records stand in. */
  enter(bytes: Uint8Array): void {
    this.#hasFrame = false;
    this.#hasRequest = bytes.length <= layout.requestBytes;
    if (this.#hasRequest) this.#memory.set(bytes, layout.requestAt);
  }

  frame({ action, tail, from, to }: Frame): void {
    const { actionAt, tailAt, requestAt, slackBytes } = layout;
    this.#hasFrame =
      action.length + slackBytes <= tailAt - actionAt &&
      tail.length + slackBytes <= requestAt - tailAt;
    if (!this.#hasFrame) return;
    this.#put(actionAt, action);
    this.#put(tailAt, tail);
    this.#frameBytes = action.length + tail.length + mostFixedBytes;
    this.#exports.aim(from, to);
  }

  /** Adds the record's document; false if it is not for us. */
  write({ start, end }: Readonly<Range>, number: number, json: JsonWriter): boolean {
    if (!this.#hasRequest || !this.#hasFrame) return false;
    const most = this.#frameBytes + (end - start) * mostGrowth;
    if (most > layout.documentsBytes) return false;
    if (this.length + most > layout.documentsBytes) this.moveTo(json);
    const { requestAt } = layout;
    const written = this.#exports.write(requestAt + start, requestAt + end, number, this.#end);
    if (written === 0) return false;
    this.#end = written;
    return true;
  }

  /** Hands over what is written. */
  moveTo(json: JsonWriter): void {
    if (this.length === 0) return;
    json.raw(this.#memory.subarray(layout.documentsAt, this.#end));
    this.clear();
  }

  clear(): void {
    this.#end = layout.documentsAt;
  }

  /** For those that take more than 15 digits. */
  readonly #writeDouble = (value: number, at: number): number => {
    return this.#memory.write(textOfDouble(value), at, "latin1");
  };

  #prepare(names: FieldNames): void {
    const { textsAt, wordsAt, pairsAt } = layout;
    let free = wordsAt;
    const place = (text: string): number => {
      const at = free;
      free = (this.#put(at, Buffer.from(text)) + 3) & ~3;
      return at;
    };
    for (const [number, text] of textsFor(names).entries()) {
      this.#memory.writeUInt32LE(place(text), textsAt + number * 4);
    }
    const reserved = [...reservedByAll, ...names.ofAttributes.keys()].map(place);
    const listAt = free;
    for (const [index, at] of reserved.entries()) {
      this.#memory.writeUInt32LE(at, listAt + index * 4);
    }
    if (listAt + reserved.length * 4 + layout.slackBytes > pairsAt) throw new Error("no room");
    this.#exports.prepare(listAt, reserved.length);
  }

  /** A text with its length before it; gives where it ends. */
  #put(at: number, text: Uint8Array): number {
    this.#memory.writeUInt32LE(text.length, at);
    this.#memory.set(text, at + 4);
    return at + 4 + text.length;
  }
}

/** Attributes that say where a record goes. */
const reservedByAll = ["data_stream.dataset", "data_stream.namespace", "data_stream.type"];

/** A control character becomes \u0000; nothing grows more. */
const mostGrowth = 6;
/** Names of fields, times and the like. */
const mostFixedBytes = 1024;

/** By the numbers that the layout gives them. */
function textsFor(names: FieldNames): readonly string[] {
  const isEcs = names.message !== undefined;
  const texts: string[] = [];
  texts[layout.behindId] = '"}}\n{"@timestamp":';
  texts[layout.observed] = before(names.observed);
  texts[layout.severityNumber] = before(names.severityNumber);
  texts[layout.severityText] = before(names.severityText);
  texts[layout.traceId] = before(names.traceId);
  texts[layout.spanId] = before(names.spanId);
  texts[layout.eventName] = before(names.eventName);
  texts[layout.beforeBody] = isEcs ? before(names.message) : ',"body":{"text":';
  texts[layout.behindBody] = isEcs ? "" : "}";
  texts[layout.attributes] = before("attributes");
  texts[layout.droppedAttributes] = before("dropped_attributes_count");
  for (let level = 1; level <= 24; level++) {
    const name = `${before(names.severityText)}"${severityName(level)}"`;
    texts[layout.severityNames + level - 1] = name;
  }
  return texts;
}

/** See quick-record.assembly.ts. */
interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  prepare(reservedAt: number, count: number): void;
  aim(from: number, to: number): void;
  write(start: number, end: number, number: number, at: number): number;
}

let module: object | undefined;

/** What Node has of it, but its types do not. */
declare const WebAssembly: {
  readonly Module: new (binary: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
};
