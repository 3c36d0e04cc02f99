// A request that holds one leaf of another, under its own resource and scope: what a dead letter keeps.

import { Cursor } from "./cursor.ts";
import { everyLeaf } from "./leaves.ts";
import { Writer } from "./writer.ts";

/** `index` counts the leaves as Leaves does; undefined if there are not so many. */
export function extractLeaf(bytes: Uint8Array, index: number): Uint8Array | undefined {
  let count = 0;
  let extracted: Uint8Array | undefined;
  everyLeaf(bytes, (leaf, scope, group) => {
    if (count++ < index) return true;
    extracted = write(group, scope, leaf);
    return false;
  });
  return extracted;
}

function write(group: Cursor, scope: Cursor, leaf: Cursor): Uint8Array {
  const writer = new Writer();
  writer.begin(1);
  writer.raw(descriptionOf(group));
  writer.begin(2);
  writer.raw(descriptionOf(scope));
  writer.raw(leaf.bytes.subarray(leaf.fieldStart, leaf.end));
  writer.end();
  writer.end();
  return writer.finish();
}

/** All fields of a group, by resource or by scope, but its children, which are field 2 of both. */
export function descriptionOf({ bytes, start, end }: Cursor): Uint8Array {
  const writer = new Writer();
  const fields = new Cursor(bytes, start, end);
  while (fields.next()) {
    if (fields.number !== 2) writer.raw(bytes.subarray(fields.fieldStart, fields.end));
  }
  return writer.finish();
}
