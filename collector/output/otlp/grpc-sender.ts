// OTLP over gRPC, as a client: bytes in, bytes out, sorted as over HTTP.

import { GrpcClient } from "../../http2/client.ts";
import type { GrpcAnswer } from "../../http2/client-call.ts";
import { type GrpcStatus, grpcCodes, nameOfCode } from "../../http2/grpc-status.ts";
import { encodeHeaders, type Header } from "../../http2/header-encoder.ts";
import { Memory } from "../../memory/memory.ts";
import { Scratch } from "../../memory/scratch.ts";
import { packageVersion } from "../../version.ts";
import type { Signal } from "../../wire/batch.ts";
import { reject, retry } from "../http-outcome.ts";
import type { Outcome } from "../output.ts";
import { outcomeOfSuccess } from "./answer.ts";
import { bodyOf } from "../otlp-body.ts";
import type { Sender, SenderSettings } from "./http-sender.ts";
import { retryDelayMs } from "./retry-info.ts";

const paths: Readonly<Record<Signal, string>> = {
  traces: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
  metrics: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
  logs: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
};

export function grpcSender(settings: SenderSettings): Sender {
  const { endpoint, compression, timeoutMs, tls, memory = new Memory() } = settings;
  const isTls = endpoint.startsWith("grpcs:");
  const url = new URL(endpoint.replace(/^grpc/, "http"));
  const client = new GrpcClient({
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: Number(url.port || (isTls ? 443 : 80)), // URL leaves these out
    tls: isTls ? () => tls?.current() ?? {} : undefined,
  });
  const heads = headsOf(settings, url.host);
  const isCompressed = compression === "gzip";

  return {
    async send(delivery, signal) {
      const scratch = new Scratch(memory);
      const parts = await bodyOf(delivery, compression, scratch);
      const head = heads[delivery.signal];
      const answer = await client.call({ head, parts, isCompressed, timeoutMs, signal });
      // Else some of it may be waiting to be sent, and must not become something else.
      if (answer.kind === "answered" && answer.isSent) scratch.release();
      return outcomeOf(answer, delivery.items);
    },
    close: () => client.close(),
  };
}

/** For each signal the headers are always the same, so they are made once. */
function headsOf(
  { endpoint, headers, compression, timeoutMs }: SenderSettings,
  authority: string,
): Readonly<Record<Signal, Buffer>> {
  const head = (path: string): Buffer =>
    encodeHeaders([
      [":method", "POST"],
      [":scheme", endpoint.startsWith("grpcs:") ? "https" : "http"],
      [":path", path],
      [":authority", authority],
      ["te", "trailers"],
      ["content-type", "application/grpc"],
      ["user-agent", `sonde/${packageVersion()}`],
      ["grpc-timeout", `${timeoutMs}m`],
      ["grpc-accept-encoding", "identity,gzip"],
      ...(compression === "gzip" ? [["grpc-encoding", "gzip"] as const] : []),
      ...customHeaders(headers),
    ]);
  return { traces: head(paths.traces), metrics: head(paths.metrics), logs: head(paths.logs) };
}

/** In lower case, as HTTP/2 wants names; those that are the protocol's own are not for users to set. */
function customHeaders(headers: SenderSettings["headers"]): Header[] {
  const reserved = /^(grpc-.*|te|content-type|connection|host|transfer-encoding|user-agent)$/;
  return Object.entries(headers)
    .map(([name, value]): Header => [name.toLowerCase(), value])
    .filter(([name]) => !reserved.test(name));
}

function outcomeOf(answer: GrpcAnswer, items: number): Outcome {
  if (answer.kind === "failed") return retry(answer.reason, answer.detail);
  const { status, message } = answer;
  return status.code === grpcCodes.ok ? outcomeOfSuccess(message) : outcomeOfError(status, items);
}

function outcomeOfError({ code, message, details }: GrpcStatus, items: number): Outcome {
  const detail = `gRPC ${nameOfCode(code)}: ${message}`.slice(0, 500);
  const afterMs = details && retryDelayMs(details);
  switch (code) {
    case grpcCodes.unavailable:
      return afterMs === undefined ? retry("unreachable", detail) : retry("busy", detail, afterMs);
    case grpcCodes.deadlineExceeded:
      return retry("timeout", detail);
    case grpcCodes.resourceExhausted: // of a quota, if it says when to come back; else of a limit on size
      return afterMs === undefined
        ? reject("too_large", detail, items)
        : retry("busy", detail, afterMs);
    case grpcCodes.unauthenticated:
    case grpcCodes.permissionDenied:
      return retry("unauthorized", detail);
    case grpcCodes.unimplemented:
    case grpcCodes.notFound:
      return retry("not_found", detail);
    case grpcCodes.invalidArgument:
    case grpcCodes.failedPrecondition:
    case grpcCodes.alreadyExists:
      return reject("bad_data", detail, items);
    default: // CANCELLED, ABORTED, OUT_OF_RANGE, DATA_LOSS by OTLP; the others may be mended
      return retry("server_error", detail);
  }
}
