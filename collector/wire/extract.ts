// A request that holds one leaf of another, under its own resource and scope: what a dead letter keeps.

import { Cursor } from "./cursor.ts";
import { Writer } from "./writer.ts";

/** `index` counts the leaves as Leaves does; undefined if there are not so many. */
export function extractLeaf(bytes: Uint8Array, index: number): Uint8Array | undefined {
  const groups = new Cursor(bytes);
  const scopes = new Cursor(bytes, 0, 0);
  const leaves = new Cursor(bytes, 0, 0);
  let count = 0;
  while (groups.next()) {
    if (groups.number !== 1) continue;
    scopes.over(groups.start, groups.end);
    while (scopes.next()) {
      if (scopes.number !== 2) continue;
      leaves.over(scopes.start, scopes.end);
      while (leaves.next()) {
        if (leaves.number === 2 && count++ === index) return write(groups, scopes, leaves);
      }
    }
  }
  return undefined;
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
