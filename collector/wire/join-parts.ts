// A resource or a scope that stands in its group in several parts is one message to protobuf: the parts one
// after the other. No encoder is known that writes it so, but every decoder takes it. Whoever reads a
// resource here reads one stretch of bytes, so the parts are put together before anybody does.

import { Cursor } from "./cursor.ts";
import { Writer } from "./writer.ts";

/** Of a request that may be read with Cursor; the joined one stands where its first part stood. */
export function joinParts(bytes: Uint8Array): Uint8Array {
  const writer = new Writer(bytes.length);
  const request = new Cursor(bytes);
  while (request.next()) {
    if (request.number === 1) copyGroup(writer, request, groupLevel);
    else writer.raw(bytes.subarray(request.fieldStart, request.end));
  }
  return writer.finish();
}

const groupLevel = 1;
const scopeLevel = 2;

/** Of both levels: what describes the group is in field 1, its children in field 2. */
function copyGroup(writer: Writer, group: Cursor, level: number): void {
  const { bytes, number, start, end } = group;
  const parts: Uint8Array[] = [];
  const fields = new Cursor(bytes, start, end);
  while (fields.next()) if (fields.number === 1) parts.push(fields.slice());
  writer.begin(number);
  fields.over(start, end);
  while (fields.next()) {
    if (fields.number === 1) {
      if (parts.length === 0) continue; // they have been written
      writer.begin(1);
      for (const part of parts.splice(0)) writer.raw(part);
      writer.end();
    } else if (fields.number === 2 && level < scopeLevel) copyGroup(writer, fields, level + 1);
    else writer.raw(bytes.subarray(fields.fieldStart, fields.end));
  }
  writer.end();
}
