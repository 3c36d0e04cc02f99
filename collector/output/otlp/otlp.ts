// The output to any OTLP server: the waiting batches of a delivery are sent as one request, which for
// OTLP is simply one after the other. Nothing is decoded.

import type { Output, OutputContext } from "../output.ts";
import type { Sender } from "./http-sender.ts";
import type { OtlpSettings } from "./settings.ts";

/** Below the 4 MiB that gRPC servers take unless told otherwise. */
const maxBytes = 4_000_000;
const maxItems = 10_000;

export async function open(settings: OtlpSettings, _context: OutputContext): Promise<Output> {
  const sender = await senderFor(settings);
  return {
    wants: settings.signals,
    maxItems,
    maxBytes,
    deliver: (delivery, signal) => sender.send(delivery, signal),
    close: async () => sender.close(),
  };
}

/** Only the transport that is used is loaded. */
async function senderFor(settings: OtlpSettings): Promise<Sender> {
  const { endpoint, headers, compression, timeout_ms: timeoutMs } = settings;
  const senderSettings = { endpoint, headers, compression, timeoutMs };
  if (/^grpcs?:/.test(endpoint)) {
    return (await import("./grpc-sender.ts")).grpcSender(senderSettings);
  }
  return (await import("./http-sender.ts")).httpSender(senderSettings);
}
