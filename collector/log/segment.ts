// One file of the disk log.
//
//   segment   ┌──────────┬─────────┬──────────┬─────────┬──────────┬────────────┬────────┬──────┬───────┬──
//             │ magic u32│ crc u32 │ version  │ zero u32│ log id   │ base       │ totals │ time │ frame │ …
//             │  "sgmt"  │ of head │ u32      │         │ 8 bytes  │ position   │ 4×u64  │ u64  │       │
//             └──────────┴─────────┴──────────┴─────────┴──────────┴────────────┴────────┴──────┴───────┴──
//   frame     ┌──────────┬─────────┬──────────┬─────────┬──────────┬────────────┬────────┬──────┬─────────┐
//             │ magic u32│ crc u32 │ payload  │ sum u32 │ position │ kind u32,  │ totals │ time │ payload │
//             │ of log   │ of head │ size u32 │ of it   │ u64      │ items u32  │ 4×u64  │ u64  │         │
//             └──────────┴─────────┴──────────┴─────────┴──────────┴────────────┴────────┴──────┴─────────┘
//   kind      its lowest byte is the signal, the one above it the kind of the payload's checksum
//   totals    what the log had taken before this point: spans, data points, log records, payload bytes
//   time      when it was written, in ms since 1970
//
// Both heads have 72 bytes, little-endian. The head has a checksum apart from the payload's: a damaged
// payload costs its own frame, a damaged head is stepped over by looking for the next sound one. Every
// frame carries the totals, so what lies between two sound frames is known even when it cannot be read.
//
// The magic of frames is the first half of the log's id, which is random: payloads come from strangers,
// and one of them could hold what looks like a frame, for the day on which the head before it is damaged.
// In format 1 it was "fram" for every log, and up to format 2 all checksums were crc32; such segments can be
// read still.
//
// The file may have been another segment before: what that one has left is overwritten, not cut off, since
// blocks that the disk has and pages that the system holds cost half of what new ones do. Its frames have
// positions below this one's base, so they are none here; and behind the last frame stands a mark of eight
// bytes, "ends" and the log's magic, as long as the file goes on. Where neither stands, something was torn.

import type { FileHandle } from "node:fs/promises";
import { crc32 } from "node:zlib";
import { type Batch, noItems, type PerSignal, type Signal, signals } from "../wire/batch.ts";
import { type Checksum, checksumOf, checksums } from "./checksum.ts";

export const headBytes = 72;
export const formatVersion = 4;

/** What a log has taken up to some point. */
export interface Totals {
  readonly items: PerSignal;
  readonly bytes: number;
}

export const noTotals = (): Totals => ({ items: noItems(), bytes: 0 });

export interface SegmentHead {
  readonly logId: string;
  /** What its frames begin with. */
  readonly magic: number;
  readonly base: number;
  readonly before: Totals;
  readonly atMs: number;
}

export interface FrameHead {
  readonly position: number;
  readonly signal: Signal;
  readonly items: number;
  readonly payloadBytes: number;
  readonly checksum: Checksum;
  readonly payloadSum: number;
  readonly before: Totals;
  readonly atMs: number;
}

/** A segment that can be read; `end` is how far, `upTo` the position behind its last frame. */
export interface Segment {
  readonly base: number;
  readonly file: string;
  readonly handle: FileHandle;
  /** What its frames begin with. */
  readonly magic: number;
  readonly before: Totals;
  end: number;
  upTo: number;
  after: Totals;
  /** Some of the frames that this process wrote, far apart and in their order. */
  readonly milestones: Milestone[];
}

/** Where a frame begins. */
interface Milestone {
  readonly position: number;
  readonly at: number;
}

const milestoneBytes = 1 << 20;

/** So that a reader need not go through all before its place. To be called where a frame will begin at the end. */
export function addMilestone({ milestones, end, upTo }: Segment): void {
  const last = milestones.at(-1)?.at ?? 0;
  if (end >= last + milestoneBytes) milestones.push({ position: upTo, at: end });
}

/** Where to look for a position from. */
export function beginOf({ milestones }: Segment, position: number): number {
  return milestones.findLast((one) => one.position <= position)?.at ?? headBytes;
}

export function addTo(totals: Totals, batch: Batch): Totals {
  const items = { ...totals.items };
  items[batch.signal] += batch.items;
  return { items, bytes: totals.bytes + batch.bytes.length };
}

export function fileNameOf(base: number): string {
  return `${String(base).padStart(16, "0")}.segment`;
}

export function baseOf(fileName: string): number | undefined {
  const digits = /^(\d{16})\.segment$/.exec(fileName)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

// ── heads ────────────────────────────────────────────────────────────────────────────────────────

const segmentMagic = 0x746d6773; // "sgmt" as it stands in the file
const frameMagicOfFormat1 = 0x6d617266; // "fram"
const totalsAt = 32;
const timeAt = 64;

/** What the frames of a log begin with. */
export function frameMagicOf(logId: string): number {
  return Buffer.from(logId, "hex").readUInt32LE(0);
}

export function encodeSegmentHead({
  logId,
  base,
  before,
  atMs,
}: Omit<SegmentHead, "magic">): Buffer {
  const head = Buffer.alloc(headBytes);
  head.writeUInt32LE(segmentMagic, 0);
  head.writeUInt32LE(formatVersion, 8);
  head.write(logId, 16, "hex");
  writeUint64(head, base, 24);
  writeTotals(head, totalsAt, before);
  writeUint64(head, atMs, timeAt);
  head.writeUInt32LE(crc32(head.subarray(8)), 4);
  return head;
}

/** Undefined for a head that is damaged; a version that we do not know is an error, not damage. */
export function decodeSegmentHead(head: Buffer, file: string): SegmentHead | undefined {
  if (head.length < headBytes || head.readUInt32LE(0) !== segmentMagic) return undefined;
  if (crc32(head.subarray(8, headBytes)) !== head.readUInt32LE(4)) return undefined;
  const version = head.readUInt32LE(8);
  if (version < 1 || version > formatVersion) {
    throw new Error(
      `${file} has format ${version}, this version of sonde reads up to ${formatVersion}; ` +
        "use the version that wrote it until its data is delivered, or another data_dir",
    );
  }
  const logId = head.toString("hex", 16, 24);
  return {
    logId,
    magic: version === 1 ? frameMagicOfFormat1 : frameMagicOf(logId),
    base: readUint64(head, 24),
    before: readTotals(head, totalsAt),
    atMs: readUint64(head, timeAt),
  };
}

/** Writes the head into `headBytes` of `into`. */
export function encodeFrameHead(
  into: Buffer,
  { magic, position, batch, before, atMs }: FrameToWrite,
): void {
  into.writeUInt32LE(magic, 0);
  into.writeUInt32LE(batch.bytes.length, 8);
  into.writeUInt32LE(checksumOf("xxh64", batch.bytes), 12);
  writeUint64(into, position, 16);
  into.writeUInt32LE(kindOf(batch.signal, "xxh64"), 24);
  into.writeUInt32LE(batch.items, 28);
  writeTotals(into, totalsAt, before);
  writeUint64(into, atMs, timeAt);
  into.writeUInt32LE(crc32(into.subarray(8, headBytes)), 4);
}

const kindOf = (signal: Signal, checksum: Checksum): number =>
  signals.indexOf(signal) | (checksums.indexOf(checksum) << 8);

export interface FrameToWrite {
  readonly magic: number;
  readonly position: number;
  readonly batch: Batch;
  readonly before: Totals;
  readonly atMs: number;
}

/** Bytes in which to look for frames. */
export interface Searched {
  readonly bytes: Buffer;
  /** How far they are filled. */
  readonly end: number;
  readonly magic: number;
  /** Of the segment: what has a position below is of another one that was in this file before. */
  readonly base: number;
}

/** Undefined where no sound head stands. */
export function decodeFrameHead(
  { bytes, end, magic, base }: Searched,
  at: number,
): FrameHead | undefined {
  if (at + headBytes > end || bytes.readUInt32LE(at) !== magic) return undefined;
  if (crc32(bytes.subarray(at + 8, at + headBytes)) !== bytes.readUInt32LE(at + 4))
    return undefined;
  const kind = bytes.readUInt32LE(at + 24);
  const signal = signals[kind & 0xff];
  const checksum = checksums[kind >>> 8];
  const position = readUint64(bytes, at + 16);
  if (!signal || !checksum || position < base) return undefined;
  return {
    position,
    signal,
    items: bytes.readUInt32LE(at + 28),
    payloadBytes: bytes.readUInt32LE(at + 8),
    checksum,
    payloadSum: bytes.readUInt32LE(at + 12),
    before: readTotals(bytes, at + totalsAt),
    atMs: readUint64(bytes, at + timeAt),
  };
}

/** Where the next sound head begins, at `from` or behind it; −1 if there is none in these bytes. */
export function findFrameHead(searched: Searched, from: number): number {
  const filled = searched.bytes.subarray(0, searched.end);
  const magic = Buffer.alloc(4);
  magic.writeUInt32LE(searched.magic);
  for (let at = filled.indexOf(magic, from); at >= 0; at = filled.indexOf(magic, at + 1)) {
    if (decodeFrameHead(searched, at)) return at;
  }
  return -1;
}

/** What stands behind the last frame where the file goes on with what it held before. */
export function endMarkOf(magic: number): Buffer {
  const mark = Buffer.from("ends0000");
  mark.writeUInt32LE(magic, 4);
  return mark;
}

export function isSound(head: FrameHead, payload: Uint8Array): boolean {
  return checksumOf(head.checksum, payload) === head.payloadSum;
}

/** The totals behind a frame. */
export function after({ before, signal, items, payloadBytes }: FrameHead): Totals {
  const sum = { ...before.items };
  sum[signal] += items;
  return { items: sum, bytes: before.bytes + payloadBytes };
}

function writeTotals(into: Buffer, at: number, { items, bytes }: Totals): void {
  writeUint64(into, items.traces, at);
  writeUint64(into, items.metrics, at + 8);
  writeUint64(into, items.logs, at + 16);
  writeUint64(into, bytes, at + 24);
}

function readTotals(from: Buffer, at: number): Totals {
  return {
    items: {
      traces: readUint64(from, at),
      metrics: readUint64(from, at + 8),
      logs: readUint64(from, at + 16),
    },
    bytes: readUint64(from, at + 24),
  };
}

/** In halves: a BigInt for each of them would be half of what a frame costs. */
function writeUint64(into: Buffer, value: number, at: number): void {
  into.writeUInt32LE(value % 2 ** 32, at);
  into.writeUInt32LE(Math.floor(value / 2 ** 32), at + 4);
}

function readUint64(from: Buffer, at: number): number {
  return from.readUInt32LE(at) + from.readUInt32LE(at + 4) * 2 ** 32;
}
