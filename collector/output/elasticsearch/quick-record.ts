// The documents of usual log records, in WebAssembly: that takes a sixth of the time. What it does not
// accept — nested values, names that stand twice, whatever is rare — it leaves to log-documents.ts, which
// writes the same bytes of what both accept.

import { Assembled, type Assembly } from "../../wire/assembled.ts";
import type { FieldNames } from "./field-names.ts";
import { JsonWriter, textOfDouble } from "./json-writer.ts";
import { before } from "./members.ts";
import { binary } from "./quick-record.binary.ts";
import * as layout from "./quick-record-layout.ts";
import { severityName } from "./severity.ts";

/** What the documents of a group have in common. */
export interface Frame {
  /** Up to where the record's number in its batch stands in the id. */
  readonly action: Uint8Array;
  /** Behind the record's own part; the one before unless given. */
  readonly tail: Uint8Array | undefined;
  /** Seconds: events of this time go where the action says. */
  readonly from: number;
  readonly to: number;
}

/** Records that stand one behind the other. */
export interface Records {
  /** Where the first one's field begins. */
  readonly start: number;
  /** Where the group ends. */
  readonly end: number;
  /** Of the first one in its batch. */
  readonly number: number;
}

/** Less of them are written, where something is in the way. */
export interface Limits {
  readonly most: number;
  /** Documents are added as long as there are less bytes than that. */
  readonly enough: number;
}

export class QuickRecords {
  /** All documents, those of the thorough writer too. */
  readonly json: JsonWriter;
  /** Where each of those ends that were written last; good until the next ones are. */
  readonly ends: Uint32Array;
  readonly #memory: Buffer;
  readonly #exports: Exports;
  /** What `write` is told and tells. */
  readonly #words: Uint32Array;
  #hasRequest = false;
  #hasAction = false;
  #hasTail = false;

  constructor(names: FieldNames) {
    const imports = { "quick-json.assembly": { writeDouble: this.#writeDouble } };
    this.#exports = assembled.instance(imports);
    const { buffer } = this.#exports.memory;
    this.#memory = Buffer.from(buffer);
    this.#words = new Uint32Array(buffer, 0, layout.textsAt / 4);
    this.ends = new Uint32Array(buffer, layout.endsAt, layout.mostEnds);
    const { documentsAt, documentsEnd } = layout;
    this.json = new JsonWriter(this.#memory.subarray(documentsAt, documentsEnd));
    this.#prepare(names);
  }

  /** The request that the records stand in. */
  enter(bytes: Uint8Array): void {
    this.#hasAction = false;
    this.#hasRequest = bytes.length <= layout.requestBytes;
    if (this.#hasRequest) this.#memory.set(bytes, layout.requestAt);
  }

  frame({ action, tail, from, to }: Frame): void {
    const { actionAt, tailAt, knownAt, slackBytes } = layout;
    this.#hasAction = action.length + slackBytes <= tailAt - actionAt;
    if (this.#hasAction) this.#put(actionAt, action);
    if (tail) {
      this.#hasTail = tail.length + slackBytes <= knownAt - tailAt;
      if (this.#hasTail) this.#put(tailAt, tail);
    }
    if (this.#hasAction && this.#hasTail) this.#exports.aim(from, to);
  }

  /** Adds the documents of the first ones that are for us: how many, which may be none. */
  write({ start, end, number }: Records, { most, enough }: Limits): number {
    const isFramed = this.#hasAction && this.#hasTail;
    if (!this.#hasRequest || !isFramed || !this.json.isAtHome) return 0;
    const { requestAt, documentsAt, documentsBytes, mostEnds, mostAt, enoughAt } = layout;
    this.#words[mostAt / 4] = Math.min(most, mostEnds);
    this.#words[enoughAt / 4] = documentsAt + Math.min(enough, documentsBytes);
    const at = documentsAt + this.json.length;
    const count = this.#exports.write(requestAt + start, requestAt + end, number, at);
    if (count > 0) this.json.extend(this.ends[count - 1]!);
    return count;
  }

  /** Where in the request the last of those ends that were written. */
  get readTo(): number {
    return this.#words[layout.readAt / 4]! - layout.requestAt;
  }

  /** For the very large and the very small. */
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
interface Exports extends Assembly {
  prepare(reservedAt: number, count: number): void;
  aim(from: number, to: number): void;
  write(start: number, end: number, number: number, at: number): number;
}

const assembled = new Assembled<Exports>(binary);
