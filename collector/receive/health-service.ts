// grpc.health.v1.Health/Check: whether a service takes calls. Of use to orchestrators and load balancers,
// and told to anyone, as its answer says no more than that the port is open. Watch is not offered:
// those who would use it are told so (UNIMPLEMENTED), which they take as healthy.

import { Cursor } from "../wire/cursor.ts";
import { Writer } from "../wire/writer.ts";

export const healthPath = "/grpc.health.v1.Health/Check";

/** The service that a HealthCheckRequest asks for, "" for the whole server; undefined if it is none. */
export function serviceAskedFor(message: Uint8Array): string | undefined {
  // Its only field is 1, a string: small enough to be read strictly instead of walked.
  if (message.length === 0) return "";
  const length = message[1];
  if (message[0] !== 0x0a || length === undefined || length !== message.length - 2)
    return undefined;
  const request = new Cursor(message);
  request.next();
  return request.text();
}

export function encodeHealth(isServing: boolean): Uint8Array {
  const writer = new Writer(8);
  writer.uint(1, isServing ? 1 : 2);
  return writer.finish();
}
