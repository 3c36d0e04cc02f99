// What is read back from the disk: segments and cursors that were damaged. An input to `frames` is a list
// of damages to one segment, so that it is known which frames must still be found: all that no damage
// has touched, in their order, and nothing else.

import type { FileHandle } from "node:fs/promises";
import { loadChecksum } from "../../../collector/log/checksum.ts";
import { type CursorState, encode, lastSound } from "../../../collector/log/cursor-file.ts";
import { FrameScan } from "../../../collector/log/frame-scan.ts";
import {
  addTo,
  encodeFrameHead,
  frameMagicOf,
  encodeSegmentHead,
  headBytes,
  noTotals,
} from "../../../collector/log/segment.ts";
import { signals } from "../../../collector/wire/batch.ts";
import type { Random } from "../random.ts";
import { demand, type Target } from "../target.ts";

export const targets: readonly Target[] = [
  {
    name: "frames",
    covers: ["collector/log/frame-scan.ts", "collector/log/segment.ts"],
    seeds: (random) => Array.from({ length: 40 }, () => someDamages(random)),
    maxBytes: 60,
    run: scan,
  },
  {
    name: "cursor-file",
    covers: ["collector/log/cursor-file.ts"],
    shape: "text",
    seeds: (random) => Array.from({ length: 20 }, () => someCursorFile(random)),
    run: readCursor,
  },
];

// ── frames ───────────────────────────────────────────────────────────────────────────────────────

interface Written {
  readonly at: number;
  readonly end: number;
  readonly payload: Buffer;
}

await loadChecksum();
const logId = "6672616dfedcba98"; // "fram" in front
const magic = frameMagicOf(logId);
const { segment, frames } = write([0, 1, 40, 71, 72, 73, 300, 500, 8, 0, 144, 250]);

function write(sizes: readonly number[]): { segment: Buffer; frames: Written[] } {
  const frames: Written[] = [];
  const parts = [encodeSegmentHead({ logId, base: 0, before: noTotals(), atMs: 1 })];
  let before = noTotals();
  let at = headBytes;
  sizes.forEach((size, position) => {
    // Some payloads hold what a head begins with.
    const payload = Buffer.alloc(size, position % 3 === 0 ? "fram" : String(position));
    const batch = { signal: signals[position % 3]!, bytes: payload, items: position };
    const head = Buffer.alloc(headBytes);
    encodeFrameHead(head, { magic, position, batch, before, atMs: 1 });
    before = addTo(before, batch);
    parts.push(head, payload);
    frames.push({ at, end: at + headBytes + size, payload });
    at += headBytes + size;
  });
  return { segment: Buffer.concat(parts), frames };
}

const damageBytes = 5;

function someDamages(random: Random): Uint8Array {
  const count = random.few(4) * damageBytes;
  return Uint8Array.from({ length: count }, () => random.next());
}

async function scan(input: Uint8Array): Promise<boolean> {
  const { bytes, isMoved } = damage(Buffer.from(segment), input);
  const found: number[] = [];
  const file = { handle: fileOf(bytes), magic, base: 0, end: bytes.length };
  const scan = new FrameScan(file);
  for (let frame = await scan.next(); frame; frame = await scan.next()) {
    const { position } = frame.head;
    const same = frames[position];
    demand(same?.payload.equals(frame.payload) === true, () => `frame ${position} never was`);
    demand(frame.end <= bytes.length, () => "a frame beyond the end");
    found.push(position);
  }
  demand(found.length <= bytes.length / headBytes, () => "more frames than have room");
  const untouched = [...frames.keys()].filter((position) => {
    const { at, end } = frames[position]!;
    return end <= bytes.length && bytes.subarray(at, end).equals(segment.subarray(at, end));
  });
  // A stretch written to the wrong place can carry a sound head there, which hides what its length spans.
  const isRight = isMoved || String(found) === String(untouched);
  demand(isRight, () => `found ${found.join()}, not ${untouched.join()}`);
  return found.length === frames.length;
}

function damage(bytes: Buffer, damages: Uint8Array): { bytes: Buffer; isMoved: boolean } {
  let isMoved = false;
  for (let at = 0; at + damageBytes <= damages.length; at += damageBytes) {
    const [kind, high, low, length, value] = damages.subarray(at, at + damageBytes);
    const place = (high! * 256 + low!) % Math.max(bytes.length, 1);
    const end = Math.min(place + length!, bytes.length);
    switch (kind! % 8) {
      case 0:
        bytes = bytes.subarray(0, place);
        break;
      case 1:
      case 2:
        bytes.fill(kind! % 8 === 1 ? 0 : value!, place, end);
        break;
      case 3:
        isMoved = true;
        bytes.copy(bytes, (place + value! * 8) % Math.max(bytes.length, 1), place, end);
        break;
      default:
        if (place < bytes.length) bytes[place]! ^= value!;
    }
  }
  return { bytes, isMoved };
}

/** As much of a file as a scan uses. */
function fileOf(bytes: Buffer): FileHandle {
  const read = async (
    into: Buffer,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ bytesRead: number }> => ({
    bytesRead: bytes.copy(into, offset, position, position + length),
  });
  return { read } as unknown as FileHandle;
}

// ── cursors ──────────────────────────────────────────────────────────────────────────────────────

const cursors: readonly CursorState[] = Array.from({ length: 12 }, (_, position) => ({
  position,
  totals: { items: { traces: position * 7, metrics: 0, logs: 2 ** position }, bytes: position },
  memo: position % 2 === 0 ? undefined : `{"lines":["${"é\n".repeat(position)}"]}`,
}));

const lines = new Map(cursors.map((state) => [partsOf(encode(state).trimEnd()), state]));

/** Checksum and content; whatever stands between them is not looked at. */
function partsOf(line: string): string {
  return line.slice(0, 8) + line.slice(9);
}

function someCursorFile(random: Random): Uint8Array {
  const count = random.below(5);
  return Buffer.from(Array.from({ length: count }, () => encode(random.of(cursors))).join(""));
}

function readCursor(input: Uint8Array): boolean {
  const text = Buffer.from(input).toString("utf8");
  const states = text.split("\n").map((line) => lines.get(partsOf(line)));
  const expected = states.findLast((state) => state !== undefined);
  const found = lastSound(text);
  demand(
    JSON.stringify(found) === JSON.stringify(expected),
    () => `${JSON.stringify(found)}, not ${JSON.stringify(expected)}`,
  );
  return found !== undefined;
}
