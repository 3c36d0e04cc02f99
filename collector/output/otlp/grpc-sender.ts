// OTLP over gRPC, as a client: bytes in, bytes out, sorted as over HTTP.

import * as grpc from "@grpc/grpc-js";
import type { Signal } from "../../wire/batch.ts";
import type { Outcome } from "../output.ts";
import { outcomeOfSuccess, reject, retry } from "./answer.ts";
import type { Sender, SenderSettings } from "./http-sender.ts";

const paths: Readonly<Record<Signal, string>> = {
  traces: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
  metrics: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
  logs: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
};

const longestAnswerBytes = 64 << 10;
const asIs = (bytes: Buffer): Buffer => bytes;

export function grpcSender({ endpoint, headers, compression, timeoutMs }: SenderSettings): Sender {
  const isTls = endpoint.startsWith("grpcs:");
  const address = endpoint.replace(/^grpcs?:\/\//, "").replace(/\/$/, "");
  const client = new grpc.Client(
    address,
    isTls ? grpc.credentials.createSsl() : grpc.credentials.createInsecure(),
    {
      "grpc.max_receive_message_length": longestAnswerBytes,
      "grpc.default_compression_algorithm":
        compression === "gzip"
          ? grpc.compressionAlgorithms.gzip
          : grpc.compressionAlgorithms.identity,
      // We wait between tries ourselves; a channel that waits longer would keep a server that is
      // back waiting too.
      "grpc.initial_reconnect_backoff_ms": 100,
      "grpc.max_reconnect_backoff_ms": 1_000,
    },
  );
  const metadata = new grpc.Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);

  return {
    send: ({ signal, entries, items }, abort) =>
      new Promise((resolve) => {
        const only = entries[0];
        const message =
          entries.length === 1 && only
            ? Buffer.from(
                only.batch.bytes.buffer,
                only.batch.bytes.byteOffset,
                only.batch.bytes.length,
              )
            : Buffer.concat(entries.map(({ batch }) => batch.bytes));
        const deadline = Date.now() + timeoutMs;
        const call = client.makeUnaryRequest(
          paths[signal],
          asIs,
          asIs,
          message,
          metadata,
          { deadline },
          (error, answer) => {
            abort.removeEventListener("abort", cancel);
            resolve(
              error ? outcomeOfError(error, items) : outcomeOfSuccess(answer ?? Buffer.alloc(0)),
            );
          },
        );
        const cancel = (): void => call.cancel();
        abort.addEventListener("abort", cancel, { once: true });
        if (abort.aborted) cancel();
      }),
    close: () => client.close(),
  };
}

function outcomeOfError({ code, details, metadata }: grpc.ServiceError, items: number): Outcome {
  const detail = `gRPC ${grpc.status[code] ?? code}: ${details}`.slice(0, 500);
  const mayComeBack = metadata.get("grpc-status-details-bin").length > 0; // RetryInfo stands there
  switch (code) {
    case grpc.status.UNAVAILABLE:
      return retry(mayComeBack ? "busy" : "unreachable", detail);
    case grpc.status.DEADLINE_EXCEEDED:
      return retry("timeout", detail);
    case grpc.status.RESOURCE_EXHAUSTED:
      return mayComeBack ? retry("busy", detail) : reject("too_large", detail, items);
    case grpc.status.UNAUTHENTICATED:
    case grpc.status.PERMISSION_DENIED:
      return retry("unauthorized", detail);
    case grpc.status.UNIMPLEMENTED:
    case grpc.status.NOT_FOUND:
      return retry("not_found", detail);
    case grpc.status.INVALID_ARGUMENT:
    case grpc.status.FAILED_PRECONDITION:
    case grpc.status.ALREADY_EXISTS:
      return reject("bad_data", detail, items);
    default:
      return retry("server_error", detail);
  }
}
