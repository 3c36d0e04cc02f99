// The records of a file, written and found again. See file.ts for their formats.

import type { FileHandle } from "node:fs/promises";
import { toJson } from "../../wire/to-json.ts";
import { endOfLastLine } from "../append-file.ts";
import type { Delivery, Outcome } from "../output.ts";
import type { Settings } from "./settings.ts";

export type Format = Settings["format"];

/** A text may become six times as long in JSON, and there are no strings of more than 512 MiB. */
const largestJsonBytes = 64 << 20;

/** A single record of a batch that large becomes a dead letter; of a batch of several, parts come. */
export function tooLarge(delivery: Delivery, format: Format): Outcome | undefined {
  const { entries, items } = delivery;
  const large = entries.find(({ batch }) => batch.bytes.length > largestJsonBytes);
  if (!large || format !== "json") return undefined;
  const detail = `${large.batch.bytes.length} bytes, at most ${largestJsonBytes} become JSON`;
  return { kind: "rejected", reason: "too_large", detail, items };
}

export function recordsOf({ signal, entries }: Delivery, format: Format): Buffer {
  const parts: Uint8Array[] = [];
  for (const { batch } of entries) {
    const { bytes } = batch;
    if (bytes.length === 0) continue; // says nothing, and a length of 0 stands for damage
    if (format === "json") parts.push(Buffer.from(`${toJson(signal, bytes)}\n`));
    else {
      const length = Buffer.allocUnsafe(lengthBytes);
      length.writeUInt32BE(bytes.length);
      parts.push(length, bytes);
    }
  }
  return Buffer.concat(parts);
}

/** How far a file holds whole records. One that holds something else is not touched. */
export async function wholeUpTo(
  format: Format,
  handle: FileHandle,
  sizeBytes: number,
): Promise<number> {
  if (sizeBytes === 0) return 0;
  const head = Buffer.alloc(lengthBytes + 1);
  const { bytesRead } = await handle.read(head, 0, head.length, 0);
  if (!isOurs[format](head.subarray(0, bytesRead))) {
    throw new Error(`holds something that is not OTLP in ${format}; give another path`);
  }
  return format === "json" ? endOfLastLine(handle, sizeBytes) : endOfLastRecord(handle, sizeBytes);
}

const lengthBytes = 4;
/** A request is smaller: its largest setting is 1 GiB. */
const mostLength = 2 ** 31;

/** By the first bytes, which are the same in all of ours. */
const isOurs: Readonly<Record<Format, (head: Buffer) => boolean>> = {
  json: (head) => head[0] === 0x7b,
  protobuf: (head) => {
    if (head.length <= lengthBytes) return head[0] === 0;
    return head.readUInt32BE() < mostLength && head[lengthBytes] === 0x0a;
  },
};

const pieceBytes = 256 << 10;

/** From length to length; what stands between two is read only where it is short. */
async function endOfLastRecord(handle: FileHandle, sizeBytes: number): Promise<number> {
  const piece = Buffer.allocUnsafe(pieceBytes);
  let pieceAt = 0;
  let pieceEnd = 0;
  let at = 0;
  while (at + lengthBytes <= sizeBytes) {
    if (at + lengthBytes > pieceEnd) {
      const { bytesRead } = await handle.read(piece, 0, pieceBytes, at);
      if (bytesRead < lengthBytes) return at;
      pieceAt = at;
      pieceEnd = at + bytesRead;
    }
    const length = piece.readUInt32BE(at - pieceAt);
    if (length === 0 || at + lengthBytes + length > sizeBytes) return at;
    at += lengthBytes + length;
  }
  return at;
}
