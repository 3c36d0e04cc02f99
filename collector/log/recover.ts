// What a folder holds when a log is opened: its segments, and where the log goes on. Only the last
// segment is read; how far an earlier one goes stands in the head of the next.

import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import type { Incidents } from "../telemetry/incidents.ts";
import { CursorFile } from "./cursor-file.ts";
import { FrameScan } from "./frame-scan.ts";
import {
  after,
  baseOf,
  decodeSegmentHead,
  headBytes,
  noTotals,
  type Segment,
  type SegmentHead,
  type Totals,
} from "./segment.ts";

export interface Recovered {
  readonly id: string | undefined;
  readonly segments: Segment[];
  readonly head: number;
  readonly totals: Totals;
}

export async function recover(
  folder: string,
  names: readonly string[],
  incidents: Incidents,
): Promise<Recovered> {
  const segments: Segment[] = [];
  try {
    return await recoverInto(segments, { folder, names, incidents });
  } catch (error) {
    for (const { handle } of segments) await handle.close().catch(() => {});
    throw error;
  }
}

interface Found {
  readonly folder: string;
  readonly names: readonly string[];
  readonly incidents: Incidents;
}

async function recoverInto(
  segments: Segment[],
  { folder, names, incidents }: Found,
): Promise<Recovered> {
  let id: string | undefined;
  for (const file of names.toSorted()) {
    if (baseOf(file) === undefined) continue;
    const { head, ...opened } = await openSegment(folder, file, incidents);
    id = head?.logId ?? id;
    const before = opened.before ?? (await endOfPrevious(segments.at(-1), incidents));
    segments.push({ ...opened, before, upTo: opened.base, after: before, milestones: [] });
  }
  segments.forEach((segment, index) => {
    const next = segments[index + 1];
    if (!next) return;
    segment.upTo = next.base;
    segment.after = next.before;
  });
  const last = segments.at(-1);
  let { head, totals } = last ? await findEnd(last, incidents) : { head: 0, totals: noTotals() };
  const ahead = await furthestCursor(folder, names);
  if (ahead && ahead.position > head) {
    // Its frames were damaged after they had been delivered: their positions must not be used again.
    const detail = `${ahead.position - head} batches that were delivered already are gone`;
    incidents.logDamaged(last?.file ?? folder, detail);
  }
  if (ahead && ahead.position >= head) ({ position: head, totals } = ahead);
  if (last) {
    // Up to where the next segment will begin, so that a reader steps over what is missing.
    last.upTo = head;
    last.after = totals;
  }
  return { id, segments, head, totals };
}

interface Opened extends Pick<Segment, "base" | "file" | "handle" | "magic" | "end"> {
  readonly head: SegmentHead | undefined;
  /** Undefined where nothing in the file tells, as when a kill came before its head was written. */
  readonly before: Totals | undefined;
}

async function openSegment(folder: string, file: string, incidents: Incidents): Promise<Opened> {
  const path = join(folder, file);
  const handle = await open(path, "r");
  try {
    const { head, magic } = await readSegmentHead(handle, path);
    const { size } = await handle.stat();
    const base = baseOf(file) ?? 0;
    let before = head?.before;
    if (!before) {
      // The first sound frame tells what the head should have told.
      const first = await new FrameScan({ handle, magic, base, end: size }).next();
      before = first?.head.before;
      if (size > 0) incidents.logDamaged(file, "its head is damaged");
    }
    return { base, file, handle, magic, head, before, end: size };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** The head is undefined where it is damaged; its first frame then tells what frames begin with. */
export async function readSegmentHead(
  handle: FileHandle,
  path: string,
): Promise<{ readonly head: SegmentHead | undefined; readonly magic: number }> {
  const bytes = Buffer.alloc(headBytes + 4);
  const { bytesRead } = await handle.read(bytes, 0, bytes.length, 0);
  const head = decodeSegmentHead(bytes.subarray(0, Math.min(bytesRead, headBytes)), path);
  return { head, magic: head?.magic ?? bytes.readUInt32LE(headBytes) };
}

/** Reads the last segment through; what follows its last sound frame was never acknowledged, or is damaged. */
async function findEnd(
  segment: Segment,
  incidents: Incidents,
): Promise<{ head: number; totals: Totals }> {
  const size = segment.end;
  const scan = new FrameScan(segment);
  let end = Math.min(size, headBytes);
  for (let frame = await scan.next(); frame; frame = await scan.next()) {
    segment.upTo = frame.head.position + 1;
    segment.after = after(frame.head);
    end = frame.end;
  }
  if (end < size && !(await scan.isMarked(end))) {
    const detail = `its last ${size - end} bytes are no whole frame: torn by a crash, or damaged`;
    incidents.logDamaged(segment.file, detail);
  }
  segment.end = end;
  const { highest } = scan;
  // A last frame whose head is sound still tells how much was lost with its payload.
  return highest && highest.position >= segment.upTo
    ? { head: highest.position + 1, totals: after(highest) }
    : { head: segment.upTo, totals: segment.after };
}

async function endOfPrevious(previous: Segment | undefined, incidents: Incidents): Promise<Totals> {
  return previous ? (await findEnd(previous, incidents)).totals : noTotals();
}

async function furthestCursor(
  folder: string,
  names: readonly string[],
): Promise<{ position: number; totals: Totals } | undefined> {
  let furthest: { position: number; totals: Totals } | undefined;
  for (const name of names) {
    if (!name.endsWith(".cursor")) continue;
    const state = await CursorFile.read(join(folder, name));
    if (state && state.position > (furthest?.position ?? -1)) furthest = state;
  }
  return furthest;
}
