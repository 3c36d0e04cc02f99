// Requests split within limits: what the parts say together is what the whole said.

import { deepStrictEqual } from "node:assert";
import { type Batch, type Signal, signals } from "../../../collector/wire/batch.ts";
import { Cursor } from "../../../collector/wire/cursor.ts";
import { Leaves, type Range } from "../../../collector/wire/leaves.ts";
import { type Part, split, type SplitLimits } from "../../../collector/wire/split.ts";
import { validate } from "../../../collector/wire/validate.ts";
import { protobufSeeds } from "../seeds.ts";
import { demand, type Target } from "../target.ts";

export const targets: readonly Target[] = signals.map((signal) => ({
  name: `split-${signal}`,
  covers: [
    "collector/wire/split.ts",
    "collector/wire/split-metric.ts",
    "collector/wire/composition.ts",
    "collector/wire/writer.ts",
  ],
  shape: "protobuf",
  seeds: (random) => protobufSeeds(signal, random),
  run: (input) => splitUp(signal, input),
  inspect(input, isTaken) {
    if (isTaken) compare(signal, input);
  },
}));

/** The length of an input decides, too, so that each place in a request becomes the end of a part. */
function limitsFor({ length }: Uint8Array): SplitLimits[] {
  return [
    { maxItems: 1, maxBytes: Infinity },
    { maxItems: 1 + (length % 3), maxBytes: length >> 1 },
    { maxItems: Infinity, maxBytes: 1 + (length % 97) },
  ];
}

function splitUp(signal: Signal, input: Uint8Array): boolean {
  const result = validate(signal, input);
  if (result.kind === "invalid") return false;
  for (const limits of limitsFor(input)) checkParts(result.batch, limits);
  return true;
}

function checkParts(batch: Batch, limits: SplitLimits): Part[] {
  const parts = [...split(batch, limits)];
  let items = 0;
  let leaves = 0;
  for (const part of parts) {
    const { signal, bytes } = part.batch;
    const again = validate(signal, bytes);
    demand(again.kind === "valid", () => `an invalid part: ${JSON.stringify(again)}`);
    demand(again.batch.items === part.batch.items, () => `${part.batch.items} items in a part`);
    const count = leavesIn(bytes);
    const isWithin = part.batch.items <= limits.maxItems && bytes.length <= limits.maxBytes;
    demand(isWithin || count <= 1, () => `${part.batch.items} items, ${bytes.length} bytes`);
    // A metric of which there are several parts is the first leaf of all but the first.
    const isPlaced = signal === "metrics" || count === 0 || part.firstLeaf === leaves;
    demand(isPlaced, () => `a part from leaf ${part.firstLeaf}, not ${leaves}`);
    items += part.batch.items;
    leaves += count;
  }
  demand(items === batch.items, () => `${items} items in parts, ${batch.items} in the whole`);
  demand(batch.signal === "metrics" || leaves === leavesIn(batch.bytes), () => `${leaves} leaves`);
  return parts;
}

function leavesIn(bytes: Uint8Array): number {
  const leaves = new Leaves({ bytes });
  let count = 0;
  while (leaves.next()) count++;
  return count;
}

function compare(signal: Signal, input: Uint8Array): void {
  const result = validate(signal, input);
  if (result.kind === "invalid") return;
  const whole = rowsOf(signal, result.batch.bytes); // of the input, what it means to protobuf
  for (const limits of limitsFor(input)) {
    const parts = checkParts(result.batch, limits);
    deepStrictEqual(
      parts.flatMap(({ batch }) => rowsOf(signal, batch.bytes)),
      whole,
    );
  }
}

/** A line for each span, log record or data point, with the resource and the scope that it stands under. */
function rowsOf(signal: Signal, bytes: Uint8Array): string[] {
  const rows: string[] = [];
  const leaves = new Leaves({ bytes });
  while (leaves.next()) {
    const around = `${hex(bytes, leaves.resource)} ${hex(bytes, leaves.scope)}`;
    const leaf = signal === "metrics" ? pointsOf(leaves) : [hex(bytes, leaves)];
    rows.push(...leaf.map((row) => `${around} ${row}`));
  }
  return rows;
}

const hex = (bytes: Uint8Array, { start, end }: Range): string =>
  Buffer.from(bytes.subarray(start, end)).toString("hex");

const dataFields: ReadonlySet<number> = new Set([5, 7, 9, 10, 11]);

function pointsOf({ bytes, start, end }: Leaves): string[] {
  const points: string[] = [];
  let description = "";
  let shared = "";
  const fields = new Cursor(bytes, start, end);
  while (fields.next()) {
    if (!dataFields.has(fields.number)) {
      description += hex(bytes, { start: fields.fieldStart, end: fields.end });
      continue;
    }
    const data = new Cursor(bytes, fields.start, fields.end);
    while (data.next()) {
      if (data.number === 1) points.push(`${fields.number} ${hex(bytes, data)}`);
      else shared += hex(bytes, { start: data.fieldStart, end: data.end });
    }
  }
  return (points.length > 0 ? points : ["-"]).map((point) => `${description} ${shared} ${point}`);
}
