// When a gRPC server wants to be asked again: google.rpc.RetryInfo, one of the details of a Status.

import { Cursor } from "../../wire/cursor.ts";
import { RetryInfo, RpcStatus } from "../../wire/schema.ts";
import { isReadable } from "../../wire/validate.ts";
import { longestWaitMs } from "../retry-after.ts";

const typeName = "google.rpc.RetryInfo";

/** Undefined where it does not say, or cannot be read. */
export function retryDelayMs(status: Uint8Array): number | undefined {
  if (!isReadable(RpcStatus, status)) return undefined;
  const fields = new Cursor(status);
  while (fields.next()) {
    if (fields.number !== 3) continue;
    const info = valueOf(fields.slice());
    if (info && isReadable(RetryInfo, info)) return delayOf(info);
  }
  return undefined;
}

/** What an Any holds, if it is a RetryInfo. */
function valueOf(any: Uint8Array): Uint8Array | undefined {
  let type = "";
  let value: Uint8Array = new Uint8Array(0);
  const fields = new Cursor(any);
  while (fields.next()) {
    if (fields.number === 1) type = fields.text();
    if (fields.number === 2) value = fields.slice();
  }
  return type.slice(type.lastIndexOf("/") + 1) === typeName ? value : undefined;
}

function delayOf(info: Uint8Array): number {
  let ms = 0;
  const fields = new Cursor(info);
  const duration = new Cursor(info, 0, 0);
  while (fields.next()) {
    if (fields.number !== 1) continue;
    duration.over(fields.start, fields.end);
    while (duration.next()) {
      if (duration.number === 1) ms += Number(duration.int64()) * 1000;
      if (duration.number === 2) ms += duration.int32() / 1e6;
    }
  }
  return Math.min(Math.max(ms, 0), longestWaitMs);
}
