// The output to any OTLP server: the waiting batches of a delivery are sent as one request, which for
// OTLP is simply one after the other. Nothing is decoded.

import { Memory } from "../../memory/memory.ts";
import type { Output, OutputContext } from "../output.ts";
import { tlsFilesOf } from "../tls-files.ts";
import type { Sender } from "./http-sender.ts";
import type { OtlpSettings } from "./settings.ts";

export async function open(settings: OtlpSettings, context: OutputContext): Promise<Output> {
  const sender = await senderFor(settings, context);
  return {
    wants: settings.signals,
    maxItems: settings.max_request_items,
    maxBytes: settings.max_request_bytes,
    maxInFlight: settings.max_in_flight,
    takesParts: true,
    deliver: (delivery, signal) => sender.send(delivery, signal),
    close: async () => sender.close(),
  };
}

/** What is behind a transport is loaded only by those who use it. */
async function senderFor(settings: OtlpSettings, context: OutputContext): Promise<Sender> {
  const { endpoint, headers, compression } = settings;
  const { timeout_ms: timeoutMs, max_in_flight: maxInFlight } = settings;
  const tls = tlsFilesOf({ url: endpoint, ...settings }, context);
  const { memory = new Memory() } = context;
  const senderSettings = { endpoint, headers, compression, timeoutMs, maxInFlight, memory, tls };
  if (endpoint.startsWith("grpc")) {
    return (await import("./grpc-sender.ts")).grpcSender(senderSettings);
  }
  return (await import("./http-sender.ts")).httpSender(senderSettings);
}
