// Members of documents that stand in most of them, and the ids of these.

import type { Range } from "../../wire/leaves.ts";
import type { Piece } from "../output.ts";
import type { Destination } from "./destinations.ts";
import type { JsonWriter } from "./json-writer.ts";

/** `,"trace_id":` */
export const before = (name: string): string => `,"${name}":`;

/** Nothing for an empty one. */
export function writeText(
  json: JsonWriter,
  name: string,
  bytes: Uint8Array,
  { start, end }: Range,
): void {
  if (start === end) return;
  json.ascii(name);
  json.string(bytes, start, end);
}

/** An id of zeros is none. */
export function isId(bytes: Uint8Array, { start, end }: Range): boolean {
  let at = start;
  while (at < end && bytes[at] === 0) at++;
  return at < end;
}

export function writeId(json: JsonWriter, name: string, bytes: Uint8Array, id: Range): void {
  if (!isId(bytes, id)) return;
  json.ascii(name);
  json.hex(bytes, id.start, id.end);
}

export function writeCount(json: JsonWriter, name: string, count: number): void {
  if (count === 0) return;
  json.ascii(name);
  json.uint(count);
}

/** A document of which leaf it is, and which of those of a leaf that has several. */
export interface Place {
  readonly entry: Piece;
  readonly index: number;
  readonly part: number;
}

/** `<log id>-<position>-<index>`, and `-<part>` behind it for all but the first document of a leaf. */
export class Ids {
  readonly #logId: string;
  /** The last one, and how the ids of its documents begin. */
  #entry: Piece | undefined;
  #beginning: Uint8Array = new Uint8Array();

  constructor(logId: string) {
    this.#logId = logId;
  }

  of(entry: Piece, index: number, part: number): string {
    const whole = `${this.#batch(entry)}-${(entry.origin?.index ?? 0) + index}`;
    return part === 0 ? whole : `${whole}-${part}`;
  }

  /** Up to the number of the leaf in its batch. */
  writeAction(json: JsonWriter, { action }: Destination, entry: Piece): void {
    if (entry !== this.#entry) {
      this.#beginning = Buffer.from(JSON.stringify(`${this.#batch(entry)}-`).slice(0, -1));
      this.#entry = entry;
    }
    json.raw(action);
    json.raw(this.#beginning);
  }

  /** The action whole, and the beginning of the document. */
  write(json: JsonWriter, destination: Destination, { entry, index, part }: Place): void {
    this.writeAction(json, destination, entry);
    json.uint((entry.origin?.index ?? 0) + index);
    if (part > 0) json.ascii(`-${part}`);
    json.ascii('"}}\n{"@timestamp":');
  }

  /** Of a letter that comes from another log, or another place in this one, the place it came from. */
  #batch({ position, origin }: Piece): string {
    return `${origin?.logId ?? this.#logId}-${origin?.position ?? position}`;
  }
}
