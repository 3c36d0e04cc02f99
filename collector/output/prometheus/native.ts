// The buckets of a native histogram as Prometheus has them in protobuf, the same in a scrape and in remote
// write but for the numbers of the fields: one span a side, and how each count differs from the one before.

import type { Writer } from "../../wire/writer.ts";
import type { BucketRun, ExponentialHistogram } from "./exponential.ts";

/** `schema` is the number of that field; the others stand behind it in the same order everywhere. */
export function writeNative(writer: Writer, native: ExponentialHistogram, schema: number): void {
  writer.sint32(schema, native.scale);
  // Without it a histogram with nothing in it would not be known as a native one.
  writer.double(schema + 1, native.zeroThreshold > 0 ? native.zeroThreshold : leastZeroThreshold);
  writeCount(writer, schema + 2, native.zeroCount);
  writeRun(writer, schema + 4, native.negative);
  writeRun(writer, schema + 7, native.positive);
}

export function writeCount(writer: Writer, field: number, count: number): void {
  if (Number.isSafeInteger(count)) writer.uint(field, count);
  else writer.int64(field, BigInt(count));
}

function writeRun(writer: Writer, field: number, { offset, counts }: BucketRun): void {
  if (counts.length === 0) return;
  writer.begin(field);
  writer.sint32(1, offset + 1); // a bucket is numbered by its upper bound here, by its lower one in OTLP
  writer.uint(2, counts.length);
  writer.end();
  let before = 0;
  for (const count of counts) {
    writer.int64(field + 1, zigzag(count - before));
    before = count;
  }
}

const leastZeroThreshold = 1e-128; // Prometheus's own default

const zigzag = (value: number): bigint => {
  const whole = BigInt(value);
  return whole < 0n ? -2n * whole - 1n : 2n * whole;
};
