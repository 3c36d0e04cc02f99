// Requests of which no two are equal, and their way back out of what a destination was sent. Each has
// one resource and so is one record at the top of the message; an output may put many requests into one,
// but their records stay what they were, byte for byte: the hash of a record is its name.

import { hash } from "node:crypto";
import type { Signal } from "../../collector/wire/batch.ts";
import { sampleBatch } from "../support/otlp.ts";

export interface MarkedRequest {
  readonly signal: Signal;
  readonly items: number;
  readonly bytes: Buffer;
  /** The hash of its record. */
  readonly name: string;
}

/** As long as every mark that takes its place, so that lengths in the message stay right. */
const place = "@".repeat(24);
const templates = new Map<string, Buffer>();

export function markedRequest(signal: Signal, items: number, mark: string): MarkedRequest {
  const bytes = Buffer.from(templateOf(signal, items));
  const text = mark.padEnd(place.length, ".");
  if (text.length > place.length) throw new Error(`"${mark}" is longer than ${place.length}`);
  for (let at = bytes.indexOf(place); at >= 0; at = bytes.indexOf(place, at)) bytes.write(text, at);
  return { signal, items, bytes, name: nameOf(bytes) };
}

/** The names of all records in a request. */
export function namesIn(bytes: Buffer): string[] {
  const names: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = endOfRecord(bytes, at);
    names.push(nameOf(bytes.subarray(at, end)));
    at = end;
  }
  return names;
}

function templateOf(signal: Signal, items: number): Buffer {
  const key = `${signal} ${items}`;
  let template = templates.get(key);
  if (!template) {
    template = Buffer.from(sampleBatch(signal, { items, service: place }).bytes);
    templates.set(key, template);
  }
  return template;
}

function nameOf(record: Buffer): string {
  return hash("sha1", record, "base64");
}

/** Field 1, length-delimited, is all that stands at the top of the three requests. */
function endOfRecord(bytes: Buffer, at: number): number {
  if (bytes[at] !== 0x0a) throw new Error(`no record begins at ${at} of ${bytes.length} bytes`);
  let length = 0;
  let shift = 0;
  for (let next = at + 1; next < bytes.length; next++) {
    const byte = bytes[next]!;
    length += (byte & 0x7f) * 2 ** shift;
    shift += 7;
    if (byte < 0x80) return next + 1 + length;
  }
  throw new Error(`a length breaks off at the end of ${bytes.length} bytes`);
}
