// What a folder holds when a log is opened: its segments, and where the log goes on. Only the last
// segment is read; how far an earlier one goes stands in the head of the next.

import { open } from "node:fs/promises";
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
  let id: string | undefined;
  for (const file of names.toSorted()) {
    if (baseOf(file) === undefined) continue;
    const opened = await openSegment(folder, file, incidents);
    id = opened.head?.logId ?? id;
    segments.push(opened.segment);
  }
  segments.forEach((segment, index) => {
    const next = segments[index + 1];
    if (!next) return;
    segment.upTo = next.base;
    segment.after = next.before;
  });
  const last = segments.at(-1);
  let head = last ? await findEnd(last, incidents) : 0;
  let totals = last?.after ?? noTotals();
  const ahead = await furthestCursor(folder, names);
  if (ahead && ahead.position > head) {
    // Its frames were damaged after they had been delivered: their positions must not be used again.
    const detail = `${ahead.position - head} batches that were delivered already are gone`;
    incidents.logDamaged(last?.file ?? folder, detail);
    ({ position: head, totals } = ahead);
  }
  if (last) {
    // Up to where the next segment will begin, so that a reader steps over what is missing.
    last.upTo = head;
    last.after = totals;
  }
  return { id, segments, head, totals };
}

async function openSegment(
  folder: string,
  file: string,
  incidents: Incidents,
): Promise<{ segment: Segment; head: SegmentHead | undefined }> {
  const handle = await open(join(folder, file), "r");
  const bytes = Buffer.alloc(headBytes);
  const { bytesRead } = await handle.read(bytes, 0, headBytes, 0);
  const head = decodeSegmentHead(bytes.subarray(0, bytesRead), join(folder, file));
  const { size } = await handle.stat();
  const base = baseOf(file) ?? 0;
  let before = head?.before;
  if (!before) {
    // The first sound frame tells what the head should have told.
    const first = await new FrameScan({ handle, end: size }).next();
    before = first?.head.before ?? noTotals();
    if (size > 0) incidents.logDamaged(file, "its head is damaged");
  }
  const segment = { base, file, handle, before, end: size, upTo: base, after: before };
  return { segment, head };
}

/** Reads the last segment through; what follows its last sound frame was never acknowledged, or is damaged. */
async function findEnd(segment: Segment, incidents: Incidents): Promise<number> {
  const size = segment.end;
  const scan = new FrameScan(segment);
  let end = Math.min(size, headBytes);
  for (let frame = await scan.next(); frame; frame = await scan.next()) {
    segment.upTo = frame.head.position + 1;
    segment.after = after(frame.head);
    end = frame.end;
  }
  if (end < size) {
    const detail = `its last ${size - end} bytes are no whole frame: torn by a crash, or damaged`;
    incidents.logDamaged(segment.file, detail);
  }
  segment.end = end;
  return Math.max(segment.upTo, scan.highest + 1);
}

async function furthestCursor(
  folder: string,
  names: readonly string[],
): Promise<{ position: number; totals: Totals } | undefined> {
  let furthest: { position: number; totals: Totals } | undefined;
  for (const name of names) {
    if (!name.endsWith(".cursor")) continue;
    const { file, state } = await CursorFile.open(join(folder, name));
    await file.close();
    if (state && state.position > (furthest?.position ?? -1)) furthest = state;
  }
  return furthest;
}
