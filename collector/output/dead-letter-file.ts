// Reading a file of dead letters line by line, whoever wrote it and however it ended: what is no letter
// is handed out too, as a line without one, so that it can be counted and kept.

import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { type Batch, signals } from "../wire/batch.ts";
import { validate } from "../wire/validate.ts";
import type { DeadLetter } from "./dead-letter.ts";

export interface DeadLine {
  /** With the line feed, if it has one; shares memory with its neighbours. */
  readonly bytes: Buffer;
  /** Where it begins in the file. */
  readonly offset: number;
  /** Undefined for a line that is torn, or that another version of sonde wrote. */
  readonly letter: DeadLetter | undefined;
}

const pieceBytes = 256 << 10;
const lineFeed = 10;

/** The lines between two offsets; empty ones are left out. */
export async function* readLines(
  handle: FileHandle,
  from: number,
  to: number,
): AsyncGenerator<DeadLine> {
  let rest: Buffer[] = [];
  let offset = from;
  let at = from;
  while (at < to) {
    const piece = Buffer.allocUnsafe(Math.min(pieceBytes, to - at));
    const { bytesRead } = await handle.read(piece, 0, piece.length, at);
    if (bytesRead === 0) break;
    at += bytesRead;
    let start = 0;
    const read = piece.subarray(0, bytesRead);
    for (let end = read.indexOf(lineFeed); end >= 0; end = read.indexOf(lineFeed, start)) {
      rest.push(read.subarray(start, end + 1));
      const line = lineOf(rest, offset);
      start = end + 1;
      offset += line.bytes.length;
      rest = [];
      if (line.bytes.length > 1) yield line;
    }
    if (start < bytesRead) rest.push(read.subarray(start));
  }
  if (rest.length > 0) yield lineOf(rest, offset);
}

function lineOf(parts: readonly Buffer[], offset: number): DeadLine {
  const bytes = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  return { bytes, offset, letter: parse(bytes) };
}

function parse(bytes: Buffer): DeadLetter | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString("utf8"));
    return isLetter(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isLetter(value: unknown): value is DeadLetter {
  if (typeof value !== "object" || value === null) return false;
  const letter = value as Readonly<Record<string, unknown>>; // each member is looked at below
  return (
    isText(letter["at"]) &&
    !Number.isNaN(Date.parse(letter["at"])) &&
    signals.some((signal) => signal === letter["signal"]) &&
    isText(letter["reason"]) &&
    isText(letter["detail"]) &&
    isText(letter["request"]) &&
    isCount(letter["position"]) &&
    isCount(letter["items"]) &&
    (letter["index"] === undefined || isCount(letter["index"])) &&
    (letter["among"] === undefined || isCount(letter["among"])) &&
    (letter["attempts"] === undefined || isCount(letter["attempts"])) &&
    (letter["log"] === undefined || isText(letter["log"]))
  );
}

const isText = (value: unknown): value is string => typeof value === "string";
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0;

/** The same for as long as the letter is kept, whatever else leaves the file or is refused again. */
export function idOf({ at, log = "", position, index }: DeadLetter): string {
  const place = `${at} ${log} ${position} ${index ?? ""}`;
  return createHash("sha256").update(place).digest("hex").slice(0, 12);
}

/** The request that it holds; undefined if somebody or something has spoilt it. */
export function batchIn({ signal, request }: DeadLetter): Batch | undefined {
  const validation = validate(signal, Buffer.from(request, "base64"));
  return validation.kind === "valid" ? validation.batch : undefined;
}
