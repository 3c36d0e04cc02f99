// OTLP over gRPC. The messages are taken as bytes: grpc-js is given no schema.

import * as grpc from "@grpc/grpc-js";
import { authority, explainListening, type Listening } from "../listen.ts";
import type { Signal } from "../wire/batch.ts";
import type { Intake, Receiver } from "./intake.ts";
import { encodeStatus, statusOf } from "./rpc-status.ts";

const services: Readonly<Record<Signal, string>> = {
  traces: "opentelemetry.proto.collector.trace.v1.TraceService",
  metrics: "opentelemetry.proto.collector.metrics.v1.MetricsService",
  logs: "opentelemetry.proto.collector.logs.v1.LogsService",
};

const accepted = Buffer.alloc(0); // an Export…ServiceResponse with nothing in it

export async function startOtlpGrpc(intake: Intake, where: Listening): Promise<Receiver> {
  grpc.setLogVerbosity(grpc.logVerbosity.NONE); // what it would write, the errors say better
  const server = new grpc.Server({
    "grpc.max_receive_message_length": intake.requestMaxBytes,
    "grpc.keepalive_time_ms": 60_000,
    "grpc.keepalive_timeout_ms": 20_000,
  });
  for (const signal of Object.keys(services) as Signal[]) {
    server.addService(serviceOf(services[signal]), { export: exporterOf(intake, signal) });
  }
  const port = await bind(server, where);
  return {
    url: `grpc://${authority(where.host, port)}`,
    stop: (deadline) => stop(server, deadline),
  };
}

const asBytes = (bytes: Buffer): Buffer => bytes;

function serviceOf(name: string): grpc.ServiceDefinition {
  return {
    export: {
      path: `/${name}/Export`,
      requestStream: false,
      responseStream: false,
      requestSerialize: asBytes,
      requestDeserialize: asBytes,
      responseSerialize: asBytes,
      responseDeserialize: asBytes,
    },
  };
}

function exporterOf(intake: Intake, signal: Signal): grpc.handleUnaryCall<Buffer, Buffer> {
  return (call, answer) => {
    const bytes = call.request;
    const refused = intake.hold(bytes.length);
    if (refused && refused.kind !== "accepted") {
      answer(errorOf(refused));
      return;
    }
    intake
      .take("otlp_grpc", signal, bytes)
      .then(
        (taken) => (taken.kind === "accepted" ? answer(null, accepted) : answer(errorOf(taken))),
        (error: Error) => answer({ code: grpc.status.INTERNAL, details: error.message }),
      )
      .finally(() => intake.release(bytes.length));
  };
}

function errorOf(refused: Parameters<typeof statusOf>[0]): Partial<grpc.StatusObject> {
  const status = statusOf(refused);
  const metadata = new grpc.Metadata();
  metadata.set("grpc-status-details-bin", Buffer.from(encodeStatus(status)));
  // oxlint-disable-next-line typescript/no-unsafe-enum-assignment -- google.rpc.Code numbers them alike
  const code = status.code as grpc.status;
  return { code, details: status.message, metadata };
}

function bind(server: grpc.Server, where: Listening): Promise<number> {
  return new Promise((resolve, reject) => {
    const credentials = grpc.ServerCredentials.createInsecure();
    server.bindAsync(authority(where.host, where.port), credentials, (error, port) => {
      if (!error) resolve(port);
      else {
        const code = /\b(E[A-Z]{4,})\b/.exec(error.message)?.[1]; // it gives the system's error as text
        reject(new Error(explainListening({ code, message: error.message }, where)));
      }
    });
  });
}

function stop(server: grpc.Server, deadline: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const cut = (): void => server.forceShutdown();
    if (deadline.aborted) cut();
    deadline.addEventListener("abort", cut, { once: true });
    server.tryShutdown(() => {
      deadline.removeEventListener("abort", cut);
      resolve();
    });
  });
}
