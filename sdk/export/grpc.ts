// OTLP over gRPC, by grpc-js, which is loaded when the first request is sent. The bytes are those of
// OTLP/HTTP. What is under way when the app ends at once is sent again by the last send, since nobody says
// how far it has come: it may arrive twice.

import type { Client, Metadata, ServiceError } from "@grpc/grpc-js";
import type { Signal } from "../../collector/wire/batch.ts";
import { load } from "../packages.ts";
import type { OtlpSettings } from "../settings.ts";
import type { Answer, Transport, Unsent } from "./sender.ts";

const paths: Readonly<Record<Signal, string>> = {
  traces: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
  metrics: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
  logs: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
};

/** By the specification of OTLP; what else goes wrong would go wrong again. */
const retryable: ReadonlySet<number> = new Set([1, 4, 8, 10, 11, 14, 15]);

export class GrpcTransport implements Transport {
  readonly url: string;
  readonly #path: string;
  readonly #otlp: OtlpSettings;
  #client: Client | undefined;
  #metadata: Metadata | undefined;

  constructor(signal: Signal, otlp: OtlpSettings) {
    this.url = otlp.url;
    this.#path = paths[signal];
    this.#otlp = otlp;
  }

  unsent(body: Uint8Array): Unsent {
    return { target: this.#otlp, method: this.#path, body };
  }

  post(body: Uint8Array): Promise<Answer> {
    this.#client ??= this.#connect();
    const client = this.#client;
    const { timeoutMs } = this.#otlp;
    return new Promise((resolve) => {
      client.makeUnaryRequest(
        this.#path,
        (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length),
        (bytes) => bytes,
        body,
        this.#metadata!, // made with the client
        { deadline: timeoutMs > 0 ? Date.now() + timeoutMs : Infinity },
        (error) => resolve(error ? answerTo(error) : { kind: "delivered" }),
      );
    });
  }

  #connect(): Client {
    const { Client, credentials, Metadata } = load("@grpc/grpc-js");
    const { url, headers, tls, compression } = this.#otlp;
    const { protocol, host } = new URL(url);
    this.#metadata = new Metadata();
    for (const [name, value] of Object.entries(headers)) this.#metadata.set(name, value);
    const isSecure = protocol === "https:";
    const secured = isSecure
      ? credentials.createSsl(bytesOf(tls.ca), bytesOf(tls.key), bytesOf(tls.cert))
      : credentials.createInsecure();
    return new Client(host, secured, {
      "grpc.default_compression_algorithm": compression === "gzip" ? 2 : 0,
      "grpc.primary_user_agent": "sonde",
    });
  }
}

function bytesOf(pem: string | undefined): Buffer | null {
  return pem === undefined ? null : Buffer.from(pem);
}

function answerTo({ code, details }: ServiceError): Answer {
  const detail = `${code} ${details}`.slice(0, 200);
  return { kind: retryable.has(code) ? "failed" : "refused", detail };
}
