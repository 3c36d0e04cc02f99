// Sends a request over OTLP/HTTP as somebody does who has it in protobuf.

import type { Signal } from "../../collector/wire/batch.ts";

/** Gives the status of the answer. `base` is what stands before /v1/…. */
export async function post(base: string, signal: Signal, bytes: Uint8Array): Promise<number> {
  const response = await fetch(`${base}/v1/${signal}`, {
    method: "POST",
    headers: { "content-type": "application/x-protobuf" },
    body: Buffer.from(bytes),
  });
  await response.arrayBuffer(); // so that the connection can be used again
  return response.status;
}
